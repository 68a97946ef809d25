// Package streamtest opens a tap's stream over HTTP, for the tests of the adapters.
package streamtest

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/spilelog/spile"
	"github.com/spilelog/spile/tap"
)

// Stream is one viewer at level debug.
type Stream struct {
	t      testing.TB
	tap    *tap.Tap
	server *httptest.Server
	body   io.ReadCloser
	lines  *bufio.Scanner
	once   sync.Once
}

// Open opens a stream of h that lowers the dials of the leasers. It is closed with the test at the latest.
func Open(t testing.TB, h *spile.Handler, lower ...*tap.Leaser) *Stream {
	t.Helper()
	mounted, err := tap.Handler(h, tap.Options{AllMetadata: true, Lower: lower})
	if err != nil {
		t.Fatal(err)
	}
	s := &Stream{t: t, tap: mounted, server: httptest.NewServer(mounted)}
	t.Cleanup(s.Close)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.server.URL+"?level=debug&format=text", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := s.server.Client().Do(request) //nolint:bodyclose // Close closes it.
	if err != nil {
		t.Fatal(err)
	}
	s.body, s.lines = response.Body, bufio.NewScanner(response.Body)
	if response.StatusCode != http.StatusOK {
		t.Fatal(response.Status)
	}
	return s
}

// Until reads up to the line that contains text, and returns that line.
func (s *Stream) Until(text string) string {
	s.t.Helper()
	for s.lines.Scan() {
		if line := s.lines.Text(); strings.Contains(line, text) {
			return line
		}
	}
	s.t.Fatalf("the stream ended before %q: %v", text, s.lines.Err())
	return ""
}

// Close goes away as a viewer does, without a word, and waits until the tap has noticed.
func (s *Stream) Close() {
	s.once.Do(func() {
		if s.body != nil {
			s.body.Close()
		}
		s.server.Close()
		if err := s.tap.Close(context.Background()); err != nil {
			s.t.Error(err)
		}
	})
}
