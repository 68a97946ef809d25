package client

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/spilelog/spile/wire"
)

const (
	// eventsBuffer is how much of server-sent events is read at once.
	eventsBuffer = 64 << 10
	// mediaEvents is the media type of server-sent events.
	mediaEvents = "text/event-stream"
)

// events is a connection over server-sent events.
type events struct {
	body   io.ReadCloser
	in     *bufio.Reader
	cancel context.CancelFunc
}

// openEvents connects over server-sent events.
func (s *Stream) openEvents(ctx context.Context) (connection, error) {
	// The answer outlives ctx, which bounds only its beginning.
	long, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, cancel)
	defer stop()
	req, err := http.NewRequestWithContext(long, http.MethodGet, s.target("sse", s.query()), nil)
	if err != nil {
		cancel()
		return nil, err
	}
	req.Header.Set("Accept", mediaEvents)
	// What compresses gathers first.
	req.Header.Set("Accept-Encoding", "identity")
	s.client.authorize(req.Header)
	resp, err := s.client.http.Do(req)
	if err != nil {
		cancel()
		return nil, err
	}
	if resp.StatusCode != http.StatusOK || !hasMediaType(resp.Header, mediaEvents) {
		defer cancel()
		return nil, refusedBy(resp)
	}
	return &events{body: resp.Body, in: bufio.NewReaderSize(resp.Body, eventsBuffer), cancel: cancel}, nil
}

// read reads the events that have come, at least one.
func (e *events) read(ctx context.Context) ([]byte, error) {
	stop := context.AfterFunc(ctx, e.cancel)
	defer stop()
	var out []byte
	for {
		line, err := e.line()
		if err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			return nil, err
		}
		if data, ok := bytes.CutPrefix(line, []byte("data:")); ok {
			out = append(append(out, bytes.TrimSpace(data)...), '\n')
		}
		if len(out) > 0 && (e.in.Buffered() == 0 || len(out) >= eventsBuffer) {
			return out, nil
		}
	}
}

// line reads one line. What it returns is good until the next call.
func (e *events) line() ([]byte, error) {
	line, err := e.in.ReadSlice('\n')
	if err == nil || !errors.Is(err, bufio.ErrBufferFull) {
		return line, err
	}
	long := bytes.Clone(line)
	for errors.Is(err, bufio.ErrBufferFull) {
		if line, err = e.in.ReadSlice('\n'); len(long)+len(line) > maxMessage {
			return nil, wire.Errorf(wire.CodeInternal, "the server sent an event of more than %d bytes", maxMessage)
		}
		long = append(long, line...)
	}
	return long, err
}

// drop ends the answer.
func (e *events) drop() {
	e.cancel()
	_ = e.body.Close()
}
