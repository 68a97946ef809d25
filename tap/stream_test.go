package tap

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"

	"github.com/spilelog/spile/event"
	"github.com/spilelog/spile/format"
	"github.com/spilelog/spile/spec"
	"github.com/spilelog/spile/wire"
)

// frame is a frame as a client reads it.
type frame struct {
	wire.Control
	Message string `json:"message"`
	Seq     uint64 `json:"seq"`
}

// frames reads the frames of a stream in JSON or server-sent events, and holds each against the schema.
func frames(t testing.TB, text string) []frame {
	t.Helper()
	schema, err := frameSchema()
	if err != nil {
		t.Fatal(err)
	}
	var out []frame
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(strings.TrimPrefix(line, "data: "))
		if line == "" || line == ":" {
			continue
		}
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(line))
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if err := schema.Validate(value); err != nil {
			t.Errorf("%s: %v", line, err)
		}
		var f frame
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			t.Fatal(err)
		}
		out = append(out, f)
	}
	return out
}

// frameSchema compiles the schema of the frames, once.
var frameSchema = sync.OnceValues(func() (*jsonschema.Schema, error) {
	text, err := spec.FrameSchema()
	if err != nil {
		return nil, err
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("frames.json", document); err != nil {
		return nil, err
	}
	return c.Compile("frames.json")
})

// tally adds up a stream's frames: what was delivered and what was missing, in order and without a hole from the
// number that the first frame promises.
func tally(t testing.TB, all []frame) (delivered, gapped uint64) {
	t.Helper()
	if len(all) == 0 || all[0].Event != wire.EventSessionStarted {
		t.Fatal("the first frame is not session_started")
	}
	var next uint64
	for _, n := range all[0].NextSeq {
		next = n
	}
	for _, f := range all[1:] {
		switch {
		case f.Type == "log":
			if f.Seq != next {
				t.Fatalf("number %d, want %d", f.Seq, next)
			}
			next++
			delivered++
		case f.Event == wire.EventGap && !f.AtLeast:
			if f.From != next || f.To-f.From+1 != f.Count {
				t.Fatalf("gap %d to %d of %d, want it to begin at %d", f.From, f.To, f.Count, next)
			}
			next = f.To + 1
			gapped += f.Count
		}
	}
	return delivered, gapped
}

func TestLifeOfAStream(t *testing.T) {
	for _, encoding := range []string{"json", "sse"} {
		t.Run(encoding, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, Options{MaxDuration: time.Minute, Heartbeat: 14 * time.Second})
				v := r.watchAt(t, query("format", encoding))
				r.logger.Info("one")
				pass(29 * time.Second)
				r.logger.Debug("two")
				pass(31 * time.Second)
				<-v.done
				var got []string
				for _, f := range frames(t, v.String()) {
					got = append(got, string(f.Event)+f.Message)
				}
				want := []string{
					"session_started", "one", "heartbeat", "heartbeat", "two", "session_ending", "heartbeat", "heartbeat",
					"session_ended",
				}
				if encoding == "sse" {
					want = slices.DeleteFunc(want, func(s string) bool { return s == "heartbeat" })
					if n := strings.Count(v.String(), ":\n\n"); n != 4 {
						t.Errorf("%d heartbeats: %s", n, v)
					}
				}
				if !slices.Equal(got, want) {
					t.Errorf("got  %v\nwant %v", got, want)
				}
			})
		})
	}
}

func TestLastWords(t *testing.T) {
	tests := []struct{ format, end string }{
		{"text", " [info] x\n-- the stream ended: its time is over --\n"},
		{"html", "<p class=\"stream\">the stream ended: its time is over</p>\n</body>\n</html>\n"},
		{"json", `"offered":1,"narrowed":0,"delivered":1,"gapped":0,"in_flight":0}}}}` + "\n"},
		{"sse", `"offered":1,"narrowed":0,"delivered":1,"gapped":0,"in_flight":0}}}}` + "\n\n"},
	}
	for _, test := range tests {
		t.Run(test.format, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, Options{MaxDuration: time.Second})
				v := r.watchAt(t, query("format", test.format))
				r.logger.Info("x")
				pass(time.Second)
				<-v.done
				if !strings.HasSuffix(v.String(), test.end) {
					t.Errorf("got %s", v)
				}
			})
		})
	}
}

// TestStalledViewer checks that a viewer that stalls learns exactly what it missed, without waiting for another event.
func TestStalledViewer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{Buffer: 64 << 10, WriteTimeout: time.Hour})
		v := r.watchAt(t, "/?format=json")
		release := v.stall()
		const n = 5000
		for range n {
			r.logger.Info("event", "n", n)
		}
		synctest.Wait()
		release()
		pass(time.Second)
		delivered, gapped := tally(t, frames(t, v.String()))
		if delivered+gapped != n || gapped == 0 || delivered == 0 {
			t.Errorf("%d delivered and %d missing of %d", delivered, gapped, n)
		}
	})
}

// TestGapWithoutFurtherEvent checks that a gap is told by itself where nothing comes after it.
func TestGapWithoutFurtherEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{Buffer: minBuffer})
		v := r.watchAt(t, "/?format=json")
		text := r.watchAt(t, "/?format=text")
		r.say(strings.Repeat("x", 2*minBuffer))
		pass(time.Second)
		all := frames(t, v.String())
		if delivered, gapped := tally(t, all); delivered != 0 || gapped != 1 || len(all) != 2 {
			t.Errorf("%d delivered, %d missing: %s", delivered, gapped, v)
		}
		if got := text.String(); got != "-- 1 event dropped: slow viewer --\n" {
			t.Errorf("got %q", got)
		}
	})
}

// TestNothingIsMissingInSilence stalls viewers at any time while events of any size are logged.
func TestNothingIsMissingInSilence(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		sizes := rapid.SliceOfN(rapid.SampledFrom([]int{1, 100, 2000, 5000}), 1, 30).Draw(rt, "sizes")
		stalls := rapid.SliceOfN(rapid.Bool(), len(sizes), len(sizes)).Draw(rt, "stalls")
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, Options{Buffer: minBuffer, WriteTimeout: time.Hour, Metadata: []string{"n"}})
			v := r.watchAt(t, query("format", "json", "scope", "n:1"))
			taken := uint64(0)
			var release func()
			for i, size := range sizes {
				if stalls[i] && release == nil {
					release = v.stall()
				} else if release != nil {
					release()
					release = nil
					settle()
				}
				r.say(strings.Repeat("x", size), "n", i%3)
				if i%3 == 1 {
					taken++
				}
				synctest.Wait()
			}
			if release != nil {
				release()
			}
			if err := r.tap.Close(t.Context()); err != nil {
				t.Error(err)
			}
			all := frames(t, v.String())
			delivered, gapped := tally(t, all)
			last := all[len(all)-1]
			if last.Event != wire.EventSessionEnded || delivered+gapped != taken {
				rt.Fatalf("%d delivered and %d missing of %d, last %s", delivered, gapped, taken, last.Event)
			}
			for _, a := range last.Accounts.Agents {
				if !a.Closes() || a.Sent != delivered || a.Dropped[wire.ReasonSlowViewer] != gapped {
					rt.Fatalf("accounts %+v", a)
				}
			}
			for _, a := range last.Accounts.Viewer {
				if !a.Closes() || a.Delivered != delivered || a.Gapped != gapped {
					rt.Fatalf("accounts %+v", a)
				}
			}
		})
	})
}

// TestBurst checks that a viewer that reads is not behind, however little room there is and however fast events come.
func TestBurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{Buffer: minBuffer})
		v := r.watchAt(t, "/?format=json")
		for range 100 {
			r.logger.Info("burst")
			synctest.Wait() // No time goes by.
		}
		settle()
		if delivered, gapped := tally(t, frames(t, v.String())); delivered != 100 || gapped != 0 {
			t.Errorf("%d delivered, %d missing", delivered, gapped)
		}
		if v.writes > 50 {
			t.Errorf("%d writes for 100 events", v.writes)
		}
	})
}

// TestNeverReads checks, without a server, that a viewer that takes nothing loses its lease after the write timeout.
func TestNeverReads(t *testing.T) {
	for _, deadlines := range []bool{true, false} {
		t.Run(fmt.Sprintf("deadlines-%v", deadlines), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, Options{WriteTimeout: 3 * time.Second})
				v := r.watchAt(t, "/?format=text")
				release := v.stall()
				v.mu.Lock()
				v.ignoreDeadline = !deadlines
				v.mu.Unlock()
				r.logger.Info("x")
				pass(2 * time.Second)
				if r.tap.Streams() != 1 {
					t.Error("it was cut off early")
				}
				pass(time.Second)
				if r.tap.Streams() != 0 {
					t.Error("it keeps its lease")
				}
				release()
				<-v.done
				if said := strings.Contains(v.String(), "nothing was read for 3s"); said == deadlines {
					t.Errorf("got %q", v)
				}
			})
		})
	}
}

// TestRealConnections checks what TCP and net/http make of it: a reader that is killed, and one that never reads.
func TestRealConnections(t *testing.T) {
	r := newRig(t, Options{WriteTimeout: 300 * time.Millisecond, Buffer: 8 << 20})
	server := httptest.NewServer(r.tap)
	defer server.Close()
	dial := func() net.Conn {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, "GET /?format=json HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || answer.StatusCode != http.StatusOK {
			t.Fatal(answer, err)
		}
		return conn
	}
	free := func(what string, within time.Duration, meanwhile func()) {
		t.Helper()
		start := time.Now()
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for r.tap.Streams() != 0 {
			meanwhile()
			<-tick.C
			if time.Since(start) > within {
				t.Fatalf("%s: the lease is still open after %v", what, within)
			}
		}
		t.Logf("%s: free after %v", what, time.Since(start).Round(time.Millisecond))
	}
	killed := dial()
	killed.Close()
	free("killed", time.Second, func() {})
	stuck := dial()
	defer stuck.Close()
	line := strings.Repeat("x", 10_000)
	free("never reads", 5*time.Second, func() {
		for range 100 {
			r.say(line)
		}
	})
}

// TestCallersNeverWait times calls while a viewer reads nothing.
func TestCallersNeverWait(t *testing.T) {
	r := newRig(t, Options{AllMetadata: true, WriteTimeout: time.Hour})
	v := r.watchAt(t, "/?format=json")
	defer v.stall()()
	took := make([]time.Duration, 50_000)
	for i := range took {
		start := time.Now()
		logTen(r.logger)
		took[i] = time.Since(start)
	}
	slices.Sort(took)
	p99, longest := took[len(took)*99/100], took[len(took)-1]
	t.Logf("p50 %v, p99 %v, longest %v", took[len(took)/2], p99, longest)
	if longest > 10*time.Second { // A busy machine may hold up a call for a while, a viewer would hold it up for an hour.
		t.Errorf("a call took %v", longest)
	}
}

// TestEncodedOnce checks that one event is formatted once for all streams of a format, whatever else they ask for.
func TestEncodedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		text := format.Func(func(dst []byte, e *event.Event) []byte {
			calls++
			return append(append(dst, e.Message...), '\n')
		})
		r := newRig(t, Options{Text: text})
		var visits []*visit
		for range 10 {
			visits = append(visits, r.watchAt(t, "/?format=text"))
		}
		visits = append(visits, r.watchAt(t, "/?format=text&level=info"), r.watchAt(t, "/?format=text&pattern=once"))
		r.logger.Info("once")
		settle()
		for _, v := range visits {
			if v.String() != "once\n" {
				t.Errorf("got %q", v)
			}
		}
		if calls != 1 {
			t.Errorf("formatted %d times", calls)
		}
	})
}

func TestPattern(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{Metadata: []string{"user"}})
		v := r.watchAt(t, query("format", "text", "pattern", `user=al.*took [0-9]+ms`))
		hidden := r.watchAt(t, query("format", "text", "pattern", `secret|hunter`))
		r.logger.Info("took 15ms", "user", "alice", "secret", "hunter2")
		r.logger.Info("took 15 ms", "user", "alice")
		r.logger.Info("took 15ms", "user", "bob")
		r.say(strings.Repeat("x", wire.MaxLine) + "hunter")
		settle()
		if got := v.String(); strings.Count(got, "\n") != 1 || !strings.HasSuffix(got, "user=alice [info] took 15ms\n") {
			t.Errorf("got %q", got)
		}
		if hidden.String() != "" {
			t.Errorf("a pattern finds what is not shown: %q", hidden)
		}
	})
}
