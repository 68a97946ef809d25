package agent

import (
	"sync"

	"github.com/spilelog/spile/wire"
)

// mail is what a session is told between two of its steps; later word replaces or adds to earlier.
type mail struct {
	// down says that the link was lost, before anything else in this mail.
	down bool
	// desired is the session as the server last described it; the session announces itself again.
	desired *wire.DesiredSession
	ack     *wire.Ack
	// replay is the server's last question; it asks one at a time.
	replay *wire.Replay
	stop   bool
}

// mailbox carries mail from the link's goroutine to a session's. The session takes, others post.
type mailbox struct {
	wake chan struct{} // capacity one, never closed

	mu   sync.Mutex
	mail mail // guarded by mu
}

// newMailbox makes an empty mailbox.
func newMailbox() *mailbox { return &mailbox{wake: make(chan struct{}, 1)} }

// post changes the mail and wakes the session.
func (b *mailbox) post(change func(*mail)) {
	b.mu.Lock()
	change(&b.mail)
	b.mu.Unlock()
	signal(b.wake)
}

// take empties the mailbox.
func (b *mailbox) take() mail {
	b.mu.Lock()
	defer b.mu.Unlock()
	m := b.mail
	b.mail = mail{}
	return m
}
