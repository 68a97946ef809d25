package otlp

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/spilelog/spile/internal/backoff"
)

const (
	contentType = "application/x-protobuf"
	// firstRetry bounds the first wait before a batch is sent again, lastRetry every one.
	firstRetry = 500 * time.Millisecond
	lastRetry  = 30 * time.Second
	// maxRetryAfter is the longest wait that a collector may ask for; what is longer counts as this.
	maxRetryAfter = 5 * time.Minute
	// maxResponse is how much of an answer is read, in bytes, and maxReason how much of its text is told.
	maxResponse = 64 << 10
	maxReason   = 300
)

// sender delivers batches, one at a time; one goroutine uses it.
type sender struct {
	client   *http.Client
	endpoint string
	headers  http.Header
	timeout  time.Duration
	retryFor time.Duration
	// resource and scope are the encoded fields that stand before the records.
	resource, scope []byte
	gzip            *gzip.Writer // nil if bodies are not compressed
	// closing is closed, by the queue, when the backend is about to end.
	closing <-chan struct{}
	// notBefore is when the next attempt may be made, whichever batch it is for, and asked says that it was the
	// collector who asked for that.
	notBefore time.Time
	asked     bool
}

// newSender returns a sender for checked options.
func newSender(o Options, closing <-chan struct{}) *sender {
	s := &sender{
		client: o.Client, endpoint: o.Endpoint, headers: o.Headers, timeout: o.Timeout, retryFor: o.RetryFor,
		closing: closing,
	}
	if s.headers == nil {
		s.headers = http.Header{}
	}
	s.headers.Set("Content-Type", contentType)
	if s.headers.Get("User-Agent") == "" {
		s.headers.Set("User-Agent", "spile-otlp")
	}
	if o.Compress {
		s.headers.Set("Content-Encoding", "gzip")
		s.gzip = gzip.NewWriter(io.Discard)
	}
	e := &encoder{}
	resource := e.open(resourceLogsResource)
	e.pairs(resourceAttributes, o.Resource, 0)
	e.close(resource)
	s.resource = e.buf
	e = &encoder{}
	scope := e.open(scopeLogsScope)
	e.text(scopeName, o.Scope)
	e.close(scope)
	s.scope = e.buf
	return s
}

// body is the ExportLogsServiceRequest of a batch. It shares no memory with it: a transport may go on reading a body
// after it has given up on the request.
func (s *sender) body(records []byte) []byte {
	scopeLogs := len(s.scope) + len(records)
	resourceLogs := len(s.resource) + protowire.SizeTag(resourceLogsScopeLogs) + protowire.SizeBytes(scopeLogs)
	size := protowire.SizeTag(requestResourceLogs) + protowire.SizeBytes(resourceLogs)

	out := make([]byte, 0, size)
	out = protowire.AppendTag(out, requestResourceLogs, protowire.BytesType)
	out = protowire.AppendVarint(out, uint64(resourceLogs))
	out = append(out, s.resource...)
	out = protowire.AppendTag(out, resourceLogsScopeLogs, protowire.BytesType)
	out = protowire.AppendVarint(out, uint64(scopeLogs))
	out = append(out, s.scope...)
	out = append(out, records...)
	if s.gzip == nil {
		return out
	}
	var packed bytes.Buffer
	s.gzip.Reset(&packed)
	s.gzip.Write(out) //nolint:errcheck // A bytes.Buffer does not fail.
	s.gzip.Close()    //nolint:errcheck // A bytes.Buffer does not fail.
	return packed.Bytes()
}

// attempt is how one request ended.
type attempt struct {
	// err is nil if the collector took the batch.
	err error
	// refused says that the collector answered that it will not take the batch; else it may be tried again, after
	// retryAfter if that is not 0.
	refused    bool
	retryAfter time.Duration
	// answer is what a collector that took the batch says.
	answer message
}

// deliver sends a batch until its fate is known. The last attempt is made when the time for it is over.
func (s *sender) deliver(ctx context.Context, b batch) outcome {
	body := s.body(b.buf)
	waits := backoff.Backoff{Min: firstRetry, Max: lastRetry}
	var giveUp time.Time
	for {
		if s.wait(ctx) != nil {
			return outcome{failed: b.n, err: errAborted}
		}
		if giveUp.IsZero() {
			giveUp = time.Now().Add(s.retryFor)
		}
		a := s.post(ctx, body)
		switch {
		case a.err == nil:
			return taken(b.n, a.answer)
		case a.refused:
			return outcome{rejected: b.n, err: a.err}
		case ctx.Err() != nil:
			return outcome{failed: b.n, err: fmt.Errorf("%w: %w", errAborted, a.err)}
		}
		now := time.Now()
		s.postpone(now, min(waits.Next(), giveUp.Sub(now)), a.retryAfter)
		if !now.Before(giveUp) || s.notBefore.After(giveUp) {
			return outcome{failed: b.n, err: fmt.Errorf("gave up after %v: %w", s.retryFor, a.err)}
		}
	}
}

// postpone sets when the next attempt is made, after pause, or after retryAfter if the collector asks for more. That
// holds for the next batch too.
func (s *sender) postpone(now time.Time, pause, retryAfter time.Duration) {
	select {
	case <-s.closing:
		pause = min(pause, firstRetry) // There is not much time left.
	default:
	}
	s.asked = retryAfter > pause
	s.notBefore = now.Add(max(pause, retryAfter))
}

// wait returns when the next attempt may be made, or the error of a ctx that is done first. When the backend is about
// to end, it waits for nothing but what the collector asked for.
func (s *sender) wait(ctx context.Context) error {
	pause := time.Until(s.notBefore)
	if pause <= 0 {
		return nil
	}
	closing := s.closing
	select {
	case <-closing:
		closing = nil // The pause was made after that, and is short.
	default:
	}
	if s.asked {
		closing = nil
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-closing:
		s.notBefore = time.Time{}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// taken is the outcome of a batch of n records that the collector took.
func taken(n int, answer message) outcome {
	o := outcome{rejected: int(min(max(answer.rejected, 0), int64(n)))}
	switch {
	case o.rejected > 0:
		o.err = fmt.Errorf("the collector rejected %d of %d records: %q", o.rejected, n, reason(answer.text))
	case answer.text != "":
		o.err = fmt.Errorf("the collector warns: %q", reason(answer.text))
	}
	return o
}

// post makes one attempt. A panic, which can only be that of the program's own client, is an attempt that failed.
func (s *sender) post(ctx context.Context, body []byte) (a attempt) {
	defer func() {
		if p := recover(); p != nil {
			a = attempt{err: fmt.Errorf("the client panicked with a %T", p)}
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.endpoint, bytes.NewReader(body))
	if err != nil {
		return attempt{err: err, refused: true}
	}
	req.Header = s.headers.Clone()
	resp, err := s.client.Do(req)
	if err != nil {
		return attempt{err: err}
	}
	defer resp.Body.Close()
	// An answer that breaks off has still said by its status whether the batch was taken.
	data, _ := io.ReadAll(io.LimitReader(resp.Body, maxResponse))
	media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if resp.StatusCode/100 == 2 {
		if media != contentType {
			data = nil
		}
		return attempt{answer: parseSuccess(data)}
	}
	text := string(data)
	if media == contentType {
		text = parseStatus(data)
	}
	return attempt{
		err:        fmt.Errorf("the collector answers %s: %q", resp.Status, reason(text)),
		refused:    !retryable(resp.StatusCode),
		retryAfter: retryAfter(resp.Header.Get("Retry-After")),
	}
}

// retryable says whether the protocol has a client try again after this status.
func retryable(status int) bool {
	switch status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// retryAfter is how long a Retry-After header asks to wait, in seconds or until a time (RFC 9110, 10.2.3); 0 for none.
func retryAfter(header string) time.Duration {
	if seconds, err := strconv.ParseUint(header, 10, 63); err == nil || errors.Is(err, strconv.ErrRange) {
		return time.Duration(min(seconds, uint64(maxRetryAfter/time.Second))) * time.Second
	}
	at, err := http.ParseTime(header)
	if err != nil {
		return 0
	}
	return min(max(time.Until(at), 0), maxRetryAfter)
}

// reason is the part of a collector's text that is told.
func reason(text string) string {
	text = strings.ToValidUTF8(text, "\ufffd")
	if len(text) > maxReason {
		text = strings.ToValidUTF8(text[:maxReason], "") + "…"
	}
	return text
}
