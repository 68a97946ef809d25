package agentlink_test

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"github.com/spilelog/spile/internal/fabric"
	"github.com/spilelog/spile/server/agentlink"
	"github.com/spilelog/spile/wire"
)

const (
	agentID   = "00000000-0000-4000-8000-00000000000a"
	sessionID = "sess_test"
	patience  = 10 * time.Second
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// book is the registry and the sessions of a test: it keeps what it is told.
type book struct {
	key ed25519.PublicKey

	// mu guards the fields below; told receives the name of each call.
	mu      sync.Mutex
	desired []wire.DesiredSession
	offset  time.Duration
	epoch   uint64
	metrics wire.Metrics
	sources []wire.Source
	told    chan string
}

func (b *book) tell(what string) { b.told <- what }

func (b *book) PublicKey(_ context.Context, id string) (ed25519.PublicKey, error) {
	if id != agentID {
		return nil, wire.Errorf(wire.CodeNotFound, "no agent %s", id)
	}
	return b.key, nil
}

func (b *book) Connected(_ context.Context, _ wire.Hello, offset time.Duration) error {
	b.mu.Lock()
	b.offset = offset
	b.mu.Unlock()
	b.tell("connected")
	return nil
}

func (b *book) Disconnected(string) { b.tell("disconnected") }
func (b *book) Seen(string)         {}

func (b *book) Metrics(_ string, m wire.Metrics) {
	b.mu.Lock()
	b.metrics = m
	b.mu.Unlock()
	b.tell("metrics")
}

func (b *book) Status(_ string, status wire.StatusUpdate) {
	b.mu.Lock()
	b.sources = status.Sources
	b.mu.Unlock()
	b.tell("sources")
}

func (b *book) Desired(context.Context, string) ([]wire.DesiredSession, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.desired, nil
}

func (b *book) Epoch(_ context.Context, _, _ string, epoch uint64) error {
	b.mu.Lock()
	b.epoch = epoch
	b.mu.Unlock()
	b.tell("epoch")
	return nil
}

func (b *book) Refused(context.Context, string, string, *wire.Error) { b.tell("refused") }

// rig is a handler under a real server.
type rig struct {
	t    *testing.T
	book *book
	fab  *fabric.Memory
	url  string
	key  ed25519.PrivateKey
}

// newRig starts a handler; everything ends with the test.
func newRig(t *testing.T) *rig {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	b := &book{key: public, told: make(chan string, 100)}
	fab := fabric.NewMemory()
	h := agentlink.New(agentlink.Options{Fabric: fab, Agents: b, Sessions: b, Version: "test"})
	server := httptest.NewServer(h)
	t.Cleanup(func() {
		if err := errors.Join(h.Close(), fab.Close()); err != nil {
			t.Error(err)
		}
		server.Close()
	})
	return &rig{t, b, fab, strings.Replace(server.URL, "http", "ws", 1), private}
}

// expect waits until the book was told all of these, in any order.
func (r *rig) expect(calls ...string) {
	r.t.Helper()
	want := map[string]int{}
	for _, call := range calls {
		want[call]++
	}
	deadline := time.After(patience)
	for range calls {
		select {
		case got := <-r.book.told:
			if want[got]--; want[got] < 0 {
				r.t.Fatalf("told %q, want %v", got, calls)
			}
		case <-deadline:
			r.t.Fatalf("not told %v", want)
		}
	}
}

// dial connects and answers the challenge, after change.
func (r *rig) dial(change func(*wire.Hello)) *peer {
	r.t.Helper()
	conn, _, err := websocket.Dial(context.Background(), r.url, &websocket.DialOptions{
		Subprotocols: []string{wire.Subprotocol},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	conn.SetReadLimit(wire.MaxLinkMessage)
	r.t.Cleanup(func() { _ = conn.CloseNow() })
	p := &peer{r.t, conn}
	var challenge wire.Challenge
	p.read(wire.LinkChallenge, &challenge)
	if len(challenge.Nonce) != 32 || challenge.Time.IsZero() {
		r.t.Errorf("challenge %+v", challenge)
	}
	hello := wire.Hello{
		AgentID: agentID, Signature: ed25519.Sign(r.key, wire.SignedText(challenge.Nonce, agentID)), Name: "a",
		Time: wire.At(time.Now().Add(time.Hour)),
	}
	if change != nil {
		change(&hello)
	}
	p.write(wire.LinkHello, hello)
	return p
}

// peer is the agent's end of a link.
type peer struct {
	t    *testing.T
	conn *websocket.Conn
}

// read reads a message of one kind.
func (p *peer) read(want wire.LinkKind, into any) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, data, err := p.conn.Read(ctx)
	if err != nil {
		p.t.Fatalf("read kind %d: %v", want, err)
	}
	kind, body, err := wire.SplitLink(data)
	if err != nil || kind != want {
		p.t.Fatalf("read kind %d (%v), want %d: %s", kind, err, want, body)
	}
	if err := json.Unmarshal(body, into); err != nil {
		p.t.Fatal(err)
	}
}

// write writes a message.
func (p *peer) write(kind wire.LinkKind, body any) {
	p.t.Helper()
	data, err := wire.AppendLink(nil, kind, body)
	if err != nil {
		p.t.Fatal(err)
	}
	p.raw(data)
}

// raw writes an encoded message.
func (p *peer) raw(data []byte) {
	p.t.Helper()
	if err := p.conn.Write(context.Background(), websocket.MessageBinary, data); err != nil {
		p.t.Fatal(err)
	}
}

// TestLinkCarriesASession walks through a link's life.
func TestLinkCarriesASession(t *testing.T) {
	r := newRig(t)
	items := make(chan []byte, 16)
	_, err := r.fab.Subscribe("session."+sessionID+".data", 16, func(data []byte) []byte {
		items <- data
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	next := func() (wire.LinkKind, []byte) {
		t.Helper()
		select {
		case data := <-items:
			if got := wire.FormatUUID([16]byte(data[:16])); got != agentID {
				t.Errorf("item of agent %s", got)
			}
			kind, body, err := wire.SplitLink(data[16:])
			if err != nil {
				t.Fatal(err)
			}
			return kind, body
		case <-time.After(patience):
			t.Fatal("nothing published")
			return 0, nil
		}
	}
	p := r.dial(nil)
	var welcome wire.Welcome
	p.read(wire.LinkWelcome, &welcome)
	var desired wire.Desired
	p.read(wire.LinkDesired, &desired)
	r.expect("connected")
	if welcome.Version != "test" || len(desired.Sessions) != 0 {
		t.Errorf("welcome %+v, desired %+v", welcome, desired)
	}
	if off := r.book.offset - time.Hour; off < -time.Minute || off > time.Minute {
		t.Errorf("clock offset %v, want about 1h", r.book.offset)
	}

	r.book.mu.Lock()
	r.book.desired = []wire.DesiredSession{{ID: sessionID, RemainingMS: 1000}}
	r.book.mu.Unlock()
	if err := r.fab.Publish("agent."+agentID+".ctl", nil); err != nil {
		t.Fatal(err)
	}
	p.read(wire.LinkDesired, &desired)
	if len(desired.Sessions) != 1 || desired.Sessions[0].ID != sessionID {
		t.Fatalf("desired %+v", desired)
	}
	p.write(wire.LinkReport, wire.Report{Session: "sess_foreign", State: wire.ReportOpen, Epoch: 9})
	p.write(wire.LinkReport, wire.Report{Session: sessionID, State: wire.ReportOpen, Epoch: 3, NextItem: 1, NextSeq: 1})
	if kind, _ := next(); kind != wire.LinkReport {
		t.Errorf("kind %d, want the report", kind)
	}
	r.expect("epoch")
	batch := wire.AppendBatch(nil, &wire.Batch{
		Session: sessionID, Epoch: 3, Item: 1, First: 1, Count: 1, RawSize: 9, Block: []byte(strings.Repeat("x", 5000)),
	})
	p.raw(batch)
	if kind, body := next(); kind != wire.LinkBatch || string(body) != string(batch[2:]) {
		t.Errorf("kind %d with %d bytes, want the batch as it was", kind, len(body))
	}
	ack, err := wire.AppendLink(nil, wire.LinkAck, wire.Ack{Session: sessionID, Epoch: 3, Item: 1, Credit: 5})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.fab.Publish("agent."+agentID+".ack", ack); err != nil {
		t.Fatal(err)
	}
	var got wire.Ack
	if p.read(wire.LinkAck, &got); got.Item != 1 || got.Credit != 5 {
		t.Errorf("ack %+v", got)
	}
	p.raw(wire.AppendMetrics(nil, &wire.Metrics{IntervalMS: 60_000}))
	p.write(wire.LinkStatus, wire.StatusUpdate{Sources: []wire.Source{{Name: "s"}}})
	full := wire.StatusUpdate{Sources: []wire.Source{{Name: "s"}}, Problem: "the disk is full"}
	p.write(wire.LinkStatus, full)
	p.write(wire.LinkStatus, full)
	p.write(wire.LinkReport, wire.Report{Session: sessionID, State: wire.ReportOpen, Epoch: 3, NextItem: 1, NextSeq: 1})
	p.write(wire.LinkStatus, wire.StatusUpdate{Sources: full.Sources})
	p.write(wire.LinkReport, wire.Report{Session: sessionID, State: wire.ReportRefused})
	r.expect("metrics", "sources", "sources", "sources", "sources", "refused")
	// The session hears it once, again when it is opened anew, and that it is over.
	for _, want := range []string{`{"problem":"the disk is full"}`, "report", `{"problem":"the disk is full"}`, `{}`} {
		if kind, body := next(); want != "report" && string(body) != want || (want == "report") != (kind == wire.LinkReport) {
			t.Errorf("kind %d %s, want %s", kind, body, want)
		}
	}
	if kind, _ := next(); kind != wire.LinkReport {
		t.Errorf("kind %d, want the refusal", kind)
	}
	_ = p.conn.CloseNow()
	if kind, body := next(); kind != wire.LinkStatus || !strings.Contains(string(body), string(wire.StreamUnreachable)) {
		t.Errorf("kind %d %s, want the loss of the agent", kind, body)
	}
	r.expect("disconnected")
}

// TestFirstWordIsHeard speaks of a session as soon as the link may, before the list has been read: the word of an agent
// that comes back with an older list.
func TestFirstWordIsHeard(t *testing.T) {
	r := newRig(t)
	r.book.desired = []wire.DesiredSession{{ID: sessionID, RemainingMS: 1000}}
	p := r.dial(nil)
	p.write(wire.LinkReport, wire.Report{Session: sessionID, State: wire.ReportOpen, Epoch: 3, NextItem: 1, NextSeq: 1})
	p.read(wire.LinkWelcome, &wire.Welcome{})
	p.read(wire.LinkDesired, &wire.Desired{})
	r.expect("connected", "epoch")
}

// TestNewerLinkReplacesOlder tells the older one why.
func TestNewerLinkReplacesOlder(t *testing.T) {
	r := newRig(t)
	older := r.dial(nil)
	older.read(wire.LinkWelcome, &wire.Welcome{})
	older.read(wire.LinkDesired, &wire.Desired{})
	newer := r.dial(nil)
	var refusal wire.Error
	older.read(wire.LinkReject, &refusal)
	if refusal.Code != wire.CodeConflict {
		t.Errorf("rejected with %+v", refusal)
	}
	_ = older.conn.CloseNow()
	newer.read(wire.LinkWelcome, &wire.Welcome{})
	r.expect("connected", "disconnected", "connected")
}

// TestBadHello is refused with a reason.
func TestBadHello(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*wire.Hello)
		want   wire.Code
	}{
		"wrong-signature": {func(h *wire.Hello) { h.Signature[3] ^= 1 }, wire.CodeUnauthorized},
		"no-signature":    {func(h *wire.Hello) { h.Signature = nil }, wire.CodeUnauthorized},
		"other-agent":     {func(h *wire.Hello) { h.AgentID = "00000000-0000-4000-8000-00000000000b" }, wire.CodeNotFound},
		"not-a-uuid":      {func(h *wire.Hello) { h.AgentID = "a" }, wire.CodeValidation},
	} {
		t.Run(name, func(t *testing.T) {
			var refusal wire.Error
			if newRig(t).dial(test.change).read(wire.LinkReject, &refusal); refusal.Code != test.want {
				t.Errorf("refused with %+v, want %s", refusal, test.want)
			}
		})
	}
}

// TestHelloIsBounded cuts an agent that sends much before it has proven anything.
func TestHelloIsBounded(t *testing.T) {
	p := newRig(t).dial(func(h *wire.Hello) { h.Name = strings.Repeat("x", 20<<10) })
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if _, _, err := p.conn.Read(ctx); websocket.CloseStatus(err) != websocket.StatusMessageTooBig {
		t.Errorf("got %v, want a close because of the size", err)
	}
}

// TestSubprotocolIsRequired refuses anything else before the upgrade.
func TestSubprotocolIsRequired(t *testing.T) {
	_, resp, err := websocket.Dial(context.Background(), newRig(t).url, nil)
	if err == nil || resp == nil || resp.StatusCode != 400 {
		t.Errorf("got %v %v, want 400", resp, err)
	}
}
