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
func (a *Agent) report(ctx context.Context, link *uplink.Link, c *counter) error {
	tick := time.NewTicker(a.cfg.MetricsInterval)
	defer tick.Stop()
	usage := newUsage(a.cfg.Data)
	var due <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-a.files.Changed():
			a.status(ctx, link, c)
		case <-a.trouble.changed:
			if due == nil {
				due = time.After(troubleDelay)
			}
		case <-due:
			due = nil
			a.status(ctx, link, c)
		case <-tick.C:
			if !link.Up() {
				continue
			}
			m := usage.metrics()
			m.Sources = c.take()
			err := link.Deliver(ctx, wire.AppendMetrics(nil, &m))
			if err != nil { // the next report has it
				a.cfg.Log.Debug("metrics_not_delivered", "reason", err.Error())
			}
			c.settle(err == nil)
		}
	}
}

// status tells the server what an agent says of itself while it is connected.
func (a *Agent) status(ctx context.Context, link *uplink.Link, c *counter) {
	msg, err := wire.AppendLink(nil, wire.LinkStatus, wire.StatusUpdate{
		Sources: c.sources(), Problem: a.trouble.text(),
	})
	if err == nil {
		err = link.Deliver(ctx, msg)
	}
	if err != nil { // the next connection's hello tells the same
		a.cfg.Log.Debug("status_not_delivered", "reason", err.Error())
	}
}

// removeJournal deletes the journal of a session that is over.
func (a *Agent) removeJournal(path string) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		a.cfg.Log.Warn("journal_remove_failed", "file", path, "reason", err.Error())
	}
}
