package cli

import (
	"errors"
	"fmt"
	"regexp"

	"github.com/spilelog/spile/wire"
)

// conditions are what a script waits for, or fears.
type conditions struct {
	until, failOn *regexp.Regexp
	expect        uint64

	// lines counts what was taken; matched says that until was found, failed that failOn was, in badLine.
	lines           uint64
	matched, failed bool
	badLine         string
}

// newConditions reads the flags.
func newConditions(flags *tailFlags) (*conditions, error) {
	c := &conditions{expect: flags.expect}
	for _, one := range []struct {
		flag, text string
		re         **regexp.Regexp
	}{{"--until", flags.until, &c.until}, {"--fail-on", flags.failOn, &c.failOn}} {
		if one.text == "" {
			continue
		}
		re, err := regexp.Compile(one.text)
		if err != nil {
			return nil, usageError("", "%s: %w", one.flag, err)
		}
		*one.re = re
	}
	return c, nil
}

// needRaw says whether lines have to come as they were written, since that is what is searched.
func (c *conditions) needRaw() bool { return c.until != nil || c.failOn != nil }

// take looks at a printed event and says whether it decides the run. One that only stands around a match does not.
func (c *conditions) take(log *wire.Log) (decided bool) {
	if log.Context {
		return false
	}
	c.lines++
	if c.needRaw() {
		line := appendRaw(nil, log)
		if log.Raw == nil && log.RawBase64 == nil {
			line = []byte(log.Message)
		}
		if c.failOn != nil && c.failOn.Match(line) {
			c.failed, c.badLine = true, string(line)
			return true
		}
		if c.until != nil && c.until.Match(line) {
			c.matched = true
			return true
		}
	}
	return c.until == nil && c.expect > 0 && c.lines >= c.expect
}

// verdict is the error of a run that failed, or that ended before what it waited for had come.
func (c *conditions) verdict() error {
	switch {
	case c.failed:
		return &failure{exit: wire.ExitMatched, err: fmt.Errorf("a line matches --fail-on: %s", c.badLine)}
	case c.until != nil && !c.matched:
		return &failure{exit: wire.ExitUnmet, err: errors.New("no line matched --until before the end")}
	case c.lines < c.expect:
		return &failure{exit: wire.ExitUnmet, err: fmt.Errorf(
			"%d lines came before the end, --expect wants %d", c.lines, c.expect)}
	}
	return nil
}
