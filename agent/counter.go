package agent

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"github.com/spilelog/spile/agent/source"
	"github.com/spilelog/spile/internal/parse"
	"github.com/spilelog/spile/internal/uplink"
	"github.com/spilelog/spile/wire"
)

// counter counts the lines, bytes and levels of every source, from the agent's start on, by byte scan.
type counter struct {
	files  source.Source
	places map[uint64]*parse.Counter // belongs to run

	mu     sync.Mutex
	counts map[string]*wire.SourceCount // by source, since the last report
	names  []string                     // the sources as the server knows them; a count's index points here
}

// newCounter makes a counter; it counts while run runs.
func newCounter(files source.Source) *counter {
	return &counter{files: files, places: map[uint64]*parse.Counter{}, counts: map[string]*wire.SourceCount{}}
}

// run counts until ctx ends.
func (c *counter) run(ctx context.Context) error {
	reader, err := c.files.Open(ctx, source.Start{})
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	defer func() { _ = reader.Close() }()
	for {
		block, err := reader.Next()
		if err == nil {
			c.count(block)
			if ctx.Err() == nil {
				continue
			}
		} else if !errors.Is(err, source.ErrDry) {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-reader.Ready():
		}
	}
}

// count adds one block.
func (c *counter) count(b *source.Block) {
	if len(b.Data) == 0 {
		return
	}
	if len(c.places) >= maxPlaces {
		clear(c.places)
	}
	one := c.places[b.Place]
	if one == nil {
		one = &parse.Counter{}
		c.places[b.Place] = one
	}
	before := *one
	one.Count(b.Data)
	c.mu.Lock()
	defer c.mu.Unlock()
	sum := c.counts[b.Source]
	if sum == nil {
		sum = &wire.SourceCount{}
		c.counts[b.Source] = sum
	}
	sum.Lines += one.Lines - before.Lines
	sum.Bytes += uint64(b.To - b.From)
	for i := range sum.Levels {
		sum.Levels[i] += one.Levels[i] - before.Levels[i]
	}
}

// sources lists the sources for the server and remembers the list, which the counts' indexes refer to.
func (c *counter) sources() []wire.Source {
	list := c.files.Sources()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.names = c.names[:0]
	for _, s := range list {
		c.names = append(c.names, s.Name)
	}
	return list
}

// take returns what was counted of the sources that the server knows, and begins anew.
func (c *counter) take() []wire.SourceCount {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []wire.SourceCount
	for i, name := range c.names {
		if sum := c.counts[name]; sum != nil {
			sum.Index = uint64(i)
			out = append(out, *sum)
			delete(c.counts, name)
		}
	}
	return out
}

// report tells the server of counts once an interval and of the sources when they change.
func (a *Agent) report(ctx context.Context, link *uplink.Link, c *counter) error {
	tick := time.NewTicker(a.cfg.MetricsInterval)
	defer tick.Stop()
	usage := newUsage(a.cfg.Data)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-a.files.Changed():
			link.SendJSON(wire.LinkStatus, wire.StatusUpdate{Sources: c.sources()})
		case <-tick.C:
			if !link.Up() {
				continue
			}
			m := usage.metrics()
			m.Sources = c.take()
			link.Send(wire.AppendMetrics(nil, &m))
		}
	}
}

// removeJournal deletes the journal of a session that is over.
func (a *Agent) removeJournal(path string) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		a.cfg.Log.Warn("journal_remove_failed", "file", path, "reason", err.Error())
	}
}
