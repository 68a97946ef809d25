package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"

	"github.com/spilelog/spile"
	"github.com/spilelog/spile/tap"
	"github.com/spilelog/spile/wire"
)

// The kinds of watched calls, all at debug while the program's own log is at info.
const (
	whatNone     = "10 fields at debug, carried uuid, no stream"
	whatLevel    = "10 fields at debug, a stream at error"
	whatScope    = "10 fields at debug, a stream of another uuid"
	whatOne      = "10 fields at debug, one stream"
	whatLoopback = "10 fields at debug, one stream over loopback"
	whatTenOf    = "10 fields at debug, ten streams"
	whatTwo      = "10 fields at debug, one stream, 2 goroutines"
)

// The requests of the viewers.
const (
	watchAll   = "/?format=json"
	watchError = "/?format=json&level=error"
	watchOther = "/?format=json&scope=uuid:42"
)

// mostDelivered is how much of the records the viewers must have got, so that dropping does not pass for speed.
const mostDelivered = 0.95

// streams is the part of the table that is about live streams.
func streams() []measurement {
	return []measurement{
		{what: whatNone, who: whoSpile, open: func() (*subject, error) { return watched(debugTen) }},
		{
			what: whatLevel, who: whoSpile, goals: []goal{{what: whatNone, who: whoSpile, most: 1.2, none: true}},
			open: func() (*subject, error) { return watched(debugTen, watchError) },
		},
		{
			what: whatScope, who: whoSpile, goals: []goal{{what: whatNone, who: whoSpile, most: 1.2, none: true}},
			open: func() (*subject, error) { return watched(debugTen, watchOther) },
		},
		{
			what: whatOne, who: whoSpile, goals: []goal{
				{what: whatDisabledTen, who: whoHclog, most: 0.2},
				{what: whatTen, who: whoSlog, most: 0.6},
				{delivered: mostDelivered},
			},
			open: func() (*subject, error) { return watched(debugTen, watchAll) },
		},
		{
			what: whatTenOf, who: whoSpile,
			// What ten readers on a busy machine miss was put on the tape all the same, so it spares nothing.
			goals: []goal{{what: whatOne, who: whoSpile, most: 1.25}},
			open: func() (*subject, error) {
				return watched(debugTen, watchAll, watchAll, watchAll, watchAll, watchAll,
					watchAll, watchAll, watchAll, watchAll, watchAll)
			},
		},
		{
			what: whatTwo, who: whoSpile, goals: []goal{{what: whatOne, who: whoSpile}},
			open: func() (*subject, error) { return watched(debugTenTwice, watchAll) },
		},
		{
			what: whatLoopback, who: whoSpile, goals: []goal{{what: whatDisabledTen, who: whoHclog}},
			open: openLoopback,
		},
	}
}

// debugTenTwice is debugTen in two goroutines.
func debugTenTwice(l *slog.Logger, n int) {
	var wg sync.WaitGroup
	wg.Go(func() { debugTen(l, n/2) })
	debugTen(l, n-n/2)
	wg.Wait()
}

// watched is a logger at info, which carries a field, with viewers in this process that only count what they get.
func watched(log func(*slog.Logger, int), targets ...string) (*subject, error) {
	h := spile.New(spile.NewWriter(spile.WriterOptions{Writer: &counter{}, FlushEvery: -1}))
	t, err := tap.Handler(h, tap.Options{AllMetadata: true})
	if err != nil {
		return nil, err
	}
	viewers := make([]*viewer, len(targets))
	for i, target := range targets {
		viewers[i] = newViewer()
		go viewers[i].watch(t, target)
		if err := viewers[i].wait(); err != nil {
			return nil, errors.Join(err, t.Close(context.Background()))
		}
	}
	logger := slog.New(h).With("uuid", "41")
	return &subject{
		log: func(n int) { log(logger, n) },
		finish: func() (account, error) {
			err := t.Close(context.Background())
			if len(viewers) == 0 {
				return account{}, err
			}
			for _, v := range viewers[1:] {
				a, bad := v.account()
				if err = errors.Join(err, bad); a.dropped > 0 {
					return a, err
				}
			}
			a, bad := viewers[0].account()
			return a, errors.Join(err, bad)
		},
	}, nil
}

// viewer is the answer to a request in this process, which counts what it is given and keeps the end of it.
type viewer struct {
	header http.Header
	code   int
	tail   tail
	once   sync.Once
	// open is closed when the stream has begun, done when it is over.
	open, done chan struct{}
}

func newViewer() *viewer {
	return &viewer{header: http.Header{}, open: make(chan struct{}), done: make(chan struct{})}
}

// watch is the request, from its beginning to its end.
func (v *viewer) watch(t *tap.Tap, target string) {
	defer close(v.done)
	t.ServeHTTP(v, httptest.NewRequestWithContext(context.Background(), http.MethodGet, target, http.NoBody))
}

// wait waits until the stream has begun.
func (v *viewer) wait() error {
	select {
	case <-v.open:
		return nil
	case <-v.done:
		return fmt.Errorf("open stream: %d %s", v.code, v.tail.last)
	}
}

// account is what the stream said of itself in the end.
func (v *viewer) account() (account, error) {
	<-v.done
	return v.tail.account()
}

// Header is part of [http.ResponseWriter].
func (v *viewer) Header() http.Header { return v.header }

// WriteHeader is part of [http.ResponseWriter].
func (v *viewer) WriteHeader(code int) { v.code = code }

// Write counts.
func (v *viewer) Write(p []byte) (int, error) { return v.tail.Write(p) }

// Flush says that the stream has begun.
func (v *viewer) Flush() { v.once.Do(func() { close(v.open) }) }

// tail is a writer that counts, and keeps what was written last.
type tail struct {
	bytes uint64
	last  []byte
}

// tailBytes is how much is kept, enough for the last frame of a stream.
const tailBytes = 1024

// Write counts.
func (t *tail) Write(p []byte) (int, error) {
	t.bytes += uint64(len(p))
	t.last = append(t.last[:0], p[max(0, len(p)-tailBytes):]...)
	return len(p), nil
}

// account reads the last frame.
func (t *tail) account() (account, error) {
	line := bytes.TrimSpace(t.last)
	line = line[bytes.LastIndexByte(line, '\n')+1:]
	var frame wire.Control
	if err := json.Unmarshal(line, &frame); err != nil {
		return account{}, fmt.Errorf("read the last frame %q: %w", line, err)
	}
	if frame.Accounts == nil {
		return account{}, fmt.Errorf("read the last frame %q: it has no accounts", line)
	}
	var a account
	for _, v := range frame.Accounts.Viewer {
		a.delivered, a.dropped = a.delivered+v.Delivered, a.dropped+v.Gapped
	}
	return a, nil
}

// loopback is a viewer that reads from a real connection, in this process.
type loopback struct {
	tap    *tap.Tap
	server *httptest.Server
	body   io.ReadCloser
	logger *slog.Logger
}

// newLoopback opens a stream over loopback.
func newLoopback() (*loopback, error) {
	h := spile.New(spile.NewWriter(spile.WriterOptions{Writer: &counter{}, FlushEvery: -1}))
	t, err := tap.Handler(h, tap.Options{AllMetadata: true})
	if err != nil {
		return nil, err
	}
	l := &loopback{tap: t, server: httptest.NewServer(t), logger: slog.New(h).With("uuid", "41")}
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, l.server.URL+watchAll, http.NoBody)
	if err != nil {
		return nil, err
	}
	res, err := l.server.Client().Do(req)
	if err != nil {
		return nil, err
	}
	l.body = res.Body
	if res.StatusCode != http.StatusOK {
		l.close()
		return nil, fmt.Errorf("open stream: %s", res.Status)
	}
	return l, nil
}

// close ends the stream without waiting for what it still holds.
func (l *loopback) close() {
	l.body.Close()
	l.server.CloseClientConnections()
	l.server.Close()
}

// openLoopback is a subject that is watched over loopback.
func openLoopback() (*subject, error) {
	l, err := newLoopback()
	if err != nil {
		return nil, err
	}
	var end tail
	var reading sync.WaitGroup
	var readErr error
	reading.Go(func() { _, readErr = io.CopyBuffer(&end, onlyReader{l.body}, make([]byte, readBytes)) })
	return &subject{
		log: func(n int) { debugTen(l.logger, n) },
		finish: func() (account, error) {
			err := l.tap.Close(context.Background())
			reading.Wait()
			if err = errors.Join(err, readErr); err != nil {
				return account{}, err
			}
			return end.account()
		},
		close: l.close,
	}, nil
}

// readBytes is how much a viewer reads at once.
const readBytes = 64 << 10

// onlyReader hides that a reader could write itself to a writer, in pieces of its own choice.
type onlyReader struct{ io.Reader }
