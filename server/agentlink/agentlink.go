// Package agentlink holds the links of agents: it proves who an agent is, tells it which sessions it should have
// open, and carries what it sends onto the fabric and acknowledgements back.
package agentlink

import (
	"context"
	"crypto/ed25519"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/spilelog/spile/internal/fabric"
	"github.com/spilelog/spile/wire"
)

// Agents is the registry, as the links need it. All methods may be called concurrently.
type Agents interface {
	// PublicKey is the key of an enrolled agent; a *wire.Error is passed on to the agent.
	PublicKey(ctx context.Context, agentID string) (ed25519.PublicKey, error)
	// Connected says that an agent proved its key. The offset is its clock minus the server's.
	Connected(ctx context.Context, hello wire.Hello, clockOffset time.Duration) error
	// Disconnected says that its link is gone. It follows each Connected that gave no error.
	Disconnected(agentID string)
	// Seen says that something was heard of the agent; at most about once a second.
	Seen(agentID string)
	Metrics(agentID string, m wire.Metrics)
	// Status carries what an agent says of itself while it is connected.
	Status(agentID string, status wire.StatusUpdate)
}

// Sessions is what the links need to know of sessions. All methods may be called concurrently.
type Sessions interface {
	// Desired lists the sessions that an agent should have open now.
	Desired(ctx context.Context, agentID string) ([]wire.DesiredSession, error)
	// Epoch keeps the epoch in which an agent numbers a session.
	Epoch(ctx context.Context, session, agentID string, epoch uint64) error
	// Refused says that an agent will not open a session.
	Refused(ctx context.Context, session, agentID string, why *wire.Error)
}

// Options configure a handler. Fabric, Agents and Sessions are required.
type Options struct {
	Fabric   fabric.Fabric
	Agents   Agents
	Sessions Sessions
	// Version is told to agents.
	Version string
	// Log is for the handler's own events; nil discards them.
	Log *slog.Logger
}

// Handler serves [wire.AgentPath].
type Handler struct {
	o   Options
	log *slog.Logger

	// mu guards links and closed. A link in the map is proven; there is one for each agent.
	mu     sync.Mutex
	links  map[string]*link
	closed bool
	// serving counts the links, proven or not.
	serving sync.WaitGroup
	// stop ends the links that are not proven yet.
	stop chan struct{}
}

// New returns a handler without links.
func New(o Options) *Handler {
	log := o.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Handler{o: o, log: log, links: map[string]*link{}, stop: make(chan struct{})}
}

// Close ends all links and waits for them.
func (h *Handler) Close() error {
	h.mu.Lock()
	if !h.closed {
		h.closed = true
		close(h.stop)
	}
	h.mu.Unlock()
	h.serving.Wait()
	return nil
}

// ServeHTTP serves one link and returns when it has ended.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !offersSubprotocol(r) {
		http.Error(w, "the subprotocol must be "+wire.Subprotocol, http.StatusBadRequest)
		return
	}
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		http.Error(w, "the server is going down", http.StatusServiceUnavailable)
		return
	}
	h.serving.Add(1)
	h.mu.Unlock()
	defer h.serving.Done()
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		Subprotocols:    []string{wire.Subprotocol},
		CompressionMode: websocket.CompressionDisabled,
	})
	if err != nil {
		return // Accept has answered.
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	l := &link{handler: h, conn: conn, cancel: cancel, done: make(chan struct{}), begun: time.Now()}
	watch := make(chan struct{})
	go func() {
		defer close(watch)
		select {
		case <-h.stop:
			cancel(errClosing)
		case <-ctx.Done():
		}
	}()
	err = l.run(ctx)
	if err != nil && !errors.Is(err, context.Canceled) {
		h.log.Info("agent_link_ended", "agent_id", l.id, "remote", r.RemoteAddr, "reason", err.Error())
	}
	cancel(nil)
	_ = conn.CloseNow() // Whatever is to be said has been said.
	<-watch
}

// offersSubprotocol says whether a request asks for the link's subprotocol.
func offersSubprotocol(r *http.Request) bool {
	return slices.ContainsFunc(r.Header.Values("Sec-WebSocket-Protocol"), func(value string) bool {
		return slices.ContainsFunc(strings.Split(value, ","), func(name string) bool {
			return strings.EqualFold(strings.TrimSpace(name), wire.Subprotocol)
		})
	})
}

// enter makes l the agent's link. An older one is told that it was replaced, and has gone when enter returns.
func (h *Handler) enter(ctx context.Context, l *link) error {
	for {
		h.mu.Lock()
		if h.closed {
			h.mu.Unlock()
			return errClosing
		}
		old := h.links[l.id]
		if old == nil {
			h.links[l.id] = l
			h.mu.Unlock()
			return nil
		}
		h.mu.Unlock()
		old.cancel(errReplaced)
		select {
		case <-old.done:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// leave ends what enter began.
func (h *Handler) leave(l *link) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.links[l.id] == l {
		delete(h.links, l.id)
	}
	close(l.done)
}
