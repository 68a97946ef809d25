module github.com/spilelog/spile/lint

go 1.26.0

require (
	github.com/google/go-cmp v0.7.0
	github.com/spilelog/spile v0.0.0
	golang.org/x/tools v0.50.0
)

require (
	github.com/goccy/go-yaml v1.19.2 // indirect
	golang.org/x/mod v0.41.0 // indirect
	golang.org/x/sync v0.24.0 // indirect
)

replace github.com/spilelog/spile => ../
