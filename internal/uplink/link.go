package uplink

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"github.com/spilelog/spile/internal/backoff"
	"github.com/spilelog/spile/wire"
)

// Limits and times of the link's agent side.
const (
	handshakeTimeout = 10 * time.Second
	writeTimeout     = 30 * time.Second
	// idleSilence and busySilence are how long the server may say nothing before the link counts as dead: three of
	// its pings, or with a session open a little more than two. watchInterval is how often that is looked at.
	idleSilence   = 3 * wire.IdlePing
	busySilence   = 2*wire.BusyPing + 2*time.Second
	watchInterval = time.Second
	reconnectMin  = 250 * time.Millisecond
	reconnectMax  = 15 * time.Second
	// queueLen bounds the messages that wait for the socket; who finds it full keeps his message and comes back.
	queueLen = 256
)

// Handler takes what the server says. The calls come one after another from the goroutine of [Link.Run]; they must
// return soon.
type Handler interface {
	// Connected is called after a successful handshake, before any message.
	Connected()
	// Disconnected is called when the connection is gone; nothing queued survives it.
	Disconnected()
	// Desired carries the whole list of sessions that should be open.
	Desired(sessions []wire.DesiredSession)
	// Ack carries an acknowledgement.
	Ack(ack wire.Ack)
	// Replay asks for what was sent before; the answer is what [Outbox.Replay] makes.
	Replay(ask wire.Replay)
}

// LinkOptions says whom to reach and how to prove who is calling.
type LinkOptions struct {
	// Server is the base URL of the server, http or https.
	Server string
	// Key is the agent's private key; AgentID the id that the server gave it.
	Key     ed25519.PrivateKey
	AgentID string
	// Hello makes the introduction at each connect; id, signature and time are filled in.
	Hello func() wire.Hello
	// HTTP is the client for the handshake; nil means http.DefaultClient.
	HTTP *http.Client
	// Log is where the link tells of its state; it must be set.
	Log *slog.Logger
}

// Link is one agent's connection to a server. Send and Up may be called concurrently with Run.
type Link struct {
	opts    LinkOptions
	handler Handler

	// heard is when the server was last heard, in nanoseconds since made, which no change of the clock moves; busy
	// says that a session is open, so that the server pings often.
	made  time.Time
	heard atomic.Int64
	busy  atomic.Bool
	met   bool // a handshake succeeded; belongs to Run

	mu    sync.Mutex
	queue chan []byte     // guarded by mu; nil while down; read by the writer of the present connection, never closed
	conn  *websocket.Conn // guarded by mu; nil while down
}

// NewLink makes a link; it does nothing until Run.
func NewLink(opts LinkOptions, handler Handler) *Link {
	return &Link{opts: opts, handler: handler, made: time.Now()}
}

// Send queues one message and says whether it found room. It never waits. The link keeps msg.
func (l *Link) Send(msg []byte) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.queue == nil {
		return false
	}
	select {
	case l.queue <- msg:
		return true
	default:
		return false
	}
}

// SendJSON queues a message with a JSON body and says whether it found room.
func (l *Link) SendJSON(kind wire.LinkKind, body any) bool {
	msg, err := wire.AppendLink(nil, kind, body)
	if err != nil {
		l.opts.Log.Error("link_encode_failed", "kind", int(kind), "reason", err.Error())
		return false
	}
	return l.Send(msg)
}

// Up says whether the link is connected.
func (l *Link) Up() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.queue != nil
}

// SetBusy says whether a session is open; then a dead server is noticed sooner.
func (l *Link) SetBusy(busy bool) {
	if l.busy.Swap(busy) != busy {
		l.hear()
	}
}

// hear notes that the server was heard now.
func (l *Link) hear() { l.heard.Store(int64(time.Since(l.made))) }

// Run keeps the link connected until ctx ends, then returns nil. It returns an error only when trying again is of no
// use: the server does not know the agent, or another process uses its key.
func (l *Link) Run(ctx context.Context) error {
	wait := backoff.Backoff{Max: reconnectMax}
	for ctx.Err() == nil {
		started := time.Now()
		err := l.connect(ctx)
		if hopeless(err) {
			return fmt.Errorf("join server: %w", err)
		}
		if time.Since(started) > reconnectMax {
			wait.Reset()
		}
		wait.Min = l.firstWait()
		l.pause(ctx, wait.Next(), err)
	}
	return nil
}

// firstWait bounds the first wait for a server. Who lost it has lost it together with many others, and comes back in a
// spread, but for those whose session somebody watches.
func (l *Link) firstWait() time.Duration {
	if l.met && !l.busy.Load() {
		return backoff.Spread
	}
	return reconnectMin
}

// hopeless says whether the server refused for a cause that trying again does not change.
func hopeless(err error) bool {
	var refused *wire.Error
	if !errors.As(err, &refused) {
		return false
	}
	switch refused.Code {
	case wire.CodeUnavailable, wire.CodeInternal, wire.CodeStorage:
		return false
	}
	return true
}

// pause waits before the next attempt, unless ctx is done.
func (l *Link) pause(ctx context.Context, delay time.Duration, why error) {
	if ctx.Err() != nil {
		return
	}
	l.opts.Log.Warn("link_lost", "reason", why.Error(), "retry_ms", delay.Milliseconds())
	select {
	case <-ctx.Done():
	case <-time.After(delay):
	}
}

// connect makes one connection and serves it until it ends. The error says why it ended.
func (l *Link) connect(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	conn, err := l.dial(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.CloseNow() }()
	if err := l.handshake(ctx, conn); err != nil {
		return err
	}
	queue := make(chan []byte, queueLen)
	l.hear()
	var workers sync.WaitGroup
	defer workers.Wait()
	defer cancel()
	workers.Go(func() {
		defer func() { _ = conn.CloseNow() }()
		writeQueue(ctx, conn, queue)
	})
	workers.Go(func() { l.watch(ctx, conn) })
	l.setQueue(queue, conn)
	l.handler.Connected()
	l.opts.Log.Info("link_connected", "server", l.opts.Server, "agent_id", l.opts.AgentID)
	defer func() {
		l.setQueue(nil, nil)
		l.handler.Disconnected()
	}()
	return l.readLoop(ctx, conn)
}

// dial opens the WebSocket.
func (l *Link) dial(ctx context.Context) (*websocket.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	conn, resp, err := websocket.Dial(ctx, l.opts.Server+wire.AgentPath, &websocket.DialOptions{
		HTTPClient:      l.opts.HTTP,
		Subprotocols:    []string{wire.Subprotocol},
		CompressionMode: websocket.CompressionDisabled,
		OnPingReceived: func(context.Context, []byte) bool {
			l.hear()
			return true
		},
	})
	if resp != nil && resp.Body != nil {
		_ = resp.Body.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("dial server: %w", err)
	}
	conn.SetReadLimit(wire.MaxLinkMessage)
	return conn, nil
}

// handshake answers the server's challenge and waits for its welcome.
func (l *Link) handshake(ctx context.Context, conn *websocket.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	var challenge wire.Challenge
	if err := readKind(ctx, conn, wire.LinkChallenge, &challenge); err != nil {
		return fmt.Errorf("read challenge: %w", err)
	}
	hello := l.opts.Hello()
	hello.AgentID = l.opts.AgentID
	hello.Signature = ed25519.Sign(l.opts.Key, wire.SignedText(challenge.Nonce, l.opts.AgentID))
	hello.Time = wire.At(time.Now())
	msg, err := wire.AppendLink(nil, wire.LinkHello, hello)
	if err != nil {
		return err
	}
	if err := conn.Write(ctx, websocket.MessageBinary, msg); err != nil {
		return fmt.Errorf("send hello: %w", err)
	}
	var welcome wire.Welcome
	if err := readKind(ctx, conn, wire.LinkWelcome, &welcome); err != nil {
		return fmt.Errorf("read welcome: %w", err)
	}
	l.met = true
	return nil
}

// readKind reads one message that must be of the given kind; a reject becomes its error.
func readKind(ctx context.Context, conn *websocket.Conn, want wire.LinkKind, body any) error {
	_, data, err := conn.Read(ctx)
	if err != nil {
		return err
	}
	kind, rest, err := wire.SplitLink(data)
	if err != nil {
		return err
	}
	if kind == wire.LinkReject {
		return rejection(rest)
	}
	if kind != want {
		return fmt.Errorf("message of kind %d, want %d", kind, want)
	}
	return json.Unmarshal(rest, body)
}

// rejection is the error that a reject message carries.
func rejection(body []byte) error {
	var refused wire.Error
	if err := json.Unmarshal(body, &refused); err != nil {
		return fmt.Errorf("decode reject: %w", err)
	}
	return &refused
}

// writeQueue writes queued messages until ctx ends or a write fails.
func writeQueue(ctx context.Context, conn *websocket.Conn, queue <-chan []byte) {
	for {
		select {
		case <-ctx.Done():
			return
		case msg := <-queue:
			wctx, cancel := context.WithTimeout(ctx, writeTimeout)
			err := conn.Write(wctx, websocket.MessageBinary, msg)
			cancel()
			if err != nil {
				return
			}
		}
	}
}

// watch cuts the connection when the server has said nothing for too long.
func (l *Link) watch(ctx context.Context, conn *websocket.Conn) {
	tick := time.NewTicker(watchInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			limit := idleSilence
			if l.busy.Load() {
				limit = busySilence
			}
			if time.Since(l.made)-time.Duration(l.heard.Load()) > limit {
				_ = conn.CloseNow()
				return
			}
		}
	}
}

// readLoop hands messages to the handler until the connection ends.
func (l *Link) readLoop(ctx context.Context, conn *websocket.Conn) error {
	for {
		_, data, err := conn.Read(ctx)
		if err != nil {
			return fmt.Errorf("read link: %w", err)
		}
		l.hear()
		kind, body, err := wire.SplitLink(data)
		if err != nil {
			return err
		}
		if err := l.dispatch(kind, body); err != nil {
			return err
		}
	}
}

// dispatch hands one message to the handler. Kinds of a later version are passed over.
func (l *Link) dispatch(kind wire.LinkKind, body []byte) error {
	switch kind {
	case wire.LinkDesired:
		var desired wire.Desired
		if err := json.Unmarshal(body, &desired); err != nil {
			return fmt.Errorf("decode desired: %w", err)
		}
		l.handler.Desired(desired.Sessions)
	case wire.LinkAck:
		var ack wire.Ack
		if err := json.Unmarshal(body, &ack); err != nil {
			return fmt.Errorf("decode ack: %w", err)
		}
		l.handler.Ack(ack)
	case wire.LinkReplay:
		var ask wire.Replay
		if err := json.Unmarshal(body, &ask); err != nil {
			return fmt.Errorf("decode replay: %w", err)
		}
		l.handler.Replay(ask)
	case wire.LinkReject:
		return rejection(body)
	}
	return nil
}

// setQueue replaces the present connection and its queue.
func (l *Link) setQueue(queue chan []byte, conn *websocket.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queue, l.conn = queue, conn
}
