package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/time/rate"
	"pgregory.net/rapid"

	"github.com/spilelog/spile/agent/source"
	"github.com/spilelog/spile/wire"
)

// memLine is one line of a place in memory.
type memLine struct {
	from, to int64 // with the newline
	hit      bool
	skipped  bool // no context reaches across
}

// memPlace is one life of one file in memory.
type memPlace struct {
	id     uint64
	path   string
	inode  uint64
	data   []byte
	lines  []memLine
	sealed bool
	begin  int64   // where the session began
	walls  []int64 // what was held before these offsets was let go
}

// write adds a line.
func (p *memPlace) write(text string, newline bool) {
	l := memLine{from: int64(len(p.data)), hit: strings.Contains(text, "hit")}
	p.data = append(p.data, text...)
	if newline {
		p.data = append(p.data, '\n')
	}
	l.to = int64(len(p.data))
	p.lines = append(p.lines, l)
}

// lineAt is the index of the line that begins at an offset, the number of lines at the end.
func (p *memPlace) lineAt(offset int64) int {
	i := slices.IndexFunc(p.lines, func(l memLine) bool { return l.from >= offset })
	if i < 0 {
		return len(p.lines)
	}
	return i
}

// position names the place at an offset.
func (p *memPlace) position(offset int64) source.Position {
	return source.Position{
		Source: "app", Path: p.path, Inode: p.inode, Print: p.id, PrintLen: int(min(offset, 64)) + 1, Offset: offset,
	}
}

// memFiles is a source in memory.
type memFiles struct {
	source.Source // what a session does not use
	places        []*memPlace
	draw          func(name string, least, most int) int
	chance        *rand.Rand // for what happens more or less often with time
	last          *memReader
}

// ReadRange implements [source.Source].
func (m *memFiles) ReadRange(at source.Position, from, to int64) ([]byte, error) {
	for _, p := range m.places {
		if p.id == at.Print && p.path == at.Path && to <= int64(len(p.data)) {
			return slices.Clone(p.data[from:to]), nil
		}
	}
	return nil, source.ErrGone
}

// Open implements [source.Source].
func (m *memFiles) Open(_ context.Context, start source.Start) (source.Reader, error) {
	r := &memReader{files: m}
	for _, p := range m.places {
		c := &memCursor{place: p, off: p.begin, end: int64(len(p.data))}
		if start.Resume != nil {
			for _, at := range start.Resume {
				if at.Print == p.id {
					c.off = max(c.off, at.Offset) // by several names, the file was moved
				} else if at.Path == p.path && at.Print > p.id {
					c.done = true
				}
			}
			named := slices.ContainsFunc(start.Resume, func(at source.Position) bool { return at.Print == p.id })
			if c.done = c.done && !named; c.done {
				c.off = int64(len(p.data))
			}
		}
		r.cursors = append(r.cursors, c)
	}
	m.last = r
	return r, nil
}

// memCursor is where a reader stands.
type memCursor struct {
	place *memPlace
	off   int64
	end   int64
	done  bool // all was read
}

// readable is how many lines can be read.
func (c *memCursor) readable() int { return len(c.place.lines) - c.place.lineAt(c.off) }

// memReader reads a source in memory, a few lines of any path at a time.
type memReader struct {
	files   *memFiles
	cursors []*memCursor
	block   source.Block
}

// Next implements [source.Reader].
func (r *memReader) Next() (*source.Block, error) {
	var ready []*memCursor
	busy := map[string]bool{}
	for _, c := range r.cursors {
		if c.done || busy[c.place.path] {
			continue
		}
		if c.readable() > 0 {
			ready = append(ready, c)
			busy[c.place.path] = true
		} else if c.place.sealed {
			c.done = true
		}
	}
	if len(ready) == 0 {
		return nil, source.ErrDry
	}
	c := ready[r.files.chance.IntN(len(ready))]
	p := c.place
	first := p.lineAt(c.off)
	last := first + r.files.chance.IntN(min(c.readable(), 12))
	r.block = source.Block{Source: "app", Path: p.path, Place: p.id, At: p.position(c.off), From: c.off}
	for i := first; i <= last; i++ {
		if l := p.lines[i]; l.to-l.from > wire.MaxLine+1 {
			last = max(i-1, first)
		}
	}
	r.block.To = p.lines[last].to
	r.block.Data = slices.Clone(p.data[c.off:r.block.To])
	if len(r.block.Data) > wire.MaxLine+1 && first == last {
		r.block.CutFrom = int64(len(strings.TrimSuffix(string(r.block.Data), "\n")))
		r.block.Data = r.block.Data[:wire.MaxLine]
	}
	c.off = r.block.To
	return &r.block, nil
}

func (r *memReader) Ready() <-chan struct{} { return nil }
func (r *memReader) Close() error           { return nil }

func (r *memReader) Positions() iter.Seq[source.Position] {
	return func(yield func(source.Position) bool) {
		for _, c := range r.cursors {
			if !c.done && !yield(c.place.position(c.off)) {
				return
			}
		}
	}
}

func (r *memReader) Backlog() (sum int64) {
	for _, c := range r.cursors {
		sum += int64(len(c.place.data)) - c.off
	}
	return sum
}

func (r *memReader) HistoryDone() bool {
	return !slices.ContainsFunc(r.cursors, func(c *memCursor) bool { return c.off < c.end })
}

// SkipToEnd implements [source.Reader].
func (r *memReader) SkipToEnd() (skipped []source.Block) {
	for _, c := range r.cursors {
		p := c.place
		end := int64(len(p.data))
		if c.done || c.off == end {
			continue
		}
		skipped = append(skipped, source.Block{
			Source: "app", Path: p.path, Place: p.id, At: p.position(c.off), From: c.off, To: end,
			Gap: &source.Gap{Source: "app", Path: p.path, Bytes: end - c.off, Reason: wire.ReasonLagging},
		})
		for i := p.lineAt(c.off); i < len(p.lines); i++ {
			p.lines[i].skipped = true
		}
		c.off = end
	}
	return skipped
}

// want is what grep finds in the lines that were read, by where they begin; true for those that do not match. With lead
// lines before the beginning are found as context.
func (p *memPlace) want(c wire.Context, lead bool) (lines []memFrame, seen int) {
	context := map[int]bool{}
	first := p.lineAt(p.begin)
	for i, l := range p.lines {
		if i < first || l.skipped {
			continue
		}
		seen++
		if !l.hit {
			continue
		}
		for j := i - 1; j >= max(i-c.Before, 0) && !p.lines[j].skipped && (j >= first || lead); j-- {
			if slices.ContainsFunc(p.walls, func(w int64) bool { return p.lines[j].to <= w && w <= l.from }) {
				break
			}
			if _, sent := context[j]; !sent {
				context[j] = true
			}
		}
		context[i] = false
		for j := i + 1; j <= min(i+c.After, len(p.lines)-1) && !p.lines[j].skipped; j++ {
			context[j] = true
		}
	}
	for i, l := range p.lines {
		if x, ok := context[i]; ok {
			lines = append(lines, memFrame{p.path, l.from, x, p.text(l)})
			if i < first {
				seen++
			}
		}
	}
	return lines, seen
}

// text is a line as a frame has it.
func (p *memPlace) text(l memLine) string {
	text := strings.TrimSuffix(string(p.data[l.from:l.to]), "\n")
	return strings.TrimSuffix(text[:min(len(text), wire.MaxLine)], "\r")
}

// memFrame is a frame as the test compares it.
type memFrame struct {
	Path    string
	From    int64
	Context bool
	Text    string
}

// memServer is the other end of a link in memory.
type memServer struct {
	t        *rapid.T
	dec      *zstd.Decoder
	full     bool // the link's queue is
	item     uint64
	covered  uint64 // events up to here came or were told as dropped
	acked    uint64
	events   map[uint64]string
	accounts wire.AgentAccounts
}

// SendJSON takes a report.
func (m *memServer) SendJSON(_ wire.LinkKind, body any) bool {
	if m.full {
		return false
	}
	m.check(body.(wire.Report).Accounts)
	return true
}

// check looks at the accounts as they stand.
func (m *memServer) check(a wire.AgentAccounts) {
	if !a.Closes() || a.Seen > 1<<40 || a.Filtered > 1<<40 || a.Pending > 1<<40 {
		m.t.Fatalf("accounts %+v", a)
	}
	m.accounts = a
}

// Send implements uplink.Sender.
func (m *memServer) Send(msg []byte) bool {
	if m.full {
		return false
	}
	kind, body, err := wire.SplitLink(msg)
	if err != nil {
		m.t.Fatal(err)
	}
	if kind == wire.LinkGap {
		var g wire.GapItem
		if err := json.Unmarshal(body, &g); err != nil {
			m.t.Fatal(err)
		}
		if m.next(g.Item) && g.Gap.Unit == wire.UnitEvents {
			m.cover(g.Gap.From, g.Gap.Count)
		}
		return true
	}
	b, err := wire.ParseBatch(body)
	if err != nil {
		m.t.Fatal(err)
	}
	frames, err := m.dec.DecodeAll(b.Block, nil)
	if err != nil {
		m.t.Fatal(err)
	}
	fresh := m.next(b.Item)
	if fresh {
		m.cover(b.First, b.Count)
	}
	m.keep(b.First, string(frames), fresh)
	return true
}

// next notes an item and says whether it is a new one.
func (m *memServer) next(item uint64) bool {
	if item > m.item+1 {
		m.t.Fatalf("item %d after %d", item, m.item)
	}
	fresh := item > m.item
	m.item = max(m.item, item)
	return fresh
}

// cover notes numbers that came.
func (m *memServer) cover(first, count uint64) {
	if first != m.covered+1 {
		m.t.Fatalf("event %d after %d", first, m.covered)
	}
	m.covered += count
}

// keep keeps frames; those that came before must be as they were.
func (m *memServer) keep(first uint64, frames string, fresh bool) {
	for line := range strings.Lines(frames) {
		if fresh {
			m.events[first] = line
		} else if m.events[first] != line {
			m.t.Fatalf("event %d: %s, was %s", first, line, m.events[first])
		}
		first++
	}
}

// frames are all that came, in order.
func (m *memServer) frames() (out []memFrame) {
	for seq := uint64(1); seq <= m.covered; seq++ {
		line, ok := m.events[seq]
		if !ok {
			continue
		}
		var log wire.Log
		var at struct {
			File string `json:"file"`
			From int64  `json:"offset"`
			To   int64  `json:"end_offset"`
		}
		if err := json.Unmarshal([]byte(line), &log); err != nil {
			m.t.Fatal(err)
		}
		if err := json.Unmarshal(log.Metadata, &at); err != nil {
			m.t.Fatal(err)
		}
		out = append(out, memFrame{at.File, at.From, log.Context, log.Message})
	}
	return out
}

// contextModel drives a session with context over files in memory, without any goroutine but its own.
type contextModel struct {
	t       *rapid.T
	agent   *Agent
	files   *memFiles
	server  *memServer
	session *session
	desired wire.DesiredSession
	lines   int
	cut     int // lines longer than the longest that is kept
	// copies says that a file may have a second life. Not with deaths: their marks do not tell lives of one file apart.
	copies bool
}

// open opens the session, again after a death.
func (m *contextModel) open() {
	s, err := m.agent.openSession(context.Background(), m.desired, "agent")
	if err != nil {
		m.t.Fatal(err)
	}
	s.link, s.log = m.server, m.agent.cfg.Log
	m.session = s
	s.wanted = true
	s.announce()
	m.ack()
}

// ack acknowledges what came, or a part of it.
func (m *contextModel) ack() {
	m.server.acked += m.files.chance.Uint64N(m.server.item - m.server.acked + 1)
	credit := 1 + m.files.chance.Uint64N(2)<<20
	m.session.out.Ack(wire.Ack{Epoch: 1, Item: m.server.acked, Credit: credit, Attached: true})
}

// check looks at the accounts, and at what is held.
func (m *contextModel) check() {
	m.server.check(m.session.out.Accounts())
	held := 0
	for _, pl := range m.session.pipe.places {
		held += pl.near.bytes
	}
	if a := m.session.pipe.around; held != a.bytes || held > heldBytes {
		m.t.Fatalf("%d bytes held, counted as %d", held, a.bytes)
	}
}

// write adds lines to a file, or begins another one in its place.
func (m *contextModel) write(lives bool) {
	draw := m.files.draw
	path := fmt.Sprintf("/log/%d", draw("path", 0, 2))
	i := len(m.files.places) - 1
	for i >= 0 && m.files.places[i].path != path {
		i--
	}
	if lives && (i < 0 || draw("new life", 0, 9) == 0) {
		p := &memPlace{id: uint64(len(m.files.places) + 1), path: path, inode: uint64(len(m.files.places) + 1)}
		if i >= 0 {
			old := m.files.places[i]
			if draw("unfinished", 0, 1) == 1 {
				old.write("last "+m.line(), false)
			}
			old.sealed = true
			if m.copies && draw("copied", 0, 1) == 1 {
				p.inode = old.inode
			}
		}
		m.files.places = append(m.files.places, p)
		if m.files.last != nil {
			m.files.last.cursors = append(m.files.last.cursors, &memCursor{place: p})
		}
		i = len(m.files.places) - 1
	}
	for range draw("lines written", 1, 12) {
		m.files.places[i].write(m.line(), true)
	}
}

// line makes a line.
func (m *contextModel) line() string {
	m.lines++
	draw := m.files.draw
	text := fmt.Sprintf("line %d", m.lines)
	switch kind := draw("kind", 0, 40); {
	case kind == 40 && m.cut < 3:
		m.cut++
		text += strings.Repeat("x", wire.MaxLine)
		if draw("cut hit", 0, 1) == 1 {
			text = "hit " + text
		}
	case kind > 36:
		return ""
	case kind < 7:
		text = "hit " + text
	}
	if draw("crlf", 0, 5) == 0 {
		text += "\r"
	}
	return text
}

// step lets the session and the server do something.
func (m *contextModel) step(what string) {
	s := m.session
	switch what {
	case "write":
		m.write(true)
	case "step":
		for range m.files.draw("steps", 1, 8) {
			if !s.step() {
				break
			}
			m.check()
		}
	case "ack":
		m.ack()
	case "tick":
		s.tick()
	case "flush":
		s.sealed = s.sealed.Add(-flushGap)
		s.dry()
	case "full":
		m.server.full = !m.server.full
	case "limit":
		s.limit = rate.NewLimiter(rate.Limit(1e-9), m.files.draw("burst", 1, 20))
	case "unlimited":
		s.limit = nil
	case "rewrite":
		if s.block == nil {
			s.out.Seal()
			s.out.Rewrite(s.marks())
		}
	case "pause":
		s.pause()
		m.move()
		m.open()
	case "kill":
		m.move()
		m.open()
	case "forget":
		if s.block == nil {
			s.letAllGo()
			s.pipe.forget()
			for _, c := range m.files.last.cursors {
				c.place.walls = append(c.place.walls, c.off)
			}
		}
	case "skip":
		s.lag.written = slices.Repeat([]int64{s.pipe.bytes + 1}, lagSamples)
		if s.block == nil {
			s.skipLag()
		}
	}
	m.check()
}

// move puts what a file had into another one, as a copy or a compression does.
func (m *contextModel) move() {
	for _, p := range m.files.places {
		if p.sealed && m.files.chance.IntN(4) == 0 {
			p.inode += 1000
		}
	}
}

// settle reads and sends all.
func (m *contextModel) settle() {
	s := m.session
	m.server.full, s.limit = false, nil
	for s.block != nil || m.files.last.Backlog() > 0 && m.unread() {
		s.step()
		m.check()
		m.server.acked = m.server.item
		s.out.Ack(wire.Ack{Epoch: 1, Item: m.server.acked, Credit: wire.WindowBytes, Attached: true})
		s.out.Pump(s.link)
	}
	s.flush()
	s.out.CloseGap()
	m.server.acked = m.server.item
	s.out.Ack(wire.Ack{Epoch: 1, Item: m.server.acked, Credit: wire.WindowBytes, Attached: true})
	s.flush()
}

// unread says whether there is a whole line to read.
func (m *contextModel) unread() bool {
	return slices.ContainsFunc(m.files.last.cursors, func(c *memCursor) bool { return !c.done && c.readable() > 0 })
}

// modelFolder is a data folder for sessions.
func modelFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, sessionFolder), 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// newContextModel is a session that is not open yet.
func newContextModel(t *rapid.T, dir string, d wire.DesiredSession) *contextModel {
	m := &contextModel{t: t, desired: d, server: &memServer{t: t, events: map[uint64]string{}}}
	m.files = &memFiles{
		draw: func(name string, least, most int) int { return rapid.IntRange(least, most).Draw(t, name) },
	}
	m.files.chance = rand.New(rand.NewPCG(uint64(m.files.draw("chance", 0, 1<<20)), 0))
	var err error
	if m.server.dec, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.server.dec.Close)
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	m.agent = &Agent{
		cfg:  Config{Data: dir, MaxSession: wire.MaxTimeout, Log: slog.New(slog.DiscardHandler)},
		host: "host", files: m.files, encoder: enc, trouble: newTrouble(),
	}
	return m
}

// TestContextModel holds a session with context against grep, line by line: with cut and empty lines, files that are
// rotated, copied and read in turn, a link that is full, credit and rate that run out, deaths at any moment.
func TestContextModel(t *testing.T) {
	dir := modelFolder(t)
	sessions := 0
	rapid.Check(t, func(rt *rapid.T) {
		sessions++
		number := func(name string, least, most int) int { return rapid.IntRange(least, most).Draw(rt, name) }
		c := wire.Context{Before: number("before", 0, 4)}
		c.After = number("after", 1-min(c.Before, 1), 4)
		m := newContextModel(rt, dir, wire.DesiredSession{
			ID: fmt.Sprintf("sess_%d", sessions), RemainingMS: 60_000, Context: c, Filters: wire.Filters{Pattern: "hit"},
			Mode: rapid.SampledFrom([]wire.Mode{wire.ModeComplete, wire.ModeLive}).Draw(rt, "mode"),
			Raw:  number("raw", 0, 1) == 1, Tail: number("tail", 0, 1),
		})
		steps := []string{"write", "write", "step", "step", "step", "ack", "tick", "flush", "full", "limit", "unlimited", "rewrite"}
		deaths := number("deaths", 0, 1) == 1
		m.copies = !deaths
		for range number("files", 0, 3) {
			m.write(true)
		}
		if deaths {
			steps = append(steps, "pause", "kill", "kill")
		} else {
			steps = append(steps, "forget", "skip")
			for _, p := range m.files.places {
				if m.cut == 0 { // a session looks back only as far as one long line
					p.begin = p.lines[number("begin", 0, len(p.lines)-1)].from
				}
			}
		}
		m.open()
		for range number("rounds", 1, 40) {
			m.step(rapid.SampledFrom(steps).Draw(rt, "what"))
		}
		m.settle()
		m.compare(c, !deaths)
	})
}

// TestContextAfterSkip skips what a session lags behind with, after a file was read whose first match is still to come.
func TestContextAfterSkip(t *testing.T) {
	dir := modelFolder(t)
	sessions := 0
	rapid.Check(t, func(rt *rapid.T) {
		sessions++
		c := wire.Context{Before: 3}
		m := newContextModel(rt, dir, wire.DesiredSession{
			ID: fmt.Sprintf("sess_%d", sessions), RemainingMS: 60_000, Context: c, Filters: wire.Filters{Pattern: "hit"},
			Mode: wire.ModeLive,
		})
		p := &memPlace{id: 1, path: "/log/0", inode: 1}
		p.write("old", true)
		p.begin = int64(len(p.data))
		p.write("new", true)
		m.files.places = []*memPlace{p}
		m.open()
		for m.session.step() {
		}
		m.step("skip")
		p.write("hit", true)
		m.settle()
		m.compare(c, true)
	})
}

// truncated is how many lines were cut.
func (m *contextModel) truncated() (n uint64) {
	for _, p := range m.files.places {
		for _, l := range p.lines {
			if !l.skipped && l.to-l.from > wire.MaxLine+1 {
				n++
			}
		}
	}
	return n
}

// compare holds what came against grep.
func (m *contextModel) compare(c wire.Context, lead bool) {
	m.session.finish("stopped")
	a := m.session.last.Accounts
	m.server.check(a)
	if cut := m.truncated(); a.TruncatedLines != cut {
		m.t.Fatalf("%d truncated lines, want %d", a.TruncatedLines, cut)
	}
	want, got := map[string][]memFrame{}, map[string][]memFrame{}
	wanted, seen := 0, 0
	for _, p := range m.files.places {
		lines, n := p.want(c, lead)
		want[p.path] = append(want[p.path], lines...)
		wanted += len(lines)
		seen += n
	}
	for _, f := range m.server.frames() {
		got[f.Path] = append(got[f.Path], f)
	}
	var dropped int
	for _, n := range a.Dropped {
		dropped += int(n)
	}
	for path := range want {
		if diff := cmp.Diff(want[path], got[path]); diff != "" && dropped == 0 {
			m.t.Fatal(diff)
		}
	}
	if int(a.Seen) != seen || int(a.Sent)+dropped != wanted || a.Pending != 0 || int(m.server.covered) != wanted {
		m.t.Fatalf("accounts %+v, %d covered; want %d seen, %d numbered", a, m.server.covered, seen, wanted)
	}
	for path, frames := range got {
		all := want[path]
		for _, f := range frames {
			i := slices.Index(all, f)
			if i < 0 {
				m.t.Fatalf("%+v is not wanted, or out of order", f)
			}
			all = all[i+1:]
		}
	}
}
