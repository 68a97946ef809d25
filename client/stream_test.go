package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spilelog/spile/client"
	"github.com/spilelog/spile/wire"
)

// soon makes the waits between attempts nearly nothing.
func soon() float64 { return 0.0001 }

func TestStreamReturnsWithoutGapOrDouble(t *testing.T) {
	noLeak(t)
	const events = 300
	tests := []struct {
		name    string
		cuts    []int
		overlap int
		batch   int
		refuse  int
	}{
		{name: "never-cut"},
		{name: "cut-at-once", cuts: []int{1, 1, 1}},
		{name: "cut-often-with-overlap", cuts: []int{5, 1, 17, 2}, overlap: 4},
		{name: "cut-between-batches-with-overlap", cuts: []int{3, 2, 1}, overlap: 9, batch: 7},
		{name: "refused-for-a-while", cuts: []int{5}, refuse: 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := &fake{t: t, cuts: tt.cuts, overlap: tt.overlap, batch: tt.batch, refuse: tt.refuse}
			var want []int
			for i := range events {
				f.frames = append(f.frames, logFrame(7, uint64(i+1)))
				want = append(want, i+1)
			}
			f.frames = append(f.frames, ended)
			s, err := f.serve().Stream(t.Context(), "sess_x", client.StreamOptions{Rand: soon, AllEvents: true})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if diff := cmp.Diff(want, readAll(t.Context(), t, s)); diff != "" {
				t.Error(diff)
			}
			if got := len(f.connects); got != len(tt.cuts)+tt.refuse+1 {
				t.Errorf("got %d connections, want %d", got, len(tt.cuts)+tt.refuse+1)
			}
			f.checkRequests()
		})
	}
}

// checkRequests holds each connection to what was asked for, and the token to the header.
func (f *fake) checkRequests() {
	for i, query := range f.connects {
		if strings.Contains(query, "secret") || f.tokens[i] != "Bearer secret" {
			f.t.Errorf("connection %d: token in %q, header %q", i, query, f.tokens[i])
		}
		if !strings.Contains(query, "batch=1") || !strings.Contains(query, "events=all") {
			f.t.Errorf("connection %d: asked for %q", i, query)
		}
	}
}

func TestStreamKeepsPlaceAcrossGapsAndEpochs(t *testing.T) {
	gap := func(epoch, from, to uint64) string {
		return fmt.Sprintf(`{"type":"control","event":"gap","agent":%q,"epoch":%d,"from":%d,"to":%d,"count":%d,`+
			`"unit":"events","reason":"slow_viewer"}`, agentID, epoch, from, to, to-from+1)
	}
	f := &fake{t: t, overlap: 2, cuts: []int{3}, frames: []string{
		logFrame(1, 1), logFrame(1, 2), gap(1, 3, 4), gap(1, 3, 4), logFrame(1, 4), logFrame(1, 5), logFrame(2, 1), ended,
	}}
	s, err := f.serve().Stream(t.Context(), "sess_x", client.StreamOptions{Rand: soon})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if diff := cmp.Diff([]int{1, 2, -4, 5, 1}, readAll(t.Context(), t, s)); diff != "" {
		t.Error(diff)
	}
	id, err := wire.ParseUUID(agentID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wire.Cursor{{Agent: id, Epoch: 2, Seq: 1}}, s.Cursor()); diff != "" {
		t.Error(diff)
	}
}

func TestStreamAsksForTheBeginningIfItWasPromised(t *testing.T) {
	started := fmt.Sprintf(`{"type":"control","event":"session_started","next_seq":{%q:1}}`, agentID)
	f := &fake{t: t, cuts: []int{1}, frames: []string{started, ended}}
	s, err := f.serve().Stream(t.Context(), "sess_x", client.StreamOptions{Rand: soon})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	readAll(t.Context(), t, s)
	if len(f.connects) != 2 || !strings.Contains(f.connects[1], "from=start") {
		t.Errorf("got %q", f.connects)
	}
}

func TestStreamGivesUp(t *testing.T) {
	f := &fake{t: t, cuts: []int{1}, refuse: 1 << 20, frames: []string{logFrame(1, 1), ended}}
	var told []client.ConnStatus
	s, err := f.serve().Stream(t.Context(), "sess_x", client.StreamOptions{
		MaxOffline: 50 * time.Millisecond, Rand: func() float64 { return 0.05 },
		OnStatus: func(s client.ConnStatus) { told = append(told, s) },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err = s.Next(t.Context())
	lost := (*wire.Error)(nil)
	if !errors.As(err, &lost) || lost.Code != wire.CodeUnavailable {
		t.Errorf("got %v", err)
	}
	if len(told) == 0 || told[0].Attempt != 0 || told[0].Err == nil {
		t.Errorf("told %v", told)
	}
}

func TestStreamTakesRefusalAsFinal(t *testing.T) {
	f := &fake{t: t}
	c, err := client.New(client.Options{BaseURL: f.serve().BaseURL() + "/elsewhere"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Stream(t.Context(), "sess_x", client.StreamOptions{})
	refused := (*wire.Error)(nil)
	if !errors.As(err, &refused) || refused.Code != wire.CodeNotFound {
		t.Errorf("got %v", err)
	}
}

func TestStreamContinuesAfterACancelledNext(t *testing.T) {
	f := &fake{t: t, frames: []string{logFrame(1, 1), logFrame(1, 2), ended}}
	s, err := f.serve().Stream(t.Context(), "sess_x", client.StreamOptions{Rand: soon})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if frame, err := s.Next(t.Context()); err != nil || frame.Log.Seq != 1 {
		t.Fatal(frame, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	if diff := cmp.Diff([]int{2}, readAll(t.Context(), t, s)); diff != "" {
		t.Error(diff)
	}
}

func TestNewRefusesBadOptions(t *testing.T) {
	tests := []struct {
		name    string
		options client.Options
	}{
		{name: "no-url", options: client.Options{}},
		{name: "no-scheme", options: client.Options{BaseURL: "localhost:7800"}},
		{name: "other-scheme", options: client.Options{BaseURL: "ftp://h"}},
		{name: "user", options: client.Options{BaseURL: "http://u:p@h"}},
		{name: "query", options: client.Options{BaseURL: "http://h?token=x"}},
		{name: "token-of-two-lines", options: client.Options{BaseURL: "http://h", Token: "a\nb"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := client.New(tt.options)
			refused := (*wire.Error)(nil)
			if !errors.As(err, &refused) || refused.Code != wire.CodeValidation {
				t.Errorf("got %v", err)
			}
		})
	}
	c, err := client.New(client.Options{BaseURL: "http://h/spile/api/v1/"})
	if err != nil || c.BaseURL() != "http://h/spile" {
		t.Errorf("base of a full API address: %v %v", c, err)
	}
}

func TestCallsTellWhoRefused(t *testing.T) {
	tests := []struct {
		name   string
		status int
		body   string
		want   wire.Code
	}{
		{name: "our-error", status: 409, body: `{"error":"agent_offline","message":"m"}`, want: wire.CodeAgentOffline},
		{name: "plain-401", status: 401, body: "no", want: wire.CodeUnauthorized},
		{name: "plain-409", status: 409, body: "no", want: wire.CodeConflict},
		{name: "proxy-502", status: 502, body: "<html>", want: wire.CodeUnavailable},
		{name: "teapot", status: 418, body: "", want: wire.CodeValidation},
		{name: "not-json", status: 200, body: "<html>", want: wire.CodeInternal},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := client.New(client.Options{BaseURL: "http://h", HTTP: &http.Client{Transport: answer(tt.status, tt.body)}})
			if err != nil {
				t.Fatal(err)
			}
			_, err = c.Agents(t.Context())
			refused := (*wire.Error)(nil)
			if !errors.As(err, &refused) || refused.Code != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}
