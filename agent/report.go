package agent

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/spilelog/spile/internal/uplink"
	"github.com/spilelog/spile/wire"
)

// troubleDelay is how long word of the agent's own trouble waits for more, so that a disk that is full now and then
// costs no more than a message each time.
const troubleDelay = time.Second

// report tells the server of counts once an interval, and of the sources and the agent's own trouble when they change.
// One message waits until the one before is taken, since the counts refer to the list of sources that was told last.
//
// What changes while the link is made may be in no hello any more and find no connection yet: it is told when there is
// one.
func (a *Agent) report(ctx context.Context, link *uplink.Link, c *counter) error {
	tick := time.NewTicker(a.cfg.MetricsInterval)
	defer tick.Stop()
	usage := newUsage(a.cfg.Data)
	var due <-chan time.Time
	told := true
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-a.linked:
			if !told {
				told = a.status(ctx, link, c)
			}
		case <-a.files.Changed():
			told = a.status(ctx, link, c)
		case <-a.trouble.changed:
			if due == nil {
				due = time.After(troubleDelay)
			}
		case <-due:
			due = nil
			told = a.status(ctx, link, c)
		case <-tick.C:
			err := link.Deliver(ctx, func() ([]byte, error) {
				m := usage.metrics()
				m.Sources = c.take()
				return wire.AppendMetrics(nil, &m), nil
			})
			if err != nil { // the next report has it
				a.cfg.Log.Debug("metrics_not_delivered", "reason", err.Error())
			}
			c.settle(err == nil)
		}
	}
}

// status tells the server what an agent says of itself while it is connected, and returns whether the server has it.
func (a *Agent) status(ctx context.Context, link *uplink.Link, c *counter) bool {
	err := link.Deliver(ctx, func() ([]byte, error) {
		return wire.AppendLink(nil, wire.LinkStatus, wire.StatusUpdate{Sources: c.sources(), Problem: a.trouble.text()})
	})
	if err != nil {
		a.cfg.Log.Debug("status_not_delivered", "reason", err.Error())
	}
	return err == nil
}

// removeJournal deletes the journal of a session that is over.
func (a *Agent) removeJournal(path string) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		a.cfg.Log.Warn("journal_remove_failed", "file", path, "reason", err.Error())
	}
}
