package otlp

import (
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/spilelog/spile"
)

// panicking is a value that cannot be worked out.
var panicking = spile.Lazy(func() slog.Value { panic("no value") })

func TestPanicOfOneValueCostsNoOther(t *testing.T) {
	tests := map[string]slog.Attr{
		"alone":                  slog.Any("k", panicking),
		"in-group":               slog.Group("g", "k", panicking),
		"in-groups":              slog.Group("g", slog.Group("h", "k", panicking)),
		"in-group-without-a-key": slog.Group("", slog.Group("h", "k", panicking)),
	}
	for name, attr := range tests {
		t.Run(name, func(t *testing.T) {
			c := &collector{}
			b := newBackend(t, c, Options{})
			slog.New(spile.New(b)).Info("m", attr, slog.Int("other", 1))
			if err := b.Close(t.Context()); err != nil || b.Failed() != 0 || len(c.taken) != 1 {
				t.Fatalf("took %d records, lost %d: %v", len(c.taken), b.Failed(), err)
			}
			text := c.taken[0].String()
			for _, want := range []string{"!PANIC: no value", "other"} {
				if !strings.Contains(text, want) {
					t.Errorf("%q is not in %s", want, text)
				}
			}
		})
	}
}

func TestPanicsOfTheSenderEndNothing(t *testing.T) {
	refuse := func(int, *http.Request) (*http.Response, error) { return answer(400, nil), nil }
	tests := map[string]struct {
		answer func(int, *http.Request) (*http.Response, error)
		onLoss func(int, error)
		want   []string
	}{
		"transport": {
			func(n int, _ *http.Request) (*http.Response, error) {
				if n == 1 {
					panic(errors.New("transport"))
				}
				return nil, nil
			}, nil, []string{"a", "b"},
		},
		"on-loss": {refuse, func(int, error) { panic("on loss") }, []string{}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &collector{answer: test.answer}
				b := newBackend(t, c, Options{OnLoss: test.onLoss})
				log(t, b, "a")
				_ = b.Flush(t.Context())
				log(t, b, "b")
				_ = b.Close(t.Context())
				if got := strings.Join(c.bodies(), ","); got != strings.Join(test.want, ",") {
					t.Errorf("taken: %q, want %q", got, test.want)
				}
				if s := b.Stats(); s.Logged != 2 || s.Pending != 0 {
					t.Errorf("counted %+v", s)
				}
			})
		})
	}
}
