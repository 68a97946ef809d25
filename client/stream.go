package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/coder/websocket"

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
	conn  *websocket.Conn
	rest  []byte
	ended bool
	// fromStart says that nothing was read yet and that this viewer is owed the session from its beginning.
	fromStart bool
}

// Stream connects to a session. The first connection is tried once; its refusal is the error.
func (c *Client) Stream(ctx context.Context, sessionID string, o StreamOptions) (*Stream, error) {
	if o.MaxOffline <= 0 {
		o.MaxOffline = DefaultMaxOffline
	}
	s := &Stream{
		client: c, session: sessionID, opts: o,
		backoff: backoff.Backoff{Min: minWait, Max: maxWait, Rand: o.Rand},
	}
	s.at.seed(o.After)
	if err := s.connect(ctx); err != nil {
		return nil, err
	}
	return s, nil
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
		if err := s.reconnect(ctx, nil); err != nil {
			return err
		}
	}
	readCtx, cancel := context.WithTimeout(ctx, silence)
	kind, message, err := s.conn.Read(readCtx)
	cancel()
	switch {
	case err == nil && kind == websocket.MessageText:
		s.backoff.Reset()
		s.rest = message
		return nil
	case err == nil:
		s.drop()
		return wire.Errorf(wire.CodeInternal, "the server sent a binary message on a stream")
	case ctx.Err() != nil:
		s.drop()
		return ctx.Err()
	case errors.Is(err, context.DeadlineExceeded):
		err = fmt.Errorf("nothing heard for %v", silence)
	}
	s.drop()
	return s.reconnect(ctx, err)
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

// connect opens a connection that begins after the stream's positions.
func (s *Stream) connect(ctx context.Context) error {
	query := url.Values{"batch": {"1"}}
	if s.opts.AllEvents {
		query.Set("events", "all")
	}
	if after := s.at.cursor(); len(after) > 0 {
		query.Set("after", after.String())
	} else if s.fromStart {
		query.Set("from", "start")
	}
	header := http.Header{}
	s.client.authorize(header)
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	target := s.client.base + wire.BasePath + "/stream/ws/" + url.PathEscape(s.session) + "?" + query.Encode()
	//nolint:bodyclose // the library has closed the connection and put a buffer in the body's place
	conn, resp, err := websocket.Dial(ctx, target, &websocket.DialOptions{
		HTTPClient: s.client.http, HTTPHeader: header, CompressionMode: websocket.CompressionDisabled,
	})
	if err != nil {
		return s.dialError(ctx, resp, err)
	}
	conn.SetReadLimit(maxMessage)
	s.conn = conn
	return nil
}

// dialError is the error of a connection that was not made: the server's refusal if it gave one.
func (s *Stream) dialError(ctx context.Context, resp *http.Response, err error) error {
	if resp == nil || resp.StatusCode == http.StatusSwitchingProtocols {
		return s.client.unreachable(ctx, err)
	}
	var body []byte
	if resp.Body != nil {
		// What cannot be read of a refusal is made up for by its status.
		body, _ = io.ReadAll(io.LimitReader(resp.Body, wire.MaxBody))
	}
	return refusal(resp.StatusCode, body)
}

// drop closes the connection without waiting for the other side.
func (s *Stream) drop() {
	if s.conn != nil {
		// The connection is given up; there is nobody who could do anything about an error.
		_ = s.conn.CloseNow()
		s.conn = nil
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
