package client

import (
	"context"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"strconv"
	"time"

	"github.com/spilelog/spile/wire"
)

const (
	// maxAnswerFrames bounds one answer to a poll: what a server gathers, and one batch more, as JSON.
	maxAnswerFrames = wire.PollBytes + 2*wire.MaxBatchBytes
	// leastWait is how far the wait of a poll is shortened for proxies that do not wait as long.
	leastWait = time.Second
)

// polling is a connection made of one poll after another. It lasts as long as its stream: a poll that fails is asked
// again with the same cursor, by which the server knows the viewer again.
type polling struct {
	stream *Stream
	// asked says that the first poll, which does not wait, was answered.
	asked bool
}

// newPolling begins to poll; nothing is asked yet.
func (s *Stream) newPolling() connection { return &polling{stream: s} }

// read polls once.
func (p *polling) read(ctx context.Context) ([]byte, error) {
	s := p.stream
	query, wait := s.query(), time.Duration(0)
	if s.polled != "" {
		query.Del("from")
		query.Set("after", s.polled)
	}
	for {
		if p.asked {
			wait = s.pollWait
		}
		query.Set("wait", strconv.Itoa(int(wait/time.Second)))
		began := time.Now()
		answer, err := p.ask(ctx, s.target("poll", query))
		if err == nil {
			p.asked, s.polled = true, answer.Cursor
			return lines(answer.Frames), nil
		}
		if ctx.Err() != nil || wait <= leastWait || time.Since(began) < leastWait || isFinal(err) {
			return nil, err
		}
		// A proxy that gives up after some silence has to be asked for less.
		s.pollWait = max(wait/2, leastWait)
	}
}

// ask makes one call.
func (p *polling) ask(ctx context.Context, target string) (*wire.PollAnswer, error) {
	c := p.stream.client
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	c.authorize(req.Header)
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, refusedBy(resp)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswerFrames))
	if err != nil {
		return nil, err
	}
	answer := &wire.PollAnswer{}
	if err := json.Unmarshal(data, answer); err != nil || answer.Cursor == "" {
		return nil, wire.Errorf(wire.CodeInternal, "%s answered a poll with something else than expected", c.base)
	}
	return answer, nil
}

// drop has nothing to end. The server sees that nobody asks any more.
func (p *polling) drop() {}

// hasMediaType says whether an answer is of a media type.
func hasMediaType(h http.Header, want string) bool {
	kind, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	return err == nil && kind == want
}
