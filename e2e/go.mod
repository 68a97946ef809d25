module github.com/spilelog/spile/e2e

go 1.26.0

require github.com/spilelog/spile v0.0.0

replace github.com/spilelog/spile => ../
