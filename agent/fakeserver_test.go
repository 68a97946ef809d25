package agent_test

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"
	"github.com/klauspost/compress/zstd"

	"github.com/spilelog/spile/wire"
)

// fakeServer is the other side of an agent's link: it enrols anybody, desires what the test says, and keeps what the
// agent sends.
type fakeServer struct {
	t       *testing.T
	http    *httptest.Server
	frames  chan wire.Log
	gaps    chan wire.Control
	reports chan wire.Report
	metrics chan wire.Metrics
	answers chan wire.Replayed // to questions; their blocks are decoded
	states  chan wire.StatusUpdate
	hellos  chan wire.Hello
	welcome chan struct{} // welcomes are sent when it is closed, at once where it is nil

	mu      sync.Mutex
	key     ed25519.PublicKey
	refuse  *wire.Error
	desired []wire.DesiredSession
	conn    *websocket.Conn
	// credit is granted to each session that is announced; acks follow each item if ack is set.
	credit uint64
	ack    bool
	items  int // batches and gaps seen
}

// newFakeServer starts a fake.
func newFakeServer(t *testing.T) *fakeServer {
	t.Helper()
	s := &fakeServer{
		t: t, frames: make(chan wire.Log, 1<<16), gaps: make(chan wire.Control, 1<<10),
		reports: make(chan wire.Report, 1<<10), metrics: make(chan wire.Metrics, 1<<10),
		answers: make(chan wire.Replayed, 1<<10),
		states:  make(chan wire.StatusUpdate, 1<<10), hellos: make(chan wire.Hello, 1<<10),
		credit: wire.WindowBytes, ack: true,
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+wire.EnrolPath, s.enrol)
	mux.HandleFunc("GET "+wire.AgentPath, s.serve)
	s.http = httptest.NewServer(mux)
	t.Cleanup(func() {
		s.cut()
		s.http.Close()
	})
	return s
}

// enrol answers an enrolment.
func (s *fakeServer) enrol(w http.ResponseWriter, r *http.Request) {
	var req wire.EnrolRequest
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
		s.t.Error(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse != nil {
		w.WriteHeader(s.refuse.Code.Status())
		_ = json.NewEncoder(w).Encode(s.refuse)
		return
	}
	s.key = req.PublicKey
	_ = json.NewEncoder(w).Encode(wire.EnrolResponse{AgentID: "9b2f0e7a-53d1-4ac2-8c55-1f1c5f0f1a2b", Name: req.Name})
}

// serve speaks the link.
func (s *fakeServer) serve(w http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{wire.Subprotocol}})
	if err != nil {
		return
	}
	defer func() { _ = conn.CloseNow() }()
	conn.SetReadLimit(wire.MaxLinkMessage)
	ctx := r.Context()
	nonce := []byte(strings.Repeat("n", 32))
	s.send(ctx, conn, wire.LinkChallenge, wire.Challenge{Nonce: nonce})
	var hello wire.Hello
	_, data, err := conn.Read(ctx)
	if err != nil {
		return
	}
	_, body, err := wire.SplitLink(data)
	if err != nil || json.Unmarshal(body, &hello) != nil {
		s.t.Errorf("hello: %v", err)
		return
	}
	s.mu.Lock()
	if !ed25519.Verify(s.key, wire.SignedText(nonce, hello.AgentID), hello.Signature) {
		s.t.Error("the agent's signature does not verify")
	}
	s.conn = conn
	s.hellos <- hello
	desired := s.desired
	s.mu.Unlock()
	if s.welcome != nil {
		<-s.welcome
	}
	s.send(ctx, conn, wire.LinkWelcome, wire.Welcome{})
	s.send(ctx, conn, wire.LinkDesired, wire.Desired{Sessions: desired})
	s.read(ctx, conn)
}

// read keeps what the agent sends and acknowledges it.
func (s *fakeServer) read(ctx context.Context, conn *websocket.Conn) {
	dec, err := zstd.NewReader(nil)
	if err != nil {
		s.t.Error(err)
		return
	}
	defer dec.Close()
	for {
		_, data, err := conn.Read(ctx)
		if err != nil {
			return
		}
		kind, body, err := wire.SplitLink(data)
		if err != nil {
			s.t.Error(err)
			return
		}
		switch kind {
		case wire.LinkReport:
			var r wire.Report
			if err := json.Unmarshal(body, &r); err != nil {
				s.t.Error(err)
			}
			s.reports <- r
			if r.State == wire.ReportOpen {
				s.grant(ctx, conn, r.Session, r.Epoch, r.NextItem-1)
			}
		case wire.LinkBatch:
			b, err := wire.ParseBatch(body)
			if err != nil {
				s.t.Error(err)
				return
			}
			s.batch(dec, &b)
			s.grant(ctx, conn, b.Session, b.Epoch, b.Item)
		case wire.LinkGap:
			var g wire.GapItem
			if err := json.Unmarshal(body, &g); err != nil {
				s.t.Error(err)
			}
			s.gaps <- g.Gap
			s.grant(ctx, conn, g.Session, g.Epoch, g.Item)
		case wire.LinkReplayed:
			r, err := wire.ParseReplayed(body)
			if err == nil {
				r.Block, err = dec.DecodeAll(r.Block, nil)
			}
			if err != nil {
				s.t.Error(err)
			}
			s.answers <- r
		case wire.LinkMetrics:
			m, err := wire.ParseMetrics(body)
			if err != nil {
				s.t.Error(err)
			}
			s.metrics <- m
		case wire.LinkStatus:
			var status wire.StatusUpdate
			if err := json.Unmarshal(body, &status); err != nil {
				s.t.Error(err)
			}
			s.states <- status
		}
	}
}

// batch keeps the frames of a batch.
func (s *fakeServer) batch(dec *zstd.Decoder, b *wire.Batch) {
	frames, err := dec.DecodeAll(b.Block, nil)
	if err != nil {
		s.t.Error(err)
		return
	}
	for _, line := range strings.Split(strings.TrimSuffix(string(frames), "\n"), "\n") {
		var log wire.Log
		if err := json.Unmarshal([]byte(line), &log); err != nil {
			s.t.Errorf("frame %q: %v", line, err)
			return
		}
		s.frames <- log
	}
}

// grant acknowledges an item.
func (s *fakeServer) grant(ctx context.Context, conn *websocket.Conn, session string, epoch, item uint64) {
	s.mu.Lock()
	credit, ack := s.credit, s.ack
	s.items++
	first := s.items == 1
	s.mu.Unlock()
	if ack || first {
		s.send(ctx, conn, wire.LinkAck, wire.Ack{Session: session, Epoch: epoch, Item: item, Credit: credit, Attached: true})
	}
}

// send sends one message.
func (s *fakeServer) send(ctx context.Context, conn *websocket.Conn, kind wire.LinkKind, body any) {
	msg, err := wire.AppendLink(nil, kind, body)
	if err != nil {
		s.t.Error(err)
		return
	}
	_ = conn.Write(ctx, websocket.MessageBinary, msg)
}

// want changes the desired sessions and tells a connected agent.
func (s *fakeServer) want(sessions ...wire.DesiredSession) {
	s.mu.Lock()
	s.desired = sessions
	conn := s.conn
	s.mu.Unlock()
	if conn != nil {
		s.send(s.t.Context(), conn, wire.LinkDesired, wire.Desired{Sessions: sessions})
	}
}

// cut breaks the connection.
func (s *fakeServer) cut() {
	s.mu.Lock()
	conn := s.conn
	s.mu.Unlock()
	if conn != nil {
		_ = conn.CloseNow()
	}
}
