module example.org/logs

go 1.26.0

require github.com/spilelog/spile v0.0.0

replace github.com/spilelog/spile => ../../
