package otlp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "go.opentelemetry.io/proto/slim/otlp/collector/logs/v1"

	"github.com/spilelog/spile"
	"github.com/spilelog/spile/event"
)

// partial is the answer of a collector that took all but some.
func partial(rejected int64, text string) *http.Response {
	return answer(200, &v1.ExportLogsServiceResponse{
		PartialSuccess: &v1.ExportLogsPartialSuccess{RejectedLogRecords: rejected, ErrorMessage: text},
	})
}

func TestBatches(t *testing.T) {
	tests := []struct {
		name    string
		options Options
		after   []time.Duration // of each record since the first
		want    []time.Duration // the requests
		sizes   []int
	}{
		{"by-age", Options{Every: 5 * time.Second}, []time.Duration{0, time.Second}, []time.Duration{5 * time.Second}, []int{2}},
		{"by-number", Options{BatchSize: 2}, []time.Duration{0, time.Second, time.Second}, []time.Duration{time.Second, 6 * time.Second}, []int{2, 1}},
		{"each-age-its-own", Options{Every: time.Second}, []time.Duration{0, 3 * time.Second}, []time.Duration{time.Second, 4 * time.Second}, []int{1, 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &collector{}
				b := newBackend(t, c, tt.options)
				start := time.Now()
				for i, at := range tt.after {
					<-time.After(at - time.Since(start))
					log(t, b, fmt.Sprint(i))
				}
				<-time.After(time.Minute)
				if diff := cmp.Diff(tt.want, c.attempts(start)); diff != "" {
					t.Errorf("requests (-want +got)\n%s", diff)
				}
				if diff := cmp.Diff(tt.sizes, c.sizes); diff != "" {
					t.Errorf("sizes (-want +got)\n%s", diff)
				}
				if err := b.Close(t.Context()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestEndings(t *testing.T) {
	broken := errors.New("connection reset")
	tests := []struct {
		name     string
		answer   func(n int, r *http.Request) (*http.Response, error)
		want     Stats // of two records
		attempts int
		told     string
	}{
		{name: "taken", want: Stats{Sent: 2}, attempts: 1},
		{
			name:   "partial-success",
			answer: func(int, *http.Request) (*http.Response, error) { return partial(1, "too old"), nil },
			want:   Stats{Sent: 1, Dropped: Dropped{Rejected: 1}}, attempts: 1, told: `1: the collector rejected 1 of 2 records: "too old"`,
		},
		{
			name:   "more-rejected-than-sent",
			answer: func(int, *http.Request) (*http.Response, error) { return partial(99, ""), nil },
			want:   Stats{Dropped: Dropped{Rejected: 2}}, attempts: 1, told: `2: the collector rejected 2 of 2 records: ""`,
		},
		{
			name:   "warning",
			answer: func(int, *http.Request) (*http.Response, error) { return partial(0, "slow down"), nil },
			want:   Stats{Sent: 2}, attempts: 1, told: `0: the collector warns: "slow down"`,
		},
		{
			name: "bad-request",
			answer: func(int, *http.Request) (*http.Response, error) {
				return answer(400, &v1.ExportLogsPartialSuccess{ErrorMessage: "cannot decode"}), nil // Its second field too is a text.
			},
			want: Stats{Dropped: Dropped{Rejected: 2}}, attempts: 1, told: `2: the collector answers Bad Request: "cannot decode"`,
		},
		{
			name:   "internal-error-is-final",
			answer: func(int, *http.Request) (*http.Response, error) { return answer(500, nil), nil },
			want:   Stats{Dropped: Dropped{Rejected: 2}}, attempts: 1, told: `2: the collector answers Internal Server Error: ""`,
		},
		{
			name: "again-after-each-retryable-status",
			answer: func(n int, _ *http.Request) (*http.Response, error) {
				return answer([]int{429, 502, 503, 504, 200}[n-1], nil), nil
			},
			want: Stats{Sent: 2}, attempts: 5,
		},
		{
			name: "again-after-a-broken-connection",
			answer: func(n int, _ *http.Request) (*http.Response, error) {
				if n == 1 {
					return nil, broken
				}
				return nil, nil
			},
			want: Stats{Sent: 2}, attempts: 2,
		},
		{
			name: "again-after-a-stall",
			answer: func(n int, r *http.Request) (*http.Response, error) {
				if n == 1 {
					<-r.Context().Done()
					return nil, r.Context().Err()
				}
				return nil, nil
			},
			want: Stats{Sent: 2}, attempts: 2,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &collector{answer: tt.answer}
				told := ""
				b := newBackend(t, c, Options{OnLoss: func(n int, err error) { told += fmt.Sprintf("%d: %v", n, err) }})
				log(t, b, "one", "two")
				err := b.Flush(t.Context())
				synctest.Wait()
				tt.want.Logged = 2
				if diff := cmp.Diff(tt.want, b.Stats()); diff != "" {
					t.Errorf("(-want +got)\n%s", diff)
				}
				lost := tt.want.Dropped.Rejected + tt.want.Dropped.Failed
				if (err != nil) != (lost > 0) {
					t.Errorf("Flush: %v, though %d were lost", err, lost)
				}
				if got := len(c.times); got != tt.attempts || told != tt.told {
					t.Errorf("%d attempts, told %q, want %d and %q", got, told, tt.attempts, tt.told)
				}
				if err := b.Close(t.Context()); err != nil {
					t.Errorf("Close tells of losses before it: %v", err)
				}
			})
		})
	}
}

func TestGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := true
		c := &collector{answer: func(int, *http.Request) (*http.Response, error) {
			if down {
				return nil, errors.New("connection refused")
			}
			return nil, nil
		}}
		b := newBackend(t, c, Options{RetryFor: 10 * time.Second, Every: time.Second})
		start := time.Now()
		log(t, b, "lost")
		if err := b.Flush(t.Context()); err == nil || !strings.Contains(err.Error(), "connection refused") {
			t.Errorf("Flush: %v", err)
		}
		if took := time.Since(start); took != 10*time.Second || len(c.times) < 3 {
			t.Errorf("gave up after %v and %d attempts", took, len(c.times))
		}
		down = false
		log(t, b, "arrives")
		if err := b.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff([]string{"arrives"}, c.bodies()); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
		if diff := cmp.Diff(Stats{Logged: 2, Sent: 1, Dropped: Dropped{Failed: 1}}, b.Stats()); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	})
}

func TestRetryAfter(t *testing.T) {
	tests := []struct {
		name   string
		header func(now time.Time) string
		want   time.Duration
	}{
		{"seconds", func(time.Time) string { return "7" }, 7 * time.Second},
		{"date", func(now time.Time) string { return now.Add(9 * time.Second).UTC().Format(http.TimeFormat) }, 9 * time.Second},
		{"beyond-the-retries", func(time.Time) string { return "120" }, 2 * time.Minute},
		{"beyond-all-measure", func(time.Time) string { return "99999999999999999999999" }, maxRetryAfter},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &collector{answer: func(n int, _ *http.Request) (*http.Response, error) {
					if n == 1 {
						return answer(429, nil, "Retry-After", tt.header(time.Now())), nil
					}
					return nil, nil
				}}
				b := newBackend(t, c, Options{BatchSize: 1})
				start := time.Now()
				log(t, b, "one", "two")
				_ = b.Flush(t.Context()) // It fails if the batch is lost after its call.
				if lost := b.Stats().Dropped.Failed; (lost > 0) != (tt.want > DefaultRetryFor) {
					t.Errorf("%d were lost", lost)
				}
				// Whatever becomes of the batch, nothing is sent before the time the collector asked for.
				if got := c.attempts(start); len(got) < 2 || got[1] != tt.want {
					t.Errorf("attempts at %v, want the second at %v", got, tt.want)
				}
				if err := b.Close(t.Context()); err != nil {
					t.Error(err)
				}
			})
		})
	}
	for _, header := range []string{"", "soon", "-1", "1.5", "Thu, 01 Jan 1970 00:01:00 GMT"} {
		if got := retryAfter(header); got != 0 {
			t.Errorf("retryAfter(%q) = %v, want 0", header, got)
		}
	}
}

func TestQueueIsBounded(t *testing.T) {
	long := strings.Repeat("x", 1000)
	tests := []struct {
		name    string
		options Options
		want    int
	}{
		{"by-records", Options{QueueSize: 5, BatchSize: 2}, 5},
		{"by-bytes", Options{QueueBytes: 3500, BatchSize: 2}, 3},
		{"nothing-fits", Options{QueueBytes: 500}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				c := &collector{answer: func(int, *http.Request) (*http.Response, error) {
					<-release
					return nil, nil
				}}
				b := newBackend(t, c, tt.options)
				ok, full := 0, 0
				for range 20 {
					switch err := b.Log(t.Context(), &event.Event{Message: long}); {
					case err == nil:
						ok++
					case errors.Is(err, ErrQueueFull):
						full++
					default:
						t.Error(err)
					}
					synctest.Wait()
				}
				want := Stats{Logged: 20, Pending: uint64(ok), Dropped: Dropped{Queue: uint64(full)}}
				if diff := cmp.Diff(want, b.Stats()); diff != "" || ok != tt.want {
					t.Errorf("took %d, want %d (-want +got)\n%s", ok, tt.want, diff)
				}
				close(release)
				if err := b.Close(t.Context()); err != nil {
					t.Error(err)
				}
				if got := b.Stats().Sent; got != uint64(ok) || len(c.taken) != ok {
					t.Errorf("sent %d, arrived %d, want %d", got, len(c.taken), ok)
				}
			})
		})
	}
}

func TestLargeBatchesAreSplitByBytes(t *testing.T) {
	c := &collector{}
	b := newBackend(t, c, Options{})
	half := strings.Repeat("x", batchBytes/2)
	log(t, b, half, half, half, strings.Repeat("y", 2*batchBytes), "z")
	if err := b.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int{1, 1, 1, 1, 1}, c.sizes); diff != "" || len(c.taken) != 5 {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestFlushWaitsForWhatIsInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &collector{answer: func(int, *http.Request) (*http.Response, error) {
			<-time.After(3 * time.Second)
			return nil, nil
		}}
		b := newBackend(t, c, Options{BatchSize: 1})
		log(t, b, "a")
		synctest.Wait()
		start := time.Now()
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := b.Flush(short); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("Flush: %v after %v", err, time.Since(start))
		}
		if err := b.Flush(t.Context()); err != nil || time.Since(start) != 3*time.Second {
			t.Errorf("Flush: %v after %v", err, time.Since(start))
		}
		if err := b.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestCloseMidway(t *testing.T) {
	tests := []struct {
		name string
		// stall waits for the end of the request, refuse answers at once that it is a bad time.
		refuse bool
		wait   time.Duration // of the caller's context; 0 is for ever
		want   time.Duration
	}{
		{"stalled-until-the-context-ends", false, 3 * time.Second, 3 * time.Second},
		{"refusing-until-the-context-ends", true, 3 * time.Second, 3 * time.Second},
		{"stalled-for-ever", false, 0, 20 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &collector{answer: func(_ int, r *http.Request) (*http.Response, error) {
					if tt.refuse {
						return answer(503, nil, "Retry-After", "15"), nil
					}
					<-r.Context().Done()
					return nil, r.Context().Err()
				}}
				lost := 0
				b := newBackend(t, c, Options{BatchSize: 2, RetryFor: 20 * time.Second, OnLoss: func(n int, _ error) { lost += n }})
				log(t, b, "a", "b", "c")
				synctest.Wait()
				ctx, cancel := context.WithCancel(t.Context())
				if tt.wait > 0 {
					ctx, cancel = context.WithTimeout(t.Context(), tt.wait)
				}
				defer cancel()
				start := time.Now()
				if err := b.Close(ctx); !errors.Is(err, errAborted) || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("Close: %v", err)
				}
				if took := time.Since(start); took != tt.want {
					t.Errorf("Close took %v, want %v", took, tt.want)
				}
				if diff := cmp.Diff(Stats{Logged: 3, Dropped: Dropped{Failed: 3}}, b.Stats()); diff != "" || lost != 3 {
					t.Errorf("told of %d (-want +got)\n%s", lost, diff)
				}
				if err := b.Close(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("second Close: %v", err)
				}
				if err := b.Log(ctx, &event.Event{}); !errors.Is(err, spile.ErrClosed) || b.Stats().Logged != 3 {
					t.Errorf("Log after Close: %v, %+v", err, b.Stats())
				}
			})
		})
	}
}

// TestCloseTriesAtOnce ends a backend that waits for long before it tries again, while the collector comes back.
func TestCloseTriesAtOnce(t *testing.T) {
	tests := []struct {
		name     string
		still    int // attempts that fail after Close was called
		header   string
		atLeast  time.Duration
		atMost   time.Duration
		attempts int // of the first batch, after Close was called
	}{
		{"back-again", 0, "", 0, 0, 1},
		{"back-soon", 3, "", 1, 3 * firstRetry, 4},
		{"asked-to-wait", 0, "40", 30 * time.Second, 30 * time.Second, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var closing atomic.Bool
				after := 0
				c := &collector{answer: func(int, *http.Request) (*http.Response, error) {
					if closing.Load() {
						if after++; after > tt.still {
							return nil, nil
						}
					}
					return answer(503, nil, "Retry-After", tt.header), nil
				}}
				b := newBackend(t, c, Options{BatchSize: 1, RetryFor: time.Hour})
				begin := time.Now()
				log(t, b, "one", "two")
				<-time.After(610 * time.Second)
				attempts := c.attempts(begin)
				for i := 1; i < len(attempts) && tt.header == ""; i++ {
					if gap := attempts[i] - attempts[i-1]; gap > 30*time.Second {
						t.Errorf("%v between two attempts", gap)
					}
				}
				closing.Store(true)
				start := time.Now()
				if err := b.Close(t.Context()); err != nil {
					t.Error(err)
				}
				if took := time.Since(start); took < tt.atLeast || took > tt.atMost || after != tt.attempts+1 {
					t.Errorf("Close took %v and %d attempts", took, after)
				}
			})
		})
	}
}

func TestCloseOfWhatNeverSent(t *testing.T) {
	b := newBackend(t, &collector{}, Options{})
	for range 2 {
		if err := errors.Join(b.Flush(t.Context()), b.Close(t.Context())); err != nil {
			t.Error(err)
		}
	}
	if err := b.Log(t.Context(), &event.Event{}); !errors.Is(err, spile.ErrClosed) {
		t.Errorf("Log after Close: %v", err)
	}
}
