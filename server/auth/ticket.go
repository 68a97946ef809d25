package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"sync"
	"time"

	"github.com/spilelog/spile/wire"
)

// maxTickets bounds the tickets that wait; they are over long before anybody needs as many.
const maxTickets = 10_000

// Tickets hands out one-use tickets for streams, so that a browser's WebSocket, which can send no header, carries
// nothing in its URL that is worth stealing. It is safe for concurrent use.
type Tickets struct {
	now func() time.Time
	// mu guards waiting, by the tickets' hashes: comparing tells nothing by its time, and no memory holds a ticket.
	mu      sync.Mutex
	waiting map[[sha256.Size]byte]ticket
	// order are the same hashes, the oldest first; used ones stay until their time is over.
	order [][sha256.Size]byte
}

// ticket is what a ticket opens.
type ticket struct {
	who     Principal
	session string
	expires time.Time
}

// NewTickets makes an empty set. A nil now is the clock.
func NewTickets(now func() time.Time) *Tickets {
	if now == nil {
		now = time.Now
	}
	return &Tickets{now: now, waiting: map[[sha256.Size]byte]ticket{}}
}

// New makes a ticket that lets who watch one session once, within [wire.TicketTTL]. It returns a *wire.Error when too
// many wait.
func (t *Tickets) New(who Principal, session string) (string, error) {
	text := rand.Text()
	hash := sha256.Sum256([]byte(text))
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	t.expireLocked(now)
	if len(t.order) >= maxTickets {
		return "", wire.Errorf(wire.CodeRateLimited, "%d tickets wait to be used, which is the limit", maxTickets)
	}
	t.waiting[hash] = ticket{who: who, session: session, expires: now.Add(wire.TicketTTL)}
	t.order = append(t.order, hash)
	return text, nil
}

// Use consumes a ticket and says who may watch the session with it, or returns a *wire.Error unauthorized. A ticket
// that was shown for another session is used up as well.
func (t *Tickets) Use(text, session string) (Principal, error) {
	hash := sha256.Sum256([]byte(text))
	t.mu.Lock()
	defer t.mu.Unlock()
	found, ok := t.waiting[hash]
	delete(t.waiting, hash)
	switch {
	case !ok:
		return Principal{}, wire.Errorf(wire.CodeUnauthorized, "the ticket is not valid here, or was used already")
	case !t.now().Before(found.expires):
		return Principal{}, wire.Errorf(wire.CodeUnauthorized, "the ticket has expired")
	case found.session != session:
		return Principal{}, wire.Errorf(wire.CodeUnauthorized, "the ticket is for another session")
	}
	return found.who, nil
}

// expireLocked forgets the tickets whose time is over; all live equally long.
func (t *Tickets) expireLocked(now time.Time) {
	gone := 0
	for _, hash := range t.order {
		if found, waits := t.waiting[hash]; waits && now.Before(found.expires) {
			break
		}
		delete(t.waiting, hash)
		gone++
	}
	t.order = append(t.order[:0], t.order[gone:]...)
}
