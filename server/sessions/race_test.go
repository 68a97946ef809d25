package sessions

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/spilelog/spile/internal/fabric"
	"github.com/spilelog/spile/internal/store"
	"github.com/spilelog/spile/server/hub"
	"github.com/spilelog/spile/wire"
)

const (
	// raceRounds are the sessions whose end the race test brings about, raceBatch how many of them at the same moment.
	raceRounds = 10_000
	raceBatch  = 100
	// raceLength is how long each of them lasts, raceSpread in what time around its end everything happens.
	raceLength = wire.MinTimeout
	raceSpread = 2 * time.Millisecond
	// raceOver is when all is over: the grace for agents, for viewers to read, and for their sockets to close.
	raceOver = wire.EndGrace + 10*time.Second
)

// book is a store in memory.
type book struct {
	mu       sync.Mutex
	sessions map[string]store.Session
	byAgent  map[string]store.SessionAgent
}

func (b *book) AddSession(_ context.Context, s store.Session) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sessions[s.ID] = s
	b.byAgent[s.AgentID] = store.SessionAgent{SessionID: s.ID}
	return nil
}

func (b *book) SaveSession(_ context.Context, s store.Session) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sessions[s.ID] = s
	return nil
}

func (b *book) FindSession(_ context.Context, id string) (store.Session, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s, ok := b.sessions[id]
	if !ok {
		return s, store.ErrNotFound
	}
	return s, nil
}

func (b *book) AgentSessions(_ context.Context, agentID string) ([]store.SessionAgent, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return []store.SessionAgent{b.byAgent[agentID]}, nil
}

func (b *book) Sessions(context.Context, wire.Status, int) ([]store.Session, error) { return nil, nil }
func (b *book) TrimSessions(context.Context, int) error                             { return nil }
func (b *book) SaveEpoch(context.Context, string, string, uint64) error             { return nil }
func (b *book) SaveRefusal(context.Context, string, string, string) error           { return nil }

// arena is a server's manager and hub, with what they need.
type arena struct {
	t       *testing.T
	manager *Manager
	hub     *hub.Hub
	fabric  *fabric.Memory
	encoder *zstd.Encoder
}

// newArena makes one; stop ends it.
func newArena(t *testing.T) (a *arena, stop func()) {
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(zstd.MinWindowSize))
	if err != nil {
		t.Fatal(err)
	}
	a = &arena{t: t, fabric: fabric.NewMemory(), encoder: encoder}
	a.hub = hub.New(hub.Options{Fabric: a.fabric, RingBytes: 64 << 10})
	a.manager = New(Options{
		Store: &book{sessions: map[string]store.Session{}, byAgent: map[string]store.SessionAgent{}}, Agents: &world{},
		Streams: a.hub, Publish: a.fabric, Check: func(wire.Filters) error { return nil },
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.manager.Run(ctx) }()
	return a, func() {
		cancel()
		if err := errors.Join(<-done, a.hub.Close(), a.fabric.Close()); err != nil {
			t.Error(err)
		}
	}
}

// raceAgent is an agent with one session, as its link and the agent itself behave together.
type raceAgent struct {
	arena *arena
	uuid  [16]byte
	id    string
	sub   fabric.Subscription

	mu        sync.Mutex
	session   string // "" until it was desired
	timer     *time.Timer
	connected bool
	closed    bool
	items     [][]byte
	seq       uint64
	accounts  wire.AgentAccounts
}

// join makes an agent that is connected.
func (a *arena) join(n int) *raceAgent {
	g := &raceAgent{arena: a, connected: true, seq: 1}
	binary.BigEndian.PutUint64(g.uuid[8:], uint64(n)+1)
	g.id = wire.FormatUUID(g.uuid)
	g.accounts.Dropped, g.accounts.LostBytes = map[string]uint64{}, map[string]uint64{}
	sub, err := a.fabric.Subscribe("agent."+g.id+".ctl", 16, func([]byte) []byte {
		g.reconcile()
		return nil
	})
	if err != nil {
		a.t.Fatal(err)
	}
	g.sub = sub
	return g
}

// reconcile opens the session when it is desired, and closes it when it is not any more.
func (g *raceAgent) reconcile() {
	list, err := g.arena.manager.Desired(context.Background(), g.id)
	if err != nil {
		g.arena.t.Error(err)
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case !g.connected || g.closed:
	case len(list) == 0 && g.session != "":
		g.closeLocked()
	case len(list) == 1 && g.session == "":
		g.session = list[0].ID
		g.timer = time.AfterFunc(time.Duration(list[0].RemainingMS)*time.Millisecond, g.expire)
		g.reportLocked(wire.ReportOpen)
	}
}

// expire is the agent's own timer.
func (g *raceAgent) expire() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closeLocked()
}

// closeLocked ends the session at the agent: what was not sent is announced, and the last word said.
func (g *raceAgent) closeLocked() {
	if g.closed || g.session == "" {
		return
	}
	g.closed = true
	g.timer.Stop()
	g.accounts.Seen++
	g.accounts.Dropped[wire.ReasonSessionEnd]++
	g.itemLocked(wire.LinkGap, wire.GapItem{
		Session: g.session, Epoch: 1, Item: uint64(len(g.items)) + 1, Gap: wire.Control{
			Type: "control", Event: wire.EventGap, From: g.seq, To: g.seq, Count: 1, Unit: wire.UnitEvents,
			Reason: wire.ReasonSessionEnd,
		},
	})
	g.seq++
	g.reportLocked(wire.ReportClosed)
}

// write sends some events, unless the session is over here.
func (g *raceAgent) write(count uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed || g.session == "" {
		return
	}
	var frames []byte
	for seq := g.seq; seq < g.seq+count; seq++ {
		frames = fmt.Appendf(frames, `{"type":"log","message":"m","agent":"%s","epoch":1,"seq":%d}`+"\n", g.id, seq)
	}
	msg := wire.AppendBatch(nil, &wire.Batch{
		Session: g.session, Epoch: 1, Item: uint64(len(g.items)) + 1, First: g.seq, Count: count,
		RawSize: uint64(len(frames)), Block: g.arena.encoder.EncodeAll(frames, nil),
	})
	g.seq += count
	g.accounts.Seen += count
	g.accounts.Sent += count
	g.keepLocked(msg)
}

// itemLocked keeps and sends an item with a JSON body, reportLocked a report.
func (g *raceAgent) itemLocked(kind wire.LinkKind, body any) {
	msg, err := wire.AppendLink(nil, kind, body)
	if err != nil {
		g.arena.t.Error(err)
	}
	g.keepLocked(msg)
}

func (g *raceAgent) keepLocked(msg []byte) {
	g.items = append(g.items, msg)
	g.sendLocked(msg)
}

func (g *raceAgent) reportLocked(state wire.ReportState) {
	accounts := g.accounts
	accounts.Dropped = maps.Clone(accounts.Dropped)
	msg, err := wire.AppendLink(nil, wire.LinkReport, wire.Report{
		Session: g.session, State: state, Epoch: 1, NextItem: 1, NextSeq: 1, Accounts: accounts,
	})
	if err != nil {
		g.arena.t.Error(err)
	}
	g.sendLocked(msg)
}

// sendLocked passes a message on as the link does, while there is one.
func (g *raceAgent) sendLocked(msg []byte) {
	if !g.connected {
		return
	}
	data := append(g.uuid[:len(g.uuid):len(g.uuid)], msg...)
	if err := g.arena.fabric.Publish("session."+g.session+".data", data); err != nil {
		g.arena.t.Error(err)
	}
}

// disconnect cuts the link; connect brings it back: everything is sent again, and the last word said again.
func (g *raceAgent) disconnect() {
	g.mu.Lock()
	defer g.mu.Unlock()
	msg, err := wire.AppendLink(nil, wire.LinkStatus, hub.Presence{Status: wire.StreamUnreachable})
	if err != nil {
		g.arena.t.Error(err)
	}
	g.sendLocked(msg)
	g.connected = false
}

func (g *raceAgent) connect() {
	list, err := g.arena.manager.Desired(context.Background(), g.id)
	if err != nil {
		g.arena.t.Error(err)
	}
	g.mu.Lock()
	g.connected = true
	switch {
	case len(list) == 0:
		// What it says of a session that is not desired is not listened to.
	case g.closed:
		g.reportLocked(wire.ReportClosed)
	default:
		g.reportLocked(wire.ReportOpen)
		for _, msg := range g.items {
			g.sendLocked(msg)
		}
	}
	g.mu.Unlock()
	g.reconcile() // also of what happened since the list was made
}

// raceViewer is one viewer over NDJSON.
type raceViewer struct {
	header http.Header
	body   bytes.Buffer // belongs to the stream until done is closed
	leave  context.CancelFunc
	left   bool // it went by itself
	done   chan struct{}
}

func (v *raceViewer) Header() http.Header              { return v.header }
func (v *raceViewer) WriteHeader(int)                  {}
func (v *raceViewer) Flush()                           {}
func (v *raceViewer) SetWriteDeadline(time.Time) error { return nil }
func (v *raceViewer) Write(p []byte) (int, error)      { return v.body.Write(p) }

// watch attaches a viewer.
func (a *arena) watch(session string, all bool) *raceViewer {
	ctx, cancel := context.WithCancel(a.t.Context())
	v := &raceViewer{header: http.Header{}, leave: cancel, done: make(chan struct{})}
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
	go func() {
		defer close(v.done)
		defer cancel()
		a.hub.ServeNDJSON(v, r, session, hub.View{AllEvents: all, FromStart: true})
	}()
	return v
}

// round is one session with its agent and its viewers.
type round struct {
	id      string
	agent   *raceAgent
	viewers []*raceViewer
	cut     bool // the link breaks, so that what the agent said last may be lost
}

// begin starts a session and lets a viewer watch it, or two.
func (a *arena) begin(n int) *round {
	g := a.join(n)
	seconds := int(raceLength / time.Second)
	s, _, err := a.manager.Start(a.t.Context(), wire.StartRequest{AgentID: g.id, TimeoutSeconds: &seconds}, "x")
	if err != nil {
		a.t.Fatal(err)
	}
	r := &round{id: s.ID, agent: g, viewers: []*raceViewer{a.watch(s.ID, n%3 > 0)}}
	if n%2 == 0 {
		r.viewers = append(r.viewers, a.watch(s.ID, false))
	}
	g.write(3)
	return r
}

// end lets everything that may end the session happen at nearly the same moment, which is now plus raceSpread.
func (r *round) end(a *arena, random *rand.Rand) {
	at := func(do func()) { time.AfterFunc(time.Duration(random.Int64N(2*int64(raceSpread))), do) }
	stop := func() {
		if s, err := a.manager.Stop(context.Background(), r.id); err != nil || s.Status != wire.StatusEnded {
			a.t.Errorf("stop: %+v %v", s, err)
		}
	}
	for range random.IntN(3) {
		at(stop)
	}
	at(func() { r.agent.write(2) })
	at(r.agent.expire)
	if random.IntN(2) == 0 {
		r.cut = true
		at(r.agent.disconnect)
		if random.IntN(2) == 0 {
			at(r.agent.connect)
		}
	}
	if random.IntN(4) == 0 {
		r.viewers[0].left = true
		at(r.viewers[0].leave)
	}
	if random.IntN(4) == 0 {
		at(func() {
			_, err := a.manager.Extend(context.Background(), r.id, raceSpread)
			if refusal := (*wire.Error)(nil); err != nil && (!errors.As(err, &refusal) || refusal.Code != wire.CodeSessionEnded) {
				a.t.Errorf("extend: %v", err)
			}
		})
	}
}

// check holds what is left against what must be.
func (r *round) check(a *arena) {
	t := a.t
	r.agent.mu.Lock()
	defer r.agent.mu.Unlock()
	for i, v := range r.viewers {
		select {
		case <-v.done:
			told := v.check(t, fmt.Sprintf("viewer %d of %s", i, r.id))
			if sent := r.agent.seq - 1; !r.cut && !v.left && told != sent {
				t.Errorf("viewer %d of %s was told of %d events, want %d", i, r.id, told, sent)
			}
		default:
			t.Errorf("viewer %d of %s is still there", i, r.id)
		}
	}
	s, err := a.manager.Get(t.Context(), r.id)
	if err != nil || s.Status != wire.StatusEnded || s.EndReason == "" || s.EndedAt == nil || s.Viewers != 0 {
		t.Errorf("session %+v %v", s, err)
	}
	for _, account := range s.Accounts.Agents {
		if !account.Closes() || !r.cut && account.Seen != r.agent.accounts.Seen {
			t.Errorf("session %s: account %+v, the agent has %+v", r.id, account, r.agent.accounts)
		}
	}
	if err := a.manager.Open(t.Context(), r.id); err == nil {
		t.Errorf("session %s can be watched", r.id)
	}
	if list, err := a.manager.Desired(t.Context(), r.agent.id); err != nil || len(list) != 0 {
		t.Errorf("session %s is desired: %+v %v", r.id, list, err)
	}
	if !r.agent.closed || r.agent.timer.Stop() {
		t.Errorf("session %s is open at its agent", r.id)
	}
	_ = r.agent.sub.Close()
}

// check reads a viewer's stream to its end: one session_ended, after everything else, with accounts that close. It
// returns of how many events the viewer was told.
func (v *raceViewer) check(t *testing.T, who string) (told uint64) {
	ends, next := 0, uint64(1)
	for line := range bytes.Lines(v.body.Bytes()) {
		var f struct {
			wire.Control
			Seq uint64 `json:"seq"`
		}
		if err := json.Unmarshal(line, &f); err != nil {
			t.Fatalf("%s: line %q: %v", who, line, err)
		}
		if ends > 0 {
			t.Errorf("%s: after the end came %s", who, line)
		}
		switch {
		case f.Type == "log":
			f.From, f.To = f.Seq, f.Seq
			fallthrough
		case f.Event == wire.EventGap:
			if f.From != next {
				t.Errorf("%s: %s, want event %d", who, line, next)
			}
			next = f.To + 1
		case f.Event == wire.EventSessionEnded:
			ends++
			checkEnd(t, who, &f.Control, next-1)
		}
	}
	if ends != 1 && !v.left || ends > 1 {
		t.Errorf("%s: %d ends came:\n%s", who, ends, v.body.Bytes())
	}
	return next - 1
}

// checkEnd looks at a viewer's last frame, before which it was told of so many events.
func checkEnd(t *testing.T, who string, c *wire.Control, told uint64) {
	if c.Reason != string(wire.EndStopped) && c.Reason != string(wire.EndTimeout) || c.Accounts == nil {
		t.Fatalf("%s: end %+v", who, c)
	}
	for id, account := range c.Accounts.Agents {
		viewer := c.Accounts.Viewer[id]
		if !account.Closes() || !viewer.Closes() || viewer.InFlight != 0 || viewer.Offered != told {
			t.Errorf("%s: after %d events the accounts are %+v and %+v", who, told, account, viewer)
		}
	}
}

// TestEndsThatMeet ends ten thousand sessions by the user, by the server's clock, by the agent's, by a break of the link
// and by viewers that go, all at nearly the same moment and in any order: each viewer is told one end, all accounts
// close, and nothing is left anywhere.
func TestEndsThatMeet(t *testing.T) {
	seed := rand.Uint64()
	for batch := range uint64(raceRounds / raceBatch) {
		t.Run(fmt.Sprintf("%d-%d", seed, batch), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { race(t, rand.New(rand.NewPCG(seed, batch))) })
		})
	}
}

// race ends one batch of sessions.
func race(t *testing.T, random *rand.Rand) {
	a, stop := newArena(t)
	defer stop()
	rounds := make([]*round, raceBatch)
	for n := range rounds {
		rounds[n] = a.begin(n)
	}
	<-time.After(raceLength - raceSpread)
	for _, r := range rounds {
		r.end(a, random)
	}
	<-time.After(raceOver)
	synctest.Wait()
	for _, r := range rounds {
		r.check(a)
	}
	a.manager.mu.Lock()
	defer a.manager.mu.Unlock()
	if n := len(a.manager.active); n != 0 {
		t.Errorf("%d leases are left", n)
	}
	all := a.hub.Totals()
	if v := all.Viewers; v.InFlight != 0 || !all.Agents.Closes() ||
		v.Offered != v.Narrowed+v.Delivered+v.Left+sum(v.Gapped) {
		t.Errorf("totals %+v do not close", all)
	}
}

// sum adds up counts.
func sum(counts map[string]uint64) (n uint64) {
	for _, count := range counts {
		n += count
	}
	return n
}
