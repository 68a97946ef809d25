package agent

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/spilelog/spile/internal/uplink"
	"github.com/spilelog/spile/wire"
)

// report tells the server of counts once an interval and of the sources when they change. One message waits until the
// one before is taken, since the counts refer to the list of sources that was told last.
func (a *Agent) report(ctx context.Context, link *uplink.Link, c *counter) error {
	tick := time.NewTicker(a.cfg.MetricsInterval)
	defer tick.Stop()
	usage := newUsage(a.cfg.Data)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-a.files.Changed():
			msg, err := wire.AppendLink(nil, wire.LinkStatus, wire.StatusUpdate{Sources: c.sources()})
			if err == nil {
				err = link.Deliver(ctx, msg)
			}
			if err != nil { // the next connection's hello tells the same
				a.cfg.Log.Debug("status_not_delivered", "reason", err.Error())
			}
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

// removeJournal deletes the journal of a session that is over.
func (a *Agent) removeJournal(path string) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		a.cfg.Log.Warn("journal_remove_failed", "file", path, "reason", err.Error())
	}
}
