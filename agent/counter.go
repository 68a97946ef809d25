package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/spilelog/spile/agent/source"
	"github.com/spilelog/spile/internal/durable"
	"github.com/spilelog/spile/internal/parse"
	"github.com/spilelog/spile/wire"
)

const (
	// checkpointEvery is how often a checkpoint is written while lines come. It costs nothing in exactness, only the
	// bytes that are read once more after a death.
	checkpointEvery = 10 * time.Second
	// checkpointRate bounds the bytes a second that checkpoints of very many files write.
	checkpointRate = 256 << 10
	// maxRestored bounds the sources whose counts are taken from a checkpoint.
	maxRestored = 1000
	// manyPositions is from how many positions on, which are held while a reader goes on from them, garbage is collected
	// after a growth of collectOften percent: they are a large part of all that the agent ever holds.
	manyPositions = 20_000
	collectOften  = 15
)

// counter counts the lines, bytes and levels of every source by byte scan. It goes on where the checkpoint of an
// earlier process stood, or begins at now where there is none.
//
// Positions and counts are written together, so that nothing is counted twice or left out by a death at any moment,
// with one exception: a report whose fate nobody knows. When the connection or the agent dies while it is under way, or
// the agent before the checkpoint behind it is written, what it held is reported again. Nothing is left out that is
// still there to be read, but for what is written while the agent is down after its disk was full (see failed).
type counter struct {
	files source.Source
	// told is told how writing the checkpoint goes: of the first failure, and with nil when it is written again.
	told  func(error)
	globs []string
	path  string // of the checkpoint
	log   *slog.Logger
	every time.Duration
	taken chan struct{} // capacity one, never closed: a report was taken

	// These belong to run, and to finish after it.
	reader   source.Reader
	failures int // in a row, of writing the checkpoint
	gaps     int // since they were told
	lost     int64

	mu       sync.Mutex
	counts   map[string]*wire.SourceCount // by source, since the last report
	underway map[string]*wire.SourceCount // in a report that the server has not taken yet
	names    []string                     // the sources as the server knows them; a count's index points here
	changes  uint64                       // of any of this, since the start
	saved    uint64                       // of them, those that the checkpoint on the disk knows
	// reported is the last of them by which the server took a report, or 0 where no checkpoint is left that could
	// contradict it. One that is beyond saved makes the checkpoint on the disk wrong.
	reported uint64
}

// newCounter makes a counter; it counts while run runs.
func (a *Agent) newCounter() *counter {
	c := &counter{
		files: a.files, told: a.trouble.checkpointed, path: filepath.Join(a.cfg.Data, checkpointFile), log: a.cfg.Log,
		every: checkpointEvery, taken: make(chan struct{}, 1),
		counts: map[string]*wire.SourceCount{}, underway: map[string]*wire.SourceCount{},
	}
	for _, spec := range a.cfg.Files {
		c.globs = append(c.globs, spec.Glob)
	}
	return c
}

// run counts until ctx ends. The caller calls finish when nobody reports any more.
func (c *counter) run(ctx context.Context) error {
	if err := c.open(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	c.save()
	debug.FreeOSMemory() // to take stock of very many files takes more than to follow them
	timer := time.NewTimer(c.every)
	defer timer.Stop()
	more := make(chan struct{})
	close(more)
	for {
		ready := (<-chan struct{})(more)
		block, err := c.reader.Next()
		switch {
		case err == nil:
			c.count(block)
		case errors.Is(err, source.ErrDry):
			ready = c.reader.Ready()
		default:
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ready:
		case <-timer.C:
			c.tellGaps()
			timer.Reset(c.save())
		case <-c.taken:
			c.save()
		}
	}
}

// finish writes the last checkpoint and lets the files go. Run has returned, and nobody takes counts any more.
func (c *counter) finish() {
	if c.reader == nil {
		return
	}
	c.tellGaps()
	c.mu.Lock()
	c.changes++
	c.mu.Unlock()
	c.save()
	_ = c.reader.Close()
}

// open opens the reader where the checkpoint left off, or at now.
func (c *counter) open(ctx context.Context) error {
	start := source.Start{}
	cp, err := loadCheckpoint(c.path)
	switch {
	case err == nil:
		c.restore(cp.head.Counts)
		if len(cp.positions) > manyPositions && os.Getenv("GOGC") == "" {
			defer debug.FreeOSMemory() // once the positions are let go, before anything else needs memory
			defer debug.SetGCPercent(debug.SetGCPercent(collectOften))
		}
		if start.Resume, err = c.resume(ctx, cp); err != nil {
			return err
		}
	case !errors.Is(err, fs.ErrNotExist):
		c.log.Warn("checkpoint_unreadable", "file", c.path, "reason", err.Error(), "counting_from", "now")
	}
	reader, err := c.files.Open(ctx, start)
	if err != nil {
		return fmt.Errorf("open counter: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reader = reader
	c.changes++
	return nil
}

// resume is where a reader goes on from a checkpoint. A file that is allowed no more is left out. One that was not
// allowed then begins at now: what it held before is not what was written since.
func (c *counter) resume(ctx context.Context, cp *checkpoint) ([]source.Position, error) {
	at := slices.DeleteFunc(cp.positions, func(p source.Position) bool { return !allowed(c.globs, p.Path) })
	if at == nil {
		at = []source.Position{}
	}
	if !slices.ContainsFunc(c.globs, func(g string) bool { return !slices.Contains(cp.head.Globs, g) }) {
		return at, nil
	}
	now, err := c.files.Open(ctx, source.Start{})
	if err != nil {
		return nil, fmt.Errorf("open counter: %w", err)
	}
	defer func() { _ = now.Close() }()
	for p := range now.Positions() {
		if !allowed(cp.head.Globs, p.Path) {
			at = append(at, p)
		}
	}
	return at, nil
}

// restore takes over the counts of an earlier process.
func (c *counter) restore(counts map[string]wire.SourceCount) {
	names := slices.Sorted(maps.Keys(counts))
	if len(names) > maxRestored {
		c.log.Warn("checkpoint_counts_dropped", "sources", len(names)-maxRestored, "limit", maxRestored)
		names = names[:maxRestored]
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, name := range names {
		one := counts[name]
		c.counts[name] = &one
	}
}

// count adds one block.
func (c *counter) count(b *source.Block) {
	if b.Gap != nil {
		c.gaps, c.lost = c.gaps+1, c.lost+b.Gap.Bytes
	}
	var lines parse.Counter
	lines.Count(b.Data)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changes++
	if len(b.Data) > 0 {
		add(c.counts, b.Source, &wire.SourceCount{Lines: lines.Lines, Bytes: uint64(b.To - b.From), Levels: lines.Levels})
	}
}

// add adds n to what is counted of a source.
func add(counts map[string]*wire.SourceCount, name string, n *wire.SourceCount) {
	sum := counts[name]
	if sum == nil {
		sum = &wire.SourceCount{}
		counts[name] = sum
	}
	sum.Lines += n.Lines
	sum.Bytes += n.Bytes
	for i := range sum.Levels {
		sum.Levels[i] += n.Levels[i]
	}
}

// tellGaps tells what could not be counted, once an interval at most.
func (c *counter) tellGaps() {
	if c.gaps > 0 {
		c.log.Warn("lines_not_counted", "places", c.gaps, "bytes_at_least", c.lost, "reason", "bytes are gone")
	}
	c.gaps, c.lost = 0, 0
}

// save writes a checkpoint if anything changed, and says when the next one is due.
func (c *counter) save() time.Duration {
	c.mu.Lock()
	upTo := c.changes
	if upTo == c.saved {
		c.mu.Unlock()
		return c.every
	}
	head := checkpointHead{Version: checkpointVersion, Globs: c.globs, Counts: map[string]wire.SourceCount{}}
	sums := map[string]*wire.SourceCount{}
	for _, counts := range []map[string]*wire.SourceCount{c.counts, c.underway} {
		for name, n := range counts {
			add(sums, name, n)
		}
	}
	for name, sum := range sums {
		head.Counts[name] = *sum
	}
	c.mu.Unlock()
	var size int64
	err := durable.Replace(c.path, func(w io.Writer) (err error) {
		size, err = writeCheckpoint(w, &head, c.reader.Positions())
		return err
	})
	if err != nil {
		c.failed(err, upTo)
	} else {
		c.written(upTo)
	}
	return max(c.every, time.Duration(size)*time.Second/checkpointRate)
}

// written is called when a checkpoint of the changes up to the given one is on the disk.
func (c *counter) written(upTo uint64) {
	if c.failures > 0 {
		c.log.Info("checkpoint_written_again", "file", c.path, "failures", c.failures)
		c.failures = 0
		c.told(nil)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.saved = upTo
}

// failed is called when a checkpoint of the changes up to the given one could not be written: counting goes on, and
// the next interval tries again. A checkpoint that is older than a report would make all that was reported since be
// counted twice, so it is removed, for which a full disk has room: then a death costs what is written until the next
// start.
func (c *counter) failed(err error, upTo uint64) {
	if c.failures++; c.failures == 1 {
		c.log.Warn("checkpoint_write_failed", "file", c.path, "reason", err.Error(), "next", "tried again")
		c.told(err)
	}
	c.mu.Lock()
	reported := c.reported
	c.mu.Unlock()
	if reported <= c.saved || reported > upTo {
		return
	}
	if err := durable.Remove(c.path); err != nil {
		c.log.Warn("checkpoint_remove_failed", "file", c.path, "reason", err.Error())
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reported == reported {
		c.reported = 0
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

// take returns what was counted of the sources that the server knows, and begins anew. The caller settles what became
// of it before it takes again.
func (c *counter) take() []wire.SourceCount {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []wire.SourceCount
	for i, name := range c.names {
		if sum := c.counts[name]; sum != nil {
			sum.Index = uint64(i)
			out = append(out, *sum)
			c.underway[name] = sum
			delete(c.counts, name)
		}
	}
	return out
}

// settle says whether the server has what was taken last; if not, it is counted in the next report.
func (c *counter) settle(delivered bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.underway) == 0 {
		return
	}
	if delivered {
		c.changes++
		c.reported = c.changes
		signal(c.taken)
	} else {
		for name, n := range c.underway {
			add(c.counts, name, n)
		}
	}
	clear(c.underway)
}
