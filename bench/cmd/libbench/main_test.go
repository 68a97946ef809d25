package main

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestRunPrintsEveryRow(t *testing.T) {
	var out strings.Builder
	s := settings{rounds: 1, long: time.Microsecond, latencies: 1000, only: regexp.MustCompile("")}
	if _, err := run(&out, &s); err != nil {
		t.Fatal(err)
	}
	for _, m := range measurements() {
		if !regexp.MustCompile(regexp.QuoteMeta(m.what) + ` +` + regexp.QuoteMeta(m.who)).MatchString(out.String()) {
			t.Errorf("no row for %s, %s in:\n%s", m.what, m.who, &out)
		}
	}
	for _, want := range []string{"stopped reading", "p99 ≤ 5µs"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in:\n%s", want, &out)
		}
	}
}

func TestRunRefusesToCompareWithNothing(t *testing.T) {
	s := settings{rounds: 1, long: time.Microsecond, only: regexp.MustCompile("^message/Spile$")}
	if _, err := run(&strings.Builder{}, &s); err == nil || !strings.Contains(err.Error(), whoSlog) {
		t.Errorf("got %v, want an error that names %s", err, whoSlog)
	}
}

// What is compared must do the same work.
func TestLoggersWriteTheSameFields(t *testing.T) {
	keys := []string{"method", "path", "host", "user_agent", "status", "bytes", "ratio", "cached", "took", "error"}
	for _, l := range loggers {
		t.Run(l.who, func(t *testing.T) {
			var out bytes.Buffer
			c := l.make(&out)
			c.disabled(1)
			c.disabledTen(1)
			if out.Len() > 0 {
				t.Fatalf("a call at debug was printed: %s", &out)
			}
			c.message(1)
			if !json.Valid(out.Bytes()) || !strings.Contains(out.String(), message) || strings.Contains(out.String(), host) {
				t.Errorf("got %s, want the message alone", &out)
			}
			for name, call := range map[string]func(int){"ten": c.ten, "carried": c.carried} {
				out.Reset()
				call(2)
				lines := strings.SplitAfter(out.String(), "\n")
				if len(lines) != 3 || lines[2] != "" {
					t.Fatalf("%s: got %q, want two lines", name, lines)
				}
				var fields map[string]any
				if err := json.Unmarshal([]byte(lines[1]), &fields); err != nil {
					t.Fatal(err)
				}
				for _, key := range keys {
					if _, ok := fields[key]; !ok {
						t.Errorf("%s: no %s in %s", name, key, lines[1])
					}
				}
			}
		})
	}
}

// Every goal must be one that can be missed.
func TestGoalsCanBeMissed(t *testing.T) {
	good := result{ns: 10, allocs: 0, account: account{delivered: 100}}
	bad := result{ns: 12, allocs: 1, account: account{delivered: 90, dropped: 10}}
	peer := result{ns: 10}
	tests := []struct {
		name string
		goal goal
	}{
		{"ratio", goal{who: "peer", most: 1.1}},
		{"no-more-allocs", goal{who: "peer", allocs: true}},
		{"no-allocs", goal{none: true}},
		{"delivered", goal{delivered: 0.95}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			missed := 0
			tt.goal.judge(&good, &peer, &missed)
			if missed != 0 {
				t.Error("a good result misses the goal")
			}
			tt.goal.judge(&bad, &peer, &missed)
			if missed != 1 {
				t.Errorf("a bad result misses %d goals, want 1", missed)
			}
		})
	}
}
