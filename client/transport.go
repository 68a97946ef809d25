package client

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/coder/websocket"

	"github.com/spilelog/spile/wire"
)

// Transport is a way on which the frames of a stream come.
type Transport string

// The transports, as a stream tries them.
const (
	// TransportWebSocket is one connection that proxies must upgrade.
	TransportWebSocket Transport = "websocket"
	// TransportSSE is one answer that never ends, which proxies must pass on as it comes.
	TransportSSE Transport = "sse"
	// TransportPoll is one question after another, each of which waits for its answer. It gets through everywhere.
	TransportPoll Transport = "poll"
)

// DefaultFirstFrame is how long a transport may take to its first frame before the next one is tried.
const DefaultFirstFrame = 2 * time.Second

// Transports lists all transports in the order in which a stream tries them.
func Transports() []Transport { return []Transport{TransportWebSocket, TransportSSE, TransportPoll} }

// Fallback tells that a stream goes on by another transport.
type Fallback struct {
	From, To Transport
	// Err is why the first one does not work here.
	Err error
}

// connection is one connection of a stream.
type connection interface {
	// read waits for frames, each a line. When ctx ends the connection is of no use any more.
	read(ctx context.Context) ([]byte, error)
	// drop ends the connection without waiting for the other side.
	drop()
}

// checkTransports says what is wrong with a list of transports.
func checkTransports(list []Transport) error {
	for i, t := range list {
		if !slices.Contains(Transports(), t) || slices.Contains(list[:i], t) {
			return wire.Invalid("transports", "%q must be one of websocket, sse and poll, and each only once", t)
		}
	}
	return nil
}

// connect makes a connection that begins after the stream's positions: by the best transport that ever worked, else by
// the first one that does.
func (s *Stream) connect(ctx context.Context) error {
	from := max(slices.Index(s.worked, true), 0)
	var why error
	for i := from; i < len(s.opts.Transports); i++ {
		if s.opts.Transports[i] == TransportSSE && i > from && s.probe(ctx) {
			s.probing, s.why, s.next = true, why, i
			return nil
		}
		err := s.connectBy(ctx, i)
		if err == nil {
			s.step(i, why)
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if why == nil || isFinal(err) {
			why = err
		}
		if !s.fallsBack(i, err) {
			break
		}
	}
	return s.told(why)
}

// step notes which transport is in use, and tells it if it is another than before.
func (s *Stream) step(i int, why error) {
	from := s.rung
	s.rung = i
	if i != from && s.opts.OnFallback != nil {
		s.opts.OnFallback(Fallback{From: s.opts.Transports[from], To: s.opts.Transports[i], Err: s.told(why)})
	}
}

// probe finds out by one poll where the stream begins, before a transport is tried that may swallow its beginning: a
// proxy that holds an answer back has asked for it all the same, and the server takes what it wrote for read. The
// transport itself is tried after that.
func (s *Stream) probe(ctx context.Context) bool {
	poll := slices.Index(s.opts.Transports, TransportPoll)
	return poll >= 0 && len(s.at.list) == 0 && !s.fromStart && s.connectBy(ctx, poll) == nil
}

// tryProbed tries the transport that a probe was made for, and goes on polling if it does not work.
func (s *Stream) tryProbed(ctx context.Context) error {
	polling, polled := s.conn, s.polled
	err := s.connectBy(ctx, s.next)
	if ctx.Err() != nil {
		s.drop()
		return ctx.Err()
	}
	s.probing = false
	if err == nil {
		s.step(s.next, s.why)
		return nil
	}
	s.conn, s.polled = polling, polled
	s.step(slices.Index(s.opts.Transports, TransportPoll), errors.Join(s.why, err))
	return nil
}

// connectBy makes a connection by one transport and reads its first message.
func (s *Stream) connectBy(ctx context.Context, rung int) error {
	limit := s.opts.FirstFrame
	if rung == len(s.opts.Transports)-1 {
		limit = dialTimeout
	}
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var conn connection
	var err error
	switch s.opts.Transports[rung] {
	case TransportWebSocket:
		conn, err = s.dialSocket(limited)
	case TransportSSE:
		conn, err = s.openEvents(limited)
	case TransportPoll:
		conn = s.newPolling()
	}
	var message []byte
	if err == nil {
		if message, err = conn.read(limited); err == nil {
			if s.opts.Transports[rung] != TransportPoll {
				s.polled = ""
			}
			s.conn, s.rest, s.worked[rung] = conn, message, true
			return nil
		}
		conn.drop()
	}
	if limited.Err() != nil && ctx.Err() == nil {
		return wire.Errorf(wire.CodeUnavailable, "nothing came by %s within %v", s.opts.Transports[rung], limit)
	}
	return err
}

// fallsBack says whether the next transport may work where this one failed with err.
func (s *Stream) fallsBack(rung int, err error) bool {
	if refused := (*refusedError)(nil); errors.As(err, &refused) {
		switch refused.status {
		case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
			// A proxy says so of a server that is away as well; if it worked before, it works again.
			return !refused.ours && !s.worked[rung]
		}
		return !isFinal(err)
	}
	// Nobody is there, by whichever transport.
	dial, unknown := (*net.OpError)(nil), (*net.DNSError)(nil)
	return !errors.As(err, &unknown) && (!errors.As(err, &dial) || dial.Op != "dial")
}

// refusedError is an answer that is none of success; ours says that the server itself gave it.
type refusedError struct {
	refusal *wire.Error
	status  int
	ours    bool
}

// Error is the refusal's text.
func (e *refusedError) Error() string { return e.refusal.Error() }

// refusedBy makes the error of an answer and closes it.
func refusedBy(resp *http.Response) error {
	var body []byte
	if resp.Body != nil {
		// What cannot be read of a refusal is made up for by its status.
		body, _ = io.ReadAll(io.LimitReader(resp.Body, wire.MaxBody))
		_ = resp.Body.Close()
	}
	return &refusedError{refusal: refusal(resp.StatusCode, body), status: resp.StatusCode, ours: isRefusal(body)}
}

// isFinal says whether err is the server's own word on the call, which holds for every transport.
func isFinal(err error) bool {
	refused := (*refusedError)(nil)
	return errors.As(err, &refused) && refused.ours && refused.status != http.StatusUpgradeRequired
}

// told is err as callers get it: a [*wire.Error], or the error of their context.
func (s *Stream) told(err error) error {
	if refused := (*refusedError)(nil); errors.As(err, &refused) {
		return refused.refusal
	}
	if known := (*wire.Error)(nil); err == nil || errors.As(err, &known) {
		return err
	}
	return s.client.unreachable(context.Background(), err)
}

// query says how the stream wants to be seen, and from where on. Everything is asked for, since a stream that knows
// its place and hears heartbeats is worth more than the bytes; Next leaves out what nobody asked for.
func (s *Stream) query() url.Values {
	query := url.Values{"events": {"all"}}
	switch after := s.at.cursor(); {
	case len(after) > 0:
		query.Set("after", after.String())
	case s.fromStart:
		query.Set("from", "start")
	case s.opts.From != "":
		query.Set("from", string(s.opts.From))
	}
	return query
}

// target is the URL of the stream in one form.
func (s *Stream) target(form string, query url.Values) string {
	return s.client.base + wire.BasePath + "/stream/" + form + "/" + url.PathEscape(s.session) + "?" + query.Encode()
}

// socket is a connection over WebSocket.
type socket struct{ conn *websocket.Conn }

// dialSocket connects over WebSocket.
func (s *Stream) dialSocket(ctx context.Context) (connection, error) {
	query := s.query()
	query.Set("batch", "1")
	header := http.Header{}
	s.client.authorize(header)
	conn, resp, err := websocket.Dial(ctx, s.target("ws", query), &websocket.DialOptions{
		HTTPClient: s.client.http, HTTPHeader: header, CompressionMode: websocket.CompressionDisabled,
	})
	switch {
	case err == nil:
		conn.SetReadLimit(maxMessage)
		return socket{conn}, nil
	case resp == nil || resp.StatusCode == http.StatusSwitchingProtocols:
		return nil, err
	}
	return nil, refusedBy(resp)
}

// read reads one message.
func (c socket) read(ctx context.Context) ([]byte, error) {
	kind, message, err := c.conn.Read(ctx)
	if err == nil && kind != websocket.MessageText {
		return nil, wire.Errorf(wire.CodeInternal, "the server sent a binary message on a stream")
	}
	return message, err
}

// drop closes the connection. It is given up; there is nobody who could do anything about an error.
func (c socket) drop() { _ = c.conn.CloseNow() }

// lines joins frames as a message has them.
func lines[T ~[]byte](frames []T) []byte {
	var out []byte
	for _, frame := range frames {
		out = append(append(out, bytes.TrimSpace(frame)...), '\n')
	}
	return out
}
