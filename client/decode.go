package client

import (
	"bytes"
	"encoding/json"
	"strconv"
	"unicode/utf8"

	"github.com/spilelog/spile/wire"
)

// decodeLog reads a log frame. Frames are built by one encoder with its members in one order; such a frame is cut
// apart here, which is many times faster than encoding/json. Any other is left to that.
func decodeLog(line []byte) (*wire.Log, error) {
	log := &wire.Log{Type: typeLog}
	if cutLog(line, log) {
		return log, nil
	}
	log = new(wire.Log)
	if err := json.Unmarshal(line, log); err != nil {
		return nil, broken(err)
	}
	return log, nil
}

// cutLog fills log from a frame in the usual order, or says that it is not of that form.
func cutLog(line []byte, log *wire.Log) bool {
	if !utf8.Valid(line) {
		return false
	}
	c := cutter{rest: line, ok: true}
	c.expect(logPrefix + `,"timestamp":`)
	if stamp := c.token(); !c.ok || log.Timestamp.UnmarshalJSON(stamp) != nil {
		return false
	}
	c.expect(`,"level":`)
	log.Level = c.text()
	c.expect(`,"source":`)
	log.Source = c.text()
	c.expect(`,"message":`)
	log.Message = c.text()
	c.expect(`,"metadata":`)
	if log.Metadata = c.object(); !json.Valid(log.Metadata) {
		return false
	}
	if c.skip(`,"raw":`) {
		raw := c.text()
		log.Raw = &raw
	}
	log.Context = c.skip(`,"context":true`)
	c.expect(`,"agent":`)
	log.Agent = c.text()
	c.expect(`,"epoch":`)
	log.Epoch = c.number()
	c.expect(`,"seq":`)
	log.Seq = c.number()
	c.expect("}")
	return c.ok && len(c.rest) == 0
}

// cutter takes the parts of a frame off its front. Once something is not as expected ok is false for good.
type cutter struct {
	rest []byte
	ok   bool
}

// skip takes literal off the front and says whether it was there.
func (c *cutter) skip(literal string) bool {
	if len(c.rest) < len(literal) || string(c.rest[:len(literal)]) != literal {
		return false
	}
	c.rest = c.rest[len(literal):]
	return true
}

// expect takes literal off the front.
func (c *cutter) expect(literal string) {
	c.ok = c.skip(literal) && c.ok
}

// token takes a JSON string off the front, with its quotes.
func (c *cutter) token() []byte {
	end := stringEnd(c.rest)
	if end == 0 {
		c.ok = false
		return nil
	}
	token := c.rest[:end]
	c.rest = c.rest[end:]
	return token
}

// text takes a JSON string off the front and is what it stands for.
func (c *cutter) text() string {
	token := c.token()
	if len(token) == 0 {
		return ""
	}
	inner := token[1 : len(token)-1]
	for _, b := range inner {
		if b == '\\' || b < ' ' {
			var s string
			c.ok = json.Unmarshal(token, &s) == nil && c.ok
			return s
		}
	}
	return string(inner)
}

// object takes a JSON object off the front. Whether it is one inside is for the caller to check.
func (c *cutter) object() []byte {
	depth := 0
	for i := 0; i < len(c.rest); i++ {
		switch c.rest[i] {
		case '"':
			end := stringEnd(c.rest[i:])
			if end == 0 {
				c.ok = false
				return nil
			}
			i += end - 1
		case '{':
			depth++
		case '}':
			depth--
		}
		if depth == 0 {
			object := c.rest[:i+1]
			c.rest = c.rest[i+1:]
			return object
		}
	}
	c.ok = false
	return nil
}

// number takes a whole number off the front.
func (c *cutter) number() uint64 {
	end := 0
	for end < len(c.rest) && c.rest[end] >= '0' && c.rest[end] <= '9' {
		end++
	}
	// JSON knows no leading zeros.
	n, err := strconv.ParseUint(string(c.rest[:end]), 10, 64)
	c.ok = c.ok && err == nil && (end == 1 || c.rest[0] != '0')
	c.rest = c.rest[end:]
	return n
}

// stringEnd is the length of the JSON string at the front of data, with its quotes; 0 if there is none.
func stringEnd(data []byte) int {
	if len(data) == 0 || data[0] != '"' {
		return 0
	}
	for i := 1; ; {
		next := bytes.IndexByte(data[i:], '"')
		if next < 0 {
			return 0
		}
		i += next
		slashes := 0
		for data[i-1-slashes] == '\\' {
			slashes++
		}
		if i++; slashes%2 == 0 {
			return i
		}
	}
}
