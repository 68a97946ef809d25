package client

import (
	"encoding/json"

	"github.com/spilelog/spile/wire"
)

// position is the last event of one agent that was read.
type position struct {
	id         [16]byte
	epoch, seq uint64
}

// positions are where a stream stands, one for each agent in the order in which they were heard of.
type positions struct {
	list  []position
	index map[string]int
}

// seed begins at a cursor.
func (p *positions) seed(c wire.Cursor) {
	for _, at := range c {
		p.set(wire.FormatUUID(at.Agent), position{at.Agent, at.Epoch, at.Seq})
	}
}

// learn adds the agents of a cursor that were not heard of yet.
func (p *positions) learn(text string) {
	c, err := wire.ParseCursor(text)
	if err != nil {
		return
	}
	for _, at := range c {
		agent := wire.FormatUUID(at.Agent)
		if _, known := p.index[agent]; !known {
			p.set(agent, position{at.Agent, at.Epoch, at.Seq})
		}
	}
}

// set puts agent at a position.
func (p *positions) set(agent string, at position) {
	if i, ok := p.index[agent]; ok {
		p.list[i] = at
		return
	}
	if p.index == nil {
		p.index = map[string]int{}
	}
	p.index[agent] = len(p.list)
	p.list = append(p.list, at)
}

// advance moves agent to seq of epoch and says whether that lies ahead. An agent whose id is no UUID has no place in
// a cursor; its frames always count as new.
func (p *positions) advance(agent string, epoch, seq uint64) bool {
	if i, ok := p.index[agent]; ok {
		at := &p.list[i]
		if at.epoch == epoch && seq <= at.seq {
			return false
		}
		at.epoch, at.seq = epoch, seq
		return true
	}
	id, err := wire.ParseUUID(agent)
	if err == nil {
		p.set(agent, position{id, epoch, seq})
	}
	return true
}

// cursor is the positions as they travel.
func (p *positions) cursor() wire.Cursor {
	c := make(wire.Cursor, len(p.list))
	for i, at := range p.list {
		c[i] = wire.Position{Agent: at.id, Epoch: at.epoch, Seq: at.seq}
	}
	return c
}

// kind is what tells a log frame from a control frame.
type kind struct {
	Type string `json:"type"`
}

// The values of kind.Type, and how a log frame begins in the one encoding that agents use.
const (
	typeLog     = "log"
	typeControl = "control"
	logPrefix   = `{"type":"log"`
)

// accept decodes a line and says whether it is to be passed on: not when it was passed on before the connection
// broke, and not when it is of a type that this version does not know.
func (s *Stream) accept(line []byte) (Frame, bool, error) {
	var k kind
	if len(line) >= len(logPrefix) && string(line[:len(logPrefix)]) == logPrefix {
		k.Type = typeLog
	} else if err := json.Unmarshal(line, &k); err != nil {
		return Frame{}, false, broken(err)
	}
	switch k.Type {
	case typeLog:
		log, err := decodeLog(line)
		if err != nil {
			return Frame{}, false, err
		}
		s.fromStart = false
		frame := Frame{Log: log, Line: line}
		s.observe(frame)
		return frame, s.at.advance(log.Agent, log.Epoch, log.Seq), nil
	case typeControl:
		control := new(wire.Control)
		if err := json.Unmarshal(line, control); err != nil {
			return Frame{}, false, broken(err)
		}
		frame := Frame{Control: control, Line: line}
		s.observe(frame)
		return frame, s.control(control) && (s.opts.AllEvents || control.Event.Default()), nil
	}
	return Frame{}, false, nil
}

// observe shows a frame to whoever wants to see all of them.
func (s *Stream) observe(f Frame) {
	if s.opts.Observe != nil {
		s.opts.Observe(f)
	}
}

// control follows what a control frame says about the stream itself, and says whether it is new.
func (s *Stream) control(c *wire.Control) bool {
	switch c.Event {
	case wire.EventSessionStarted:
		// An agent without a number has not spoken yet.
		s.fromStart = true
		for _, next := range c.NextSeq {
			s.fromStart = s.fromStart && next <= 1
		}
	case wire.EventGap:
		if c.Unit == wire.UnitEvents && c.To > 0 {
			return s.at.advance(c.Agent, c.Epoch, c.To)
		}
	case wire.EventSessionEnded:
		s.ended = true
	}
	if c.Cursor != "" {
		s.at.learn(c.Cursor)
	}
	return true
}

// broken is the error of a frame that is not JSON as it should be.
func broken(err error) error {
	return wire.Errorf(wire.CodeInternal, "the server sent a frame that cannot be read: %v", err)
}
