package tap

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/spilelog/spile"
	"github.com/spilelog/spile/event"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// counter is a backend that counts what it is given.
type counter struct {
	*spile.Base
	mu sync.Mutex
	n  map[string]int // by message
}

func newCounter(name string, level slog.Leveler) *counter {
	return &counter{Base: spile.NewBase(name, spile.BaseOptions{Level: level}), n: map[string]int{}}
}

func (c *counter) Log(_ context.Context, e *event.Event) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n[e.Message]++
	return nil
}

// count is how many records of a message came.
func (c *counter) count(message string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n[message]
}

// rig is a tap and what it hangs on.
type rig struct {
	tap     *Tap
	handler *spile.Handler
	logger  *slog.Logger
	console *counter // at info
}

// newRig returns a tap that is closed with the test.
func newRig(t testing.TB, o Options) *rig {
	t.Helper()
	console := newCounter("console", nil)
	r := &rig{handler: spile.New(console), console: console}
	var err error
	if r.tap, err = Handler(r.handler, o); err != nil {
		t.Fatal(err)
	}
	r.logger = slog.New(r.handler)
	t.Cleanup(func() {
		if err := r.tap.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return r
}

// lowest is the lowest of the nine levels that the handler lets in, spile.LevelOff if it lets in none.
func (r *rig) lowest() slog.Level {
	for i := range event.NumLevels {
		if l := slog.Level(event.LevelAt(i)); r.handler.Enabled(context.Background(), l) {
			return l
		}
	}
	return spile.LevelOff
}

// say logs a message that is not constant.
func (r *rig) say(message string, args ...any) {
	rec := slog.NewRecord(time.Now(), slog.LevelInfo, message, 0)
	rec.Add(args...)
	if err := r.handler.Handle(context.Background(), rec); err != nil {
		panic(err)
	}
}

// get asks and returns the whole answer; only for requests that are refused.
func (r *rig) get(t testing.TB, target string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	r.tap.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, http.NoBody))
	return w
}

// query is the target of a request with these parameters, given in turn as key and value.
func query(pairs ...string) string {
	values := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		values.Add(pairs[i], pairs[i+1])
	}
	return "/logs?" + values.Encode()
}

// screen is a response that is looked at while it is written. It can hold up writes until their deadline.
type screen struct {
	header http.Header
	// started is closed with the first flush.
	started chan struct{}
	once    sync.Once

	mu       sync.Mutex // guards what follows
	code     int
	text     bytes.Buffer
	writes   int
	hold     chan struct{} // writes wait until it is closed; nil lets them pass
	deadline time.Time
	// ignoreDeadline is a server that knows no deadlines.
	ignoreDeadline bool
}

func newScreen() *screen { return &screen{header: http.Header{}, started: make(chan struct{})} }

func (s *screen) Header() http.Header { return s.header }

func (s *screen) WriteHeader(code int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.code = code
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	hold, deadline := s.hold, s.deadline
	if s.ignoreDeadline {
		deadline = time.Now().Add(time.Hour)
	}
	s.mu.Unlock()
	if hold != nil {
		timer := time.NewTimer(time.Until(deadline))
		defer timer.Stop()
		select {
		case <-hold:
		case <-timer.C:
			return 0, context.DeadlineExceeded
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes++
	return s.text.Write(p)
}

func (s *screen) FlushError() error {
	s.once.Do(func() { close(s.started) })
	return nil
}

func (s *screen) SetWriteDeadline(at time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ignoreDeadline {
		return http.ErrNotSupported
	}
	s.deadline = at
	return nil
}

// String is what was written so far.
func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// stall holds up writes until the result is called.
func (s *screen) stall() (release func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	hold := make(chan struct{})
	s.hold = hold
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.hold = nil
		close(hold)
	}
}

// visit is a viewer that watches.
type visit struct {
	*screen
	cancel context.CancelFunc
	// done is closed when the request is answered.
	done chan struct{}
}

// watchAt opens a stream, which is open when it returns.
func (r *rig) watchAt(t testing.TB, target string) *visit {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	v := &visit{screen: newScreen(), cancel: cancel, done: make(chan struct{})}
	req := httptest.NewRequestWithContext(ctx, http.MethodGet, target, http.NoBody)
	go func() {
		defer close(v.done)
		r.tap.ServeHTTP(v.screen, req)
	}()
	select {
	case <-v.started:
	case <-v.done:
		t.Fatalf("GET %s: %d %s", target, v.code, v.String())
	}
	t.Cleanup(v.leave)
	return v
}

// serve answers a request with w.
func (r *rig) serve(t testing.TB, w http.ResponseWriter, target string) {
	r.tap.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, http.NoBody))
}

// leave is the viewer going away; it returns when the request is answered.
func (v *visit) leave() {
	v.cancel()
	<-v.done
}

// settle lets everything that can happen happen, in a bubble of synctest.
func settle() { pass(2 * restTime) }

// pass lets time go by, in a bubble of synctest.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}
