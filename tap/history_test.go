package tap

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spilelog/spile"
	"github.com/spilelog/spile/event"
	"github.com/spilelog/spile/wire"
)

func TestSince(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{Metadata: []string{"user"}, History: History{Bytes: 1 << 20}})
		r.logger.Info("old one", "user", "ann")
		pass(10 * time.Minute)
		at := time.Now()
		r.logger.Debug("too low for the history", "user", "ann")
		r.logger.Info("one", "user", "ann")
		r.logger.Info("other", "user", "bob")
		r.logger.Error("two", "user", "ann")
		pass(time.Second)
		for _, since := range []string{"5m", at.Format(time.RFC3339Nano)} {
			v := r.watchAt(t, query("since", since, "scope", "user:ann", "pattern", "one|two|three", "format", "json"))
			r.logger.Debug("three", "user", "ann")
			settle()
			all := frames(t, v.String())
			var got []string
			for _, f := range all {
				got = append(got, string(f.Event)+f.Message)
			}
			if s := strings.Join(got, " "); s != "session_started one two history_end three" {
				t.Errorf("since %s: got %s", since, s)
			}
			if delivered, gapped := tally(t, all); delivered != 3 || gapped != 0 {
				t.Errorf("since %s: %d delivered, %d missing", since, delivered, gapped)
			}
			v.leave()
		}
		past := r.watchAt(t, query("since", "1h", "format", "json"))
		plain := r.watchAt(t, query("format", "json"))
		if len(frames(t, past.String())) != 6 || len(frames(t, plain.String())) != 1 {
			t.Errorf("with a past: %s\nwithout: %s", past, plain)
		}
		past.leave()
		plain.leave()
		v := r.watchAt(t, query("since", "1h", "level", "error", "format", "text"))
		if got := v.String(); !strings.HasSuffix(got, "[error] two\n-- live from here on --\n") || strings.Count(got, "\n") != 2 {
			t.Errorf("got %q", got)
		}
		v.leave()
		refused := []string{"", "-5m", "0s", "yesterday", "2024-01-01"}
		for _, since := range refused {
			if w := r.get(t, query("since", since)); w.Code != 400 || !strings.Contains(w.Body.String(), "5m") {
				t.Errorf("since %q: %d %s", since, w.Code, w.Body)
			}
		}
	})
}

func TestHistoryLevels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{History: History{Bytes: 1 << 20, Level: slog.LevelDebug}})
		if r.lowest() != slog.LevelDebug {
			t.Errorf("threshold %v", r.lowest())
		}
		v := r.watchAt(t, "/?level=error")
		if r.lowest() != slog.LevelDebug {
			t.Errorf("threshold %v with a stream", r.lowest())
		}
		v.leave()
		if err := r.tap.Close(t.Context()); err != nil || r.lowest() != slog.LevelInfo {
			t.Errorf("closed: threshold %v, %v", r.lowest(), err)
		}
	})
}

func TestHistoryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = 100_000
		r := newRig(t, Options{AllMetadata: true, History: History{Bytes: limit}})
		start := time.Now()
		r.say(strings.Repeat("x", limit))
		if got := r.tap.history.ring.Bytes(); got > 1000 {
			t.Errorf("a record too large takes %d bytes", got)
		}
		for i := range 1000 {
			r.logger.Info("event", slog.Group("g", "i", i, "text", strings.Repeat("y", 100)), "any", struct{ A int }{i})
		}
		r.logger.Info("last", "bomb", bomb{})
		if got := r.tap.history.ring.Bytes(); got > limit {
			t.Errorf("%d bytes of %d", got, limit)
		}
		v := r.watchAt(t, query("since", start.Format(time.RFC3339Nano), "format", "json"))
		settle()
		all := frames(t, v.String())
		if all[1].Event != wire.EventGap || !all[1].AtLeast || all[1].Reason != wire.ReasonPositionLost {
			t.Errorf("it does not say that older events are gone: %+v", all[1])
		}
		if got := v.String(); !strings.Contains(got, `"g":{"i":999,`) || !strings.Contains(got, `"any":{"A":999}`) ||
			!strings.Contains(got, `"message":"last","metadata":{"what":"log_format_failed"`) {
			t.Errorf("got %s", got[len(got)-2000:])
		}
		text := r.watchAt(t, query("since", "1h", "format", "text"))
		if !strings.HasPrefix(text.String(), "-- older events are not in the history --\n") {
			t.Errorf("got %q", text.String()[:100])
		}
	})
}

// TestNoSeam opens streams with a history while events are logged: each sees all of them, once and in order.
func TestNoSeam(t *testing.T) {
	r := newRig(t, Options{Metadata: []string{"writer"}, History: History{Bytes: 64 << 20}, Buffer: 64 << 20})
	const writers, each = 3, 400
	var wg sync.WaitGroup
	start := make(chan struct{})
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				r.say(fmt.Sprint(i), "writer", w)
				if i == each/10 && w == 0 {
					close(start)
				}
			}
		})
	}
	<-start
	var visits []*visit
	for range 5 {
		visits = append(visits, r.watchAt(t, query("since", "1h", "scope", "writer:1", "format", "json")))
	}
	wg.Wait()
	if err := r.tap.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, v := range visits {
		next := 0
		for _, f := range frames(t, v.String()) {
			if f.Type != "log" {
				continue
			}
			if f.Message != fmt.Sprint(next) {
				t.Fatalf("event %s, want %d", f.Message, next)
			}
			next++
		}
		if next != each {
			t.Errorf("%d events of %d", next, each)
		}
	}
}

// TestPlaceDecidesOnce checks what TestNoSeam can only hit by luck: an event that got its place before a stream opened
// is in the stream's past, and not live, though its logger may find the stream.
func TestPlaceDecidesOnce(t *testing.T) {
	r := newRig(t, Options{History: History{Bytes: 1 << 20}})
	e := &event.Event{Time: time.Now(), Message: "x"}
	before := r.tap.history.add(e)
	s, p, refusal := r.tap.start(&ask{since: time.Unix(1, 0)})
	if refusal != nil {
		t.Fatal(refusal)
	}
	after := r.tap.history.add(e)
	if len(p.events) != 1 || before >= s.tape.live || after < s.tape.live {
		t.Errorf("places %d and %d, live from %d on, %d events", before, after, s.tape.live, len(p.events))
	}
	r.tap.end(s, endGone)
	r.tap.served()
}

// TestHistoryCutShort ends a stream while its history is written.
func TestHistoryCutShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{History: History{Bytes: 10 << 20}, WriteTimeout: time.Hour})
		for range 500 {
			r.say(strings.Repeat("x", 1000))
		}
		s := newScreen()
		release := s.stall()
		done := make(chan struct{})
		go func() {
			defer close(done)
			r.serve(t, s, "/?since=1h&format=json")
		}()
		synctest.Wait()
		closed := make(chan error)
		go func() { closed <- r.tap.Close(t.Context()) }()
		synctest.Wait()
		release()
		<-done
		if err := <-closed; err != nil {
			t.Error(err)
		}
		all := frames(t, s.String())
		delivered, gapped := tally(t, all)
		if delivered+gapped != 500 || gapped == 0 || all[len(all)-1].Event != wire.EventSessionEnded {
			t.Errorf("%d delivered, %d missing", delivered, gapped)
		}
	})
}

// TestHistoryKeepsNamespace checks that what is replayed is what was logged.
func TestHistoryKeepsNamespace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{Metadata: []string{"line"}, History: History{Bytes: 1 << 20}})
		r.logger.Info("x", spile.Namespace("Shop::Cart"))
		live := r.watchAt(t, query("since", "1m", "scope", "source:Shop::Cart", "format", "json"))
		settle()
		if got := live.String(); !strings.Contains(got, `"source":"Shop::Cart","message":"x","metadata":{"line":`) {
			t.Errorf("got %s", got)
		}
	})
}
