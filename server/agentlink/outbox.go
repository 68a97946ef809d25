package agentlink

import (
	"encoding/json"
	"fmt"
	"sync"

	"github.com/spilelog/spile/wire"
)

// outbox holds what is to be told to an agent. It never grows beyond one acknowledgement and one question for each
// session: the newest acknowledgement says everything that older ones said, and a session asks one question at a time.
type outbox struct {
	// ready wakes the writer, pace the pinger; a wake that is already there is enough.
	ready chan struct{}
	pace  chan struct{}

	// mu guards the fields below.
	mu      sync.Mutex
	desired bool
	acks    map[string]wire.Ack
	replays map[string]wire.Replay
	order   []string // of acks
}

// init makes an empty outbox.
func (o *outbox) init() {
	o.ready, o.pace = make(chan struct{}, 1), make(chan struct{}, 1)
	o.acks, o.replays = map[string]wire.Ack{}, map[string]wire.Replay{}
}

// putDesired asks for the list of sessions to be sent.
func (o *outbox) putDesired() {
	o.mu.Lock()
	o.desired = true
	o.mu.Unlock()
	wake(o.ready)
}

// put keeps what a session says to the agent, a link message, in place of an older one of its kind.
func (o *outbox) put(data []byte) error {
	kind, body, err := wire.SplitLink(data)
	if err != nil {
		return err
	}
	switch kind {
	case wire.LinkAck:
		var ack wire.Ack
		if err := json.Unmarshal(body, &ack); err != nil {
			return fmt.Errorf("parse ack: %w", err)
		}
		o.putAck(ack)
	case wire.LinkReplay:
		var ask wire.Replay
		if err := json.Unmarshal(body, &ask); err != nil {
			return fmt.Errorf("parse replay: %w", err)
		}
		o.putReplay(ask)
	default:
		return fmt.Errorf("message of kind %d among those of sessions", kind)
	}
	wake(o.ready)
	return nil
}

// putAck keeps an acknowledgement.
func (o *outbox) putAck(ack wire.Ack) {
	o.mu.Lock()
	defer o.mu.Unlock()
	old, waiting := o.acks[ack.Session]
	if !waiting {
		o.order = append(o.order, ack.Session)
	}
	ack.Resend = ack.Resend || waiting && old.Resend && old.Epoch == ack.Epoch
	o.acks[ack.Session] = ack
}

// putReplay keeps a question.
func (o *outbox) putReplay(ask wire.Replay) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.replays[ask.Session] = ask
}

// wakePinger makes the pinger look at its interval again.
func (o *outbox) wakePinger() { wake(o.pace) }

// letters is what an outbox held.
type letters struct {
	desired bool
	acks    []wire.Ack
	replays []wire.Replay
}

// take empties the outbox.
func (o *outbox) take() letters {
	o.mu.Lock()
	defer o.mu.Unlock()
	out := letters{desired: o.desired}
	for _, session := range o.order {
		out.acks = append(out.acks, o.acks[session])
		delete(o.acks, session)
	}
	for session, ask := range o.replays {
		out.replays = append(out.replays, ask)
		delete(o.replays, session)
	}
	o.desired, o.order = false, o.order[:0]
	return out
}

// wake leaves one wake.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
