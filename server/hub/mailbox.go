package hub

import (
	"bytes"
	"encoding/json"
	"slices"
	"sync"

	"github.com/spilelog/spile/wire"
)

// mail is what a mailbox holds.
type mail struct {
	parts [][]byte
	// size is the bytes of parts, events how many log frames are in them.
	size   int
	events uint64
	// cursor is where the viewer stands behind parts; begun says that it stands anywhere.
	cursor wire.Cursor
	begun  bool
	// urgent says that something in it must not wait.
	urgent bool
	// ended says that the session's end is in it, over that nothing comes after it.
	ended, over bool
}

// mailbox is the socket of a viewer that polls: it holds what nobody has asked for yet. The frames are the ring's own
// bytes, so that many viewers at one place hold them once.
type mailbox struct {
	viewer *viewer
	// news has a token when somebody who waits should look.
	news chan struct{}

	// mu guards the fields below; it is a leaf.
	mu   sync.Mutex
	mail mail
	// room is closed and replaced when there is room again, and closed for good when nothing comes any more.
	room chan struct{}
}

// newMailbox makes an empty mailbox.
func newMailbox() *mailbox {
	return &mailbox{news: make(chan struct{}, 1), room: make(chan struct{})}
}

// place is where the viewer stands, also with the agents of which it was owed nothing yet.
func (b *mailbox) place() wire.Cursor {
	s := b.viewer.session
	s.mu.Lock()
	defer s.mu.Unlock()
	return b.viewer.originLocked()
}

// put waits for room and puts a part in.
func (b *mailbox) put(part mail) error {
	part.cursor = b.place()
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.mail.size > 0 && b.mail.size+part.size > wire.PollBytes && !b.mail.over {
		room := b.room
		b.mu.Unlock()
		<-room
		b.mu.Lock()
	}
	m := &b.mail
	if m.over {
		return errCut
	}
	m.parts = append(m.parts, part.parts...)
	m.size += part.size
	m.events += part.events
	m.cursor = part.cursor
	m.urgent = m.urgent || part.urgent
	m.ended = part.ended
	if m.urgent || !m.begun {
		b.wake()
	}
	m.begun = true
	return nil
}

// frames puts log frames in.
func (b *mailbox) frames(v *viewer, p *piece) error {
	v.wrote(p, p.to)
	return b.put(mail{parts: [][]byte{p.data}, size: len(p.data), events: p.count, urgent: true})
}

// control puts a control frame in.
func (b *mailbox) control(_ *viewer, frame []byte, _ bool) error {
	var c struct {
		Event wire.Event `json:"event"`
	}
	if err := json.Unmarshal(frame, &c); err != nil {
		return err
	}
	return b.put(mail{
		parts: [][]byte{append(bytes.Clone(frame), '\n')}, size: len(frame) + 1,
		urgent: c.Event.Default(), ended: c.Event == wire.EventSessionEnded,
	})
}

// beat has nothing to do: between two polls there is nothing to keep alive.
func (b *mailbox) beat() error { return nil }

// flush notes where the viewer stands.
func (b *mailbox) flush() error {
	cursor := b.place()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mail.cursor = cursor
	if !b.mail.begun {
		b.mail.begun = true
		b.wake()
	}
	return nil
}

// bye says that nothing comes any more.
func (b *mailbox) bye() { b.end() }

// cut ends the viewer at once.
func (b *mailbox) cut() { b.end() }

// slow is never so: who does not come in time is ended as one that has gone.
func (b *mailbox) slow() bool { return false }

// end says that nothing comes any more.
func (b *mailbox) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.mail.over {
		return
	}
	b.mail.over = true
	close(b.room)
	b.wake()
}

// wake lets whoever waits look.
func (b *mailbox) wake() {
	select {
	case b.news <- struct{}{}:
	default:
	}
}

// ready says whether an answer should not wait any longer; one that is late waits only for the viewer to begin.
func (b *mailbox) ready(late bool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.mail.urgent || b.mail.over || late && b.mail.begun
}

// take empties the mailbox, but for where the viewer stands and what is said of the end.
func (b *mailbox) take() mail {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := b.mail
	out.cursor = slices.Clone(out.cursor)
	b.mail = mail{cursor: out.cursor, begun: out.begun, ended: out.ended, over: out.over}
	if !out.over {
		close(b.room)
		b.room = make(chan struct{})
	}
	return out
}
