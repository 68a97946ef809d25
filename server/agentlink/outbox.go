package agentlink

import (
	"encoding/json"
	"fmt"
	"sync"

	"github.com/spilelog/spile/wire"
)

// outbox holds what is to be told to an agent. It never grows beyond one acknowledgement for each session, since the
// newest says everything that older ones said.
type outbox struct {
	// ready wakes the writer, pace the pinger; a wake that is already there is enough.
	ready chan struct{}
	pace  chan struct{}

	// mu guards the fields below.
	mu      sync.Mutex
	desired bool
	acks    map[string]wire.Ack
	order   []string
}

// init makes an empty outbox.
func (o *outbox) init() {
	o.ready, o.pace = make(chan struct{}, 1), make(chan struct{}, 1)
	o.acks = map[string]wire.Ack{}
}

// putDesired asks for the list of sessions to be sent.
func (o *outbox) putDesired() {
	o.mu.Lock()
	o.desired = true
	o.mu.Unlock()
	wake(o.ready)
}

// putAck keeps an acknowledgement, a link message, in place of an older one of the same session.
func (o *outbox) putAck(data []byte) error {
	kind, body, err := wire.SplitLink(data)
	if err != nil {
		return err
	}
	if kind != wire.LinkAck {
		return fmt.Errorf("message of kind %d among acknowledgements", kind)
	}
	var ack wire.Ack
	if err := json.Unmarshal(body, &ack); err != nil {
		return fmt.Errorf("parse ack: %w", err)
	}
	o.mu.Lock()
	old, waiting := o.acks[ack.Session]
	if !waiting {
		o.order = append(o.order, ack.Session)
	}
	ack.Resend = ack.Resend || waiting && old.Resend && old.Epoch == ack.Epoch
	o.acks[ack.Session] = ack
	o.mu.Unlock()
	wake(o.ready)
	return nil
}

// wakePinger makes the pinger look at its interval again.
func (o *outbox) wakePinger() { wake(o.pace) }

// take empties the outbox.
func (o *outbox) take() (desired bool, acks []wire.Ack) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, session := range o.order {
		acks = append(acks, o.acks[session])
		delete(o.acks, session)
	}
	desired, o.desired, o.order = o.desired, false, o.order[:0]
	return desired, acks
}

// wake leaves one wake.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
