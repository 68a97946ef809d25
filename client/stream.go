package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spilelog/spile/internal/backoff"
	"github.com/spilelog/spile/wire"
)

// Limits of a stream.
const (
	// DefaultMaxOffline is how long a stream tries to return to a lost server.
	DefaultMaxOffline = 30 * time.Second
	// silence is how long a connection may be silent before it counts as dead: three heartbeats.
	silence = 3 * wire.HeartbeatInterval
	// maxMessage bounds one message: what a server keeps of a session, and one batch more.
	maxMessage = wire.RingBytes + wire.MaxBatchBytes
	// minWait and maxWait bound the waits between attempts to return.
	minWait = 100 * time.Millisecond
	maxWait = 5 * time.Second
	// dialTimeout bounds one attempt.
	dialTimeout = 10 * time.Second
)

// StreamOptions are the settings of a [Stream].
type StreamOptions struct {
	// After is where to begin: after these positions. Nil begins where the server says.
	After wire.Cursor
	// From overrides where a stream without After begins. A stream of a session that its caller has just opened begins
	// with BeginStart: then nothing is lost either when the first connection breaks before it has brought anything.
	From Begin
	// Transports are the ways to try, in this order; nil means [Transports].
	Transports []Transport
	// FirstFrame is how long each but the last of them may take to its first frame; zero means DefaultFirstFrame.
	FirstFrame time.Duration
	// OnFallback, when not nil, is called when the stream goes on by another transport.
	OnFallback func(Fallback)
	// AllEvents asks for the control frames that a stream does not carry by default.
	AllEvents bool
	// MaxOffline is how long to try to return to a lost server; zero means DefaultMaxOffline.
	MaxOffline time.Duration
	// OnStatus, when not nil, is called from Next when the connection is lost, with each failed attempt to return,
	// and when it is back.
	OnStatus func(ConnStatus)
	// Observe, when not nil, is called from Next with every frame as it came, those too that Next leaves out because
	// they came before: for a [Verifier].
	Observe func(Frame)
	// Rand is for the waits between attempts, see [backoff.Backoff]; nil means a random one.
	Rand func() float64
}

// Begin says where a stream without a cursor begins.
type Begin string

// The beginnings.
const (
	// BeginDefault is where the server says: the first viewer at the session's origin, others at now in live mode.
	BeginDefault Begin = ""
	// BeginStart is the session's origin.
	BeginStart Begin = "start"
	// BeginNow is now.
	BeginNow Begin = "now"
)

// ConnStatus tells about a stream's connection.
type ConnStatus struct {
	// Connected says whether the connection is back.
	Connected bool
	// Err is why it was lost or why the attempt failed; nil when connected.
	Err error
	// Attempt counts the attempts since the connection was lost, from 0 at the loss.
	Attempt int
	// Wait is how long it is to the next attempt.
	Wait time.Duration
}

// Frame is one message of a stream: exactly one of Log and Control is set.
type Frame struct {
	Log     *wire.Log
	Control *wire.Control
	// Line is the frame's JSON without a line end. The caller owns it.
	Line []byte
}

// Stream reads one session. When the connection breaks it returns by itself to where it was: no frame of an event or
// of a gap comes twice, and what the server can no longer give comes as a gap. It is not safe for concurrent use.
type Stream struct {
	client  *Client
	session string
	opts    StreamOptions
	backoff backoff.Backoff

	at    positions
	conn  connection
	rest  []byte
	ended bool
	// rung is the place of the transport in use in opts.Transports; worked says of each whether it ever did.
	rung   int
	worked []bool
	// probing says that the stream polls until transport next was tried, since others did not work, for which why is
	// the reason.
	probing bool
	next    int
	why     error
	// polled is the cursor of the last poll's answer, which names our place at the server; pollWait is how long a poll
	// waits.
	polled   string
	pollWait time.Duration
	// fromStart says that nothing was read yet and that this viewer is owed the session from its beginning.
	fromStart bool
}

// Stream connects to a session. Each transport is tried once; if none works, the first one's refusal is the error.
func (c *Client) Stream(ctx context.Context, sessionID string, o StreamOptions) (*Stream, error) {
	if o.MaxOffline <= 0 {
		o.MaxOffline = DefaultMaxOffline
	}
	if o.FirstFrame <= 0 {
		o.FirstFrame = DefaultFirstFrame
	}
	if len(o.Transports) == 0 {
		o.Transports = Transports()
	}
	if err := checkTransports(o.Transports); err != nil {
		return nil, err
	}
	switch o.From {
	case BeginDefault, BeginStart, BeginNow:
	default:
		return nil, wire.Invalid("from", "%q must be start or now", o.From)
	}
	s := &Stream{
		client: c, session: sessionID, opts: o,
		backoff: backoff.Backoff{Min: minWait, Max: maxWait, Rand: o.Rand},
		worked:  make([]bool, len(o.Transports)), pollWait: wire.PollWait,
	}
	s.at.seed(o.After)
	if err := s.connect(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// Attach is [Client.Stream] under the name that the other clients have for it.
func (c *Client) Attach(ctx context.Context, sessionID string, o StreamOptions) (*Stream, error) {
	return c.Stream(ctx, sessionID, o)
}

// StartStream opens a session and reads it from its beginning. Whoever leaves the stream before its end stops the
// session with [Client.Stop], or leaves it to its time limit. If the stream cannot be had the session is stopped.
func (c *Client) StartStream(
	ctx context.Context, req wire.StartRequest, o StreamOptions,
) (*Stream, *wire.StartResponse, error) {
	started, err := c.Start(ctx, req)
	if err != nil {
		return nil, nil, err
	}
	o.From = BeginStart
	stream, err := c.Stream(ctx, started.SessionID, o)
	if err != nil {
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), dialTimeout)
		defer cancel()
		_, late := c.Stop(stopping, started.SessionID)
		return nil, nil, errors.Join(err, late)
	}
	return stream, started, nil
}

// Next returns the next frame, waiting for it. After the frame session_ended it returns io.EOF. When ctx ends while it
// waits it returns ctx's error and drops the connection; the next call returns to where the stream was.
func (s *Stream) Next(ctx context.Context) (Frame, error) {
	for {
		if s.ended {
			return Frame{}, io.EOF
		}
		for len(s.rest) > 0 {
			line := s.cutLine()
			if len(line) == 0 {
				continue
			}
			frame, fresh, err := s.accept(line)
			if err != nil || fresh {
				return frame, err
			}
		}
		if err := s.fill(ctx); err != nil {
			return Frame{}, err
		}
	}
}

// Dry says whether the next call of Next has to wait for the network.
func (s *Stream) Dry() bool { return len(s.rest) == 0 }

// Cursor is where the stream stands: after every frame that Next returned.
func (s *Stream) Cursor() wire.Cursor { return s.at.cursor() }

// Transport is the way on which the stream's frames come now.
func (s *Stream) Transport() Transport {
	if s.probing {
		return TransportPoll
	}
	return s.opts.Transports[s.rung]
}

// Close drops the connection; the session goes on. A second call does nothing.
func (s *Stream) Close() error {
	s.ended, s.rest = true, nil
	s.drop()
	return nil
}

// cutLine takes the next line of the message that was read last.
func (s *Stream) cutLine() []byte {
	line, rest, _ := bytes.Cut(s.rest, []byte{'\n'})
	s.rest = rest
	return bytes.TrimSuffix(line, []byte{'\r'})
}

// fill reads the next message, over a new connection if need be.
func (s *Stream) fill(ctx context.Context) error {
	// Asked here, so that what has arrived is not a matter of luck, and the connection need not be given up.
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.conn == nil {
		return s.reconnect(ctx, nil)
	}
	if s.probing {
		return s.tryProbed(ctx)
	}
	readCtx, cancel := context.WithTimeout(ctx, silence)
	message, err := s.conn.read(readCtx)
	cancel()
	broke := (*wire.Error)(nil)
	switch {
	case err == nil:
		s.backoff.Reset()
		s.rest = message
		return nil
	case ctx.Err() != nil:
		s.drop()
		return ctx.Err()
	case errors.As(err, &broke) || !passing(s.told(err)):
		s.drop()
		return s.told(err)
	case errors.Is(err, context.DeadlineExceeded):
		err = fmt.Errorf("nothing heard for %v", silence)
	}
	s.drop()
	return s.reconnect(ctx, plain(err))
}

// reconnect tries to return until MaxOffline is over or the server refuses.
func (s *Stream) reconnect(ctx context.Context, why error) error {
	wait := s.backoff.Next()
	if why != nil {
		s.tell(ConnStatus{Err: why, Wait: wait})
	}
	limit := time.Now().Add(s.opts.MaxOffline)
	for attempt := 1; ; attempt++ {
		if err := sleep(ctx, wait); err != nil {
			return err
		}
		err := s.connect(ctx)
		if err == nil {
			s.tell(ConnStatus{Connected: true, Attempt: attempt})
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !passing(err) {
			return err
		}
		if wait = s.backoff.Next(); time.Now().Add(wait).After(limit) {
			return wire.Errorf(wire.CodeUnavailable, "lost the server for %v: %v", s.opts.MaxOffline, message(err))
		}
		s.tell(ConnStatus{Err: err, Attempt: attempt, Wait: wait})
	}
}

// drop closes the connection without waiting for the other side.
func (s *Stream) drop() {
	if s.conn != nil {
		s.conn.drop()
		s.conn, s.probing = nil, false
	}
}

// tell calls OnStatus.
func (s *Stream) tell(status ConnStatus) {
	if s.opts.OnStatus != nil {
		s.opts.OnStatus(status)
	}
}

// passing says whether an attempt that failed with err may work later.
func passing(err error) bool {
	refused := (*wire.Error)(nil)
	if !errors.As(err, &refused) {
		return true
	}
	switch refused.Code {
	case wire.CodeUnavailable, wire.CodeInternal, wire.CodeStorage, wire.CodeRateLimited, wire.CodeSlowViewer:
		return true
	}
	return false
}

// message is err without the code of a [wire.Error].
func message(err error) string {
	if refused := (*wire.Error)(nil); errors.As(err, &refused) {
		return refused.Message
	}
	return err.Error()
}

// sleep waits for d or until ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
