package auth

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spilelog/spile/wire"
)

// newTickets makes tickets at a time that the test sets.
func newTickets() (*Tickets, *clock) {
	c := &clock{time.Unix(1_000_000, 0)}
	return NewTickets(c.read), c
}

// newTicket makes one ticket for session s.
func newTicket(t *testing.T, tickets *Tickets) string {
	t.Helper()
	text, err := tickets.New(Principal{Subject: "who"}, "s")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestTicketIsForOneSessionAndTime(t *testing.T) {
	for _, test := range []struct {
		name    string
		session string
		after   time.Duration
		want    bool
	}{
		{"good", "s", 0, true},
		{"at-the-last-moment", "s", wire.TicketTTL - 1, true},
		{"too-late", "s", wire.TicketTTL, false},
		{"other-session", "t", 0, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			tickets, c := newTickets()
			text := newTicket(t, tickets)
			c.now = c.now.Add(test.after)
			who, err := tickets.Use(text, test.session)
			if (err == nil) != test.want || test.want && who.Subject != "who" {
				t.Errorf("%+v %v", who, err)
			}
			if _, err := tickets.Use(text, "s"); err == nil {
				t.Error("was good twice")
			}
		})
	}
	tickets, _ := newTickets()
	if _, err := tickets.Use("", "s"); err == nil {
		t.Error("no ticket was good")
	}
}

// TestTicketOnce lets many use one ticket at once: exactly one wins.
func TestTicketOnce(t *testing.T) {
	tickets, _ := newTickets()
	for range 200 {
		text := newTicket(t, tickets)
		var won atomic.Int32
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				if _, err := tickets.Use(text, "s"); err == nil {
					won.Add(1)
				}
			})
		}
		all.Wait()
		if won.Load() != 1 {
			t.Fatalf("%d won", won.Load())
		}
	}
}

func TestTicketsAreBounded(t *testing.T) {
	tickets, c := newTickets()
	for range maxTickets {
		newTicket(t, tickets)
	}
	if _, err := tickets.New(Principal{}, "s"); err == nil {
		t.Error("more tickets wait than are allowed")
	}
	c.now = c.now.Add(wire.TicketTTL)
	newTicket(t, tickets)
	if len(tickets.waiting) != 1 || len(tickets.order) != 1 {
		t.Errorf("%d and %d are kept after their time", len(tickets.waiting), len(tickets.order))
	}
}
