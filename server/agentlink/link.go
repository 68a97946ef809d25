package agentlink

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"github.com/spilelog/spile/internal/fabric"
	"github.com/spilelog/spile/wire"
)

const (
	// helloTimeout is how long an agent may take to prove its key; helloLimit bounds what it may send until then.
	helloTimeout = 10 * time.Second
	helloLimit   = 16 << 10
	// writeTimeout bounds one message to an agent.
	writeTimeout = 10 * time.Second
	// replaceTimeout bounds the last word to a connection that a newer one replaces.
	replaceTimeout = time.Second
	// nonceBytes is the size of a challenge.
	nonceBytes = 32
	// missedPings is how many pings in a row may stay unanswered before a link counts as dead. A ping is answered
	// within answerPart of the interval or not at all, so that a dead link is noticed within three intervals of its
	// death.
	missedPings = 2
	answerPart  = 0.8
	// subQueue is how many acknowledgements may wait; they are merged at once, so few ever do.
	subQueue = 1024
	// seenEvery is how often the registry hears of an agent that is busy.
	seenEvery = time.Second
)

// The reasons for which the server itself ends a link.
var (
	errReplaced = errors.New("replaced by another connection of the same agent")
	errClosing  = errors.New("server is going down")
	errDead     = errors.New("no answer to pings")
)

// link is one agent's connection.
type link struct {
	handler *Handler
	conn    *websocket.Conn
	cancel  context.CancelCauseFunc
	done    chan struct{} // closed by leave, for whoever replaces this link

	id   string
	uuid [16]byte

	outbox outbox
	// problem is what the agent says of itself; it belongs to the reader.
	problem string
	// lastSeen is when the registry last heard of the agent, in nanoseconds since begun, which no change of the clock
	// moves.
	begun    time.Time
	lastSeen atomic.Int64

	// mu guards known: the sessions of this agent, with the epoch that was kept. A session leaves it when it is no
	// longer desired and the agent has said its last word on it.
	mu     sync.Mutex
	known  map[string]*knownSession
	active int
}

// knownSession is a session on which the agent may speak.
type knownSession struct {
	epoch   uint64
	desired bool
}

// run serves the link until it ends and says why it did.
func (l *link) run(ctx context.Context) error {
	hello, offset, err := l.prove(ctx)
	if err != nil {
		l.reject(err)
		return err
	}
	if err := l.handler.enter(ctx, l); err != nil {
		return err
	}
	defer l.handler.leave(l)
	if err := l.handler.o.Agents.Connected(ctx, *hello, offset); err != nil {
		l.reject(err)
		return fmt.Errorf("register agent: %w", err)
	}
	defer l.handler.o.Agents.Disconnected(l.id)
	defer l.announceLost()
	l.problem = hello.Problem
	err = l.serve(ctx)
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return err
}

// prove challenges the agent and checks its answer.
func (l *link) prove(ctx context.Context) (*wire.Hello, time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, helloTimeout)
	defer cancel()
	l.conn.SetReadLimit(helloLimit)
	nonce := make([]byte, nonceBytes)
	if _, err := rand.Read(nonce); err != nil {
		return nil, 0, fmt.Errorf("make nonce: %w", err)
	}
	if err := l.send(ctx, wire.LinkChallenge, wire.Challenge{Nonce: nonce, Time: wire.At(time.Now())}); err != nil {
		return nil, 0, err
	}
	kind, data, err := l.conn.Read(ctx)
	if err != nil {
		return nil, 0, fmt.Errorf("read hello: %w", err)
	}
	now := time.Now()
	hello, err := parseHello(kind, data)
	if err != nil {
		return nil, 0, err
	}
	if l.uuid, err = wire.ParseUUID(hello.AgentID); err != nil {
		return nil, 0, wire.Invalid("agent_id", "%v", err)
	}
	// One form of the id everywhere, whatever the agent wrote.
	signed := wire.SignedText(nonce, hello.AgentID)
	hello.AgentID = wire.FormatUUID(l.uuid)
	l.id = hello.AgentID
	key, err := l.handler.o.Agents.PublicKey(ctx, l.id)
	if err != nil {
		return nil, 0, fmt.Errorf("find key: %w", err)
	}
	if len(key) != ed25519.PublicKeySize || !ed25519.Verify(key, signed, hello.Signature) {
		return nil, 0, wire.Errorf(wire.CodeUnauthorized, "the signature does not fit the key of agent %s", l.id)
	}
	l.conn.SetReadLimit(wire.MaxLinkMessage)
	return hello, hello.Time.Sub(now), nil
}

// parseHello reads the first message of an agent.
func parseHello(kind websocket.MessageType, data []byte) (*wire.Hello, error) {
	if kind != websocket.MessageBinary {
		return nil, wire.Errorf(wire.CodeValidation, "the first message must be a binary hello")
	}
	what, body, err := wire.SplitLink(data)
	if err != nil {
		return nil, wire.Errorf(wire.CodeValidation, "%v", err)
	}
	if what != wire.LinkHello {
		return nil, wire.Errorf(wire.CodeValidation, "the first message must be a hello, not of kind %d", what)
	}
	var hello wire.Hello
	if err := json.Unmarshal(body, &hello); err != nil {
		return nil, wire.Errorf(wire.CodeValidation, "parse hello: %v", err)
	}
	return &hello, nil
}

// reject tells the agent why the link ends, if it is a refusal that concerns it.
func (l *link) reject(why error) {
	var refusal *wire.Error
	if !errors.As(why, &refusal) {
		return
	}
	// The link's own context may be over; this is its last word.
	ctx, cancel := context.WithTimeout(context.Background(), writeTimeout)
	defer cancel()
	if err := l.send(ctx, wire.LinkReject, refusal); err == nil {
		_ = l.conn.Close(websocket.StatusPolicyViolation, string(refusal.Code))
	}
}

// send writes one message with a JSON body.
func (l *link) send(ctx context.Context, kind wire.LinkKind, body any) error {
	data, err := wire.AppendLink(nil, kind, body)
	if err != nil {
		return err
	}
	return l.write(ctx, data)
}

// write writes one message.
func (l *link) write(ctx context.Context, data []byte) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	if err := l.conn.Write(ctx, websocket.MessageBinary, data); err != nil {
		return fmt.Errorf("write to agent: %w", err)
	}
	return nil
}

// serve runs the proven link.
func (l *link) serve(ctx context.Context) error {
	l.known = map[string]*knownSession{}
	l.outbox.init()
	subs, err := l.subscribe()
	defer func() {
		for _, sub := range subs {
			_ = sub.Close() // It only waits.
		}
	}()
	if err != nil {
		return err
	}
	if err := l.send(ctx, wire.LinkWelcome, wire.Welcome{Version: l.handler.o.Version}); err != nil {
		return err
	}
	// The list goes out before anything is read: an agent that comes back may speak of its sessions at once, and what it
	// said of one that is not known yet would be lost. Like any write it is not cancelled once it has begun.
	if err := l.sendDesired(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	// The reader must not be cancelled by the context: that would cut the connection before the last word.
	reading, stopReading := context.WithCancel(context.WithoutCancel(ctx))
	defer stopReading()
	working, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var group sync.WaitGroup
	hung := make(chan struct{}) // closed when the agent's side of the connection has ended
	for _, part := range []func() error{
		func() error {
			defer close(hung)
			return l.readAll(reading)
		},
		func() error { return l.writeAll(working) },
		func() error { return l.pingAll(working) },
	} {
		group.Go(func() { stop(part()) })
	}
	<-working.Done()
	err = context.Cause(working)
	if errors.Is(err, errReplaced) {
		l.sayReplaced(hung)
	}
	stopReading()
	_ = l.conn.CloseNow() // It also ends a read that does not look at its context.
	group.Wait()
	return err
}

// sayReplaced tells the agent's older connection that it is one. The newer one waits for this, so it is short: the
// usual reason for a newer one is that the older one is dead.
func (l *link) sayReplaced(hung <-chan struct{}) {
	ctx, cancel := context.WithTimeout(context.Background(), replaceTimeout)
	defer cancel()
	refusal := wire.Errorf(wire.CodeConflict, "replaced by another connection of the same agent")
	if err := l.send(ctx, wire.LinkReject, refusal); err != nil {
		return
	}
	select {
	case <-hung:
	case <-ctx.Done():
	}
}

// subscribe listens for what concerns this agent.
func (l *link) subscribe() ([]fabric.Subscription, error) {
	var subs []fabric.Subscription
	for subject, handle := range map[string]fabric.Handler{
		"agent." + l.id + ".ack": func(data []byte) []byte {
			if err := l.outbox.put(data); err != nil {
				l.handler.log.Warn("ack_failed", "agent_id", l.id, "reason", err)
			}
			return nil
		},
		"agent." + l.id + ".ctl": func([]byte) []byte {
			l.outbox.putDesired()
			return nil
		},
	} {
		sub, err := l.handler.o.Fabric.Subscribe(subject, subQueue, handle)
		if err != nil {
			return subs, fmt.Errorf("subscribe %s: %w", subject, err)
		}
		subs = append(subs, sub)
	}
	return subs, nil
}

// writeAll writes what the outbox holds until ctx is done. A write that has begun is not cancelled by ctx: that would
// cut the connection before the last word. CloseNow ends it.
func (l *link) writeAll(ctx context.Context) error {
	writing := context.WithoutCancel(ctx)
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-l.outbox.ready:
		}
		out := l.outbox.take()
		// The wish goes first: an acknowledgement may be about a session that it opens.
		if out.desired {
			if err := l.sendDesired(writing); err != nil {
				return err
			}
		}
		for _, ack := range out.acks {
			if err := l.send(writing, wire.LinkAck, ack); err != nil {
				return err
			}
		}
		for _, ask := range out.replays {
			if err := l.send(writing, wire.LinkReplay, ask); err != nil {
				return err
			}
		}
	}
}

// sendDesired tells the agent the whole list of its sessions.
func (l *link) sendDesired(ctx context.Context) error {
	sessions, err := l.handler.o.Sessions.Desired(ctx, l.id)
	if err != nil {
		return fmt.Errorf("list desired sessions: %w", err)
	}
	l.mu.Lock()
	over := 0
	for id, k := range l.known {
		// Its last word is still to come, but a silent agent must not make this grow.
		if k.desired = false; over >= wire.MaxAgentSessions {
			delete(l.known, id)
		}
		over++
	}
	for _, s := range sessions {
		k := l.known[s.ID]
		if k == nil {
			k = &knownSession{epoch: s.Epoch}
			l.known[s.ID] = k
		}
		k.desired = true
	}
	l.active = len(sessions)
	l.mu.Unlock()
	l.outbox.wakePinger()
	if sessions == nil {
		sessions = []wire.DesiredSession{}
	}
	return l.send(ctx, wire.LinkDesired, wire.Desired{Sessions: sessions})
}

// pingAll finds out whether the agent is there. The answer to a ping is what an idle agent is seen by. Like a write, a
// ping that has begun is not cancelled by ctx.
func (l *link) pingAll(ctx context.Context) error {
	missed := 0
	timer := time.NewTimer(l.pingInterval())
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-l.outbox.pace:
			timer.Reset(l.pingInterval())
			continue
		case <-timer.C:
		}
		begin, interval := time.Now(), l.pingInterval()
		pinging, cancel := context.WithTimeout(context.WithoutCancel(ctx),
			time.Duration(answerPart*float64(interval)))
		err := l.conn.Ping(pinging)
		cancel()
		switch {
		case err == nil:
			missed = 0
			l.seen()
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case !errors.Is(err, context.DeadlineExceeded):
			return fmt.Errorf("ping agent: %w", err)
		default:
			if missed++; missed >= missedPings {
				return errDead
			}
		}
		timer.Reset(max(interval-time.Since(begin), 0))
	}
}

// pingInterval is how often an agent is pinged.
func (l *link) pingInterval() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.active > 0 {
		return wire.BusyPing
	}
	return wire.IdlePing
}

// seen tells the registry that the agent was heard of.
func (l *link) seen() {
	now := int64(time.Since(l.begun))
	if last := l.lastSeen.Load(); now-last >= int64(seenEvery) && l.lastSeen.CompareAndSwap(last, now) {
		l.handler.o.Agents.Seen(l.id)
	}
}

// readAll takes what the agent sends until the connection ends.
func (l *link) readAll(ctx context.Context) error {
	for {
		kind, reader, err := l.conn.Reader(ctx)
		if err != nil {
			return fmt.Errorf("read from agent: %w", err)
		}
		data, err := readPrefixed(reader, l.uuid)
		if err != nil {
			return fmt.Errorf("read from agent: %w", err)
		}
		if kind != websocket.MessageBinary {
			return errors.New("read from agent: text message")
		}
		l.seen()
		if err := l.handle(ctx, data); err != nil {
			return err
		}
	}
}

// readPrefixed reads a message behind the agent's UUID, which is how it goes onto the fabric, without a copy.
func readPrefixed(r io.Reader, id [16]byte) ([]byte, error) {
	data := append(make([]byte, 0, 1024), id[:]...)
	for {
		if len(data) == cap(data) {
			data = append(data, 0)[:len(data)]
		}
		n, err := r.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		if err == io.EOF {
			return data, nil
		}
		if err != nil {
			return nil, err
		}
	}
}
