package filter

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spilelog/spile/event"
	"github.com/spilelog/spile/wire"
)

func TestCompileRefuses(t *testing.T) {
	tests := []struct {
		name    string
		filters wire.Filters
		want    map[string]string
	}{
		{"unknown-level", wire.Filters{Level: wire.Strings{"loud"}}, map[string]string{fieldLevel: event.LevelWords}},
		{"unknown-min-level", wire.Filters{MinLevel: "loud"}, map[string]string{fieldMinLevel: event.LevelWords}},
		{"empty-level-word", wire.Filters{Level: wire.Strings{""}}, map[string]string{fieldLevel: `""`}},
		{"many-levels", wire.Filters{Level: make(wire.Strings, 65)}, map[string]string{fieldLevel: "at most 64"}},
		{"bad-glob", wire.Filters{Source: wire.Strings{"a["}}, map[string]string{fieldSource: `"a["`}},
		{"empty-glob", wire.Filters{Source: wire.Strings{"a", ""}}, map[string]string{fieldSource: "empty"}},
		{"many-globs", wire.Filters{Source: make(wire.Strings, 65)}, map[string]string{fieldSource: "at most 64"}},
		{
			"long-glob",
			wire.Filters{Source: wire.Strings{strings.Repeat("a", 513)}},
			map[string]string{fieldSource: "item 1 has 513 bytes"},
		},
		{
			"exploding-glob",
			wire.Filters{Source: wire.Strings{strings.Repeat("{a,b}", 60)}},
			map[string]string{fieldSource: "256 ways"},
		},
		{"scope-without-colon", wire.Filters{Scope: wire.Strings{"abc"}}, map[string]string{fieldScope: "key:value"}},
		{"scope-without-key", wire.Filters{Scope: wire.Strings{":abc"}}, map[string]string{fieldScope: "key:value"}},
		{"many-scopes", wire.Filters{Scope: make(wire.Strings, 33)}, map[string]string{fieldScope: "at most 32"}},
		{"all-at-once", wire.Filters{
			Level: wire.Strings{"x"}, MinLevel: "y", Source: wire.Strings{"["}, Pattern: "(", Scope: wire.Strings{"z"},
		}, map[string]string{
			fieldLevel: `"x"`, fieldMinLevel: `"y"`, fieldSource: `"["`, fieldPattern: "byte 0", fieldScope: `"z"`,
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			details := refusal(t, test.filters)
			if diff := cmp.Diff(slices.Sorted(maps.Keys(test.want)), slices.Sorted(maps.Keys(details))); diff != "" {
				t.Fatalf("fields (-want +got):\n%s", diff)
			}
			for field, part := range test.want {
				if !strings.Contains(details[field], part) {
					t.Errorf("%s: %q does not say %q", field, details[field], part)
				}
			}
		})
	}
}

// refusal is the details of the error that filters must give.
func refusal(t *testing.T, filters wire.Filters) map[string]string {
	t.Helper()
	_, err := Compile(filters)
	var refused *wire.Error
	if !errors.As(err, &refused) || refused.Code != wire.CodeValidation {
		t.Fatalf("error is %v, want a validation error", err)
	}
	return refused.Details
}

func TestPatternErrors(t *testing.T) {
	tests := []struct {
		name, pattern, want string
	}{
		{"missing-closing-paren", "ab(cd", "byte 2 "},
		{"nested-missing-paren", "a(b)(c(d)", "byte 4 "},
		{"paren-in-class", "[(](", "byte 3 "},
		{"paren-in-quote", `\Q(\E(`, "byte 5 "},
		{"unexpected-paren", "ab)", "byte 2 "},
		{"missing-bracket", "ab[c", "byte 2 "},
		{"missing-argument", "a|*", "byte 2 "},
		{"double-repeat", `\**a**`, "byte 4 "},
		{"bad-escape", `ab\y`, "byte 2 "},
		{"trailing-backslash", `ab\`, "byte 2 "},
		{"bad-range", "x[z-a]", "byte 2 "},
		{"bad-class", `\pX`, "byte 0 "},
		{"bad-repeat", "a{2,1}", "byte 1 "},
		{"big-repeat", "a{1001}", "byte 1 "},
		{"look-ahead", "a(?=b)", "byte 1 "},
		{"invalid-utf8", "ab\xff", "byte 2 "},
		{"too-long", strings.Repeat("a", 1025), "1025 bytes, at most 1024"},
		{"optional-thousand", "(a?){1000}b", "instructions"},
		{"dots-thousand", ".{1,1000}b", "instructions"},
		{"many-repeats", strings.Repeat("a{1,1000}", 113), "instructions"},
		{"two-hundred-repeats", strings.Repeat("a{1,1000}", 200), "1800 bytes"},
		{"long-class-list", strings.Repeat("[a-z]", 160), "instructions"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			why := refusal(t, wire.Filters{Pattern: test.pattern})[fieldPattern]
			if !strings.Contains(why, test.want) {
				t.Fatalf("%q: %q does not say %q", test.pattern, why, test.want)
			}
			if len(why) > 2*maxReason {
				t.Fatalf("reason has %d bytes", len(why))
			}
		})
	}
}

func TestSource(t *testing.T) {
	tests := []struct {
		name  string
		globs wire.Strings
		pass  []string
		stop  []string
	}{
		{"none-passes-all", nil, []string{"", "nginx", "a/b"}, nil},
		{"exact", wire.Strings{"nginx"}, []string{"nginx"}, []string{"Nginx", "nginx2", "my/nginx"}},
		{"star-inside", wire.Strings{"web-*"}, []string{"web-", "web-1"}, []string{"web", "web-1/x"}},
		{"double-star", wire.Strings{"var/**"}, []string{"var/a", "var/a/b"}, []string{"x/var/a"}},
		{"list", wire.Strings{"a", "b?"}, []string{"a", "b1"}, []string{"b", "c"}},
		{"braces-and-class", wire.Strings{"{web,db}-[0-9]"}, []string{"web-1", "db-2"}, []string{"web-x"}},
		{"name-with-brackets", wire.Strings{"app[1]"}, []string{"app[1]", "app1"}, []string{"app"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m, err := Compile(wire.Filters{Source: test.globs})
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range test.pass {
				if !m.Source(name) {
					t.Errorf("%q does not pass", name)
				}
			}
			for _, name := range test.stop {
				if m.Source(name) {
					t.Errorf("%q passes", name)
				}
			}
		})
	}
}

func TestLevels(t *testing.T) {
	tests := []struct {
		name    string
		filters wire.Filters
		want    event.LevelSet
		has     bool
	}{
		{"none", wire.Filters{}, event.AllLevels, false},
		{"exact-set", wire.Filters{Level: wire.Strings{"ERROR", "info"}}, event.SetOf(event.Error, event.Info), true},
		{"threshold", wire.Filters{MinLevel: "warn"}, event.AtLeast(event.Warning), true},
		{"both", wire.Filters{Level: wire.Strings{"debug", "error"}, MinLevel: "info"}, event.SetOf(event.Error), true},
		{"fatal-in-set", wire.Filters{Level: wire.Strings{"fatal"}}, event.AtLeast(event.Critical), true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m, err := Compile(test.filters)
			if err != nil {
				t.Fatal(err)
			}
			if m.Levels() != test.want || m.HasLevels() != test.has {
				t.Fatalf("levels %v, %v; want %v, %v", m.Levels(), m.HasLevels(), test.want, test.has)
			}
		})
	}
}

func TestEvent(t *testing.T) {
	ev := event.Event{Level: event.Warning, Source: "nginx", Message: "hello: world", Metadata: event.Metadata{
		{Key: "status", Value: event.Int(502)},
		{Key: "ok", Value: event.Bool(true)},
		{Key: "ratio", Value: event.JSON("1.50")},
		{Key: "url", Value: event.String("http://x")},
		{Key: "empty", Value: event.String("")},
	}}
	tests := []struct {
		name    string
		filters wire.Filters
		want    bool
	}{
		{"nothing-asked", wire.Filters{}, true},
		{"level-in-set", wire.Filters{Level: wire.Strings{"warn"}}, true},
		{"level-not-in-set", wire.Filters{Level: wire.Strings{"error"}}, false},
		{"below-threshold", wire.Filters{MinLevel: "error"}, false},
		{"number", wire.Filters{Scope: wire.Strings{"status:502"}}, true},
		{"bool", wire.Filters{Scope: wire.Strings{"ok:true"}}, true},
		{"json-number-as-text", wire.Filters{Scope: wire.Strings{"ratio:1.50"}}, true},
		{"json-number-other-text", wire.Filters{Scope: wire.Strings{"ratio:1.5"}}, false},
		{"first-colon-splits", wire.Filters{Scope: wire.Strings{"url:http://x"}}, true},
		{"empty-value", wire.Filters{Scope: wire.Strings{"empty:"}}, true},
		{"absent-key", wire.Filters{Scope: wire.Strings{"nope:"}}, false},
		{"all-must-hold", wire.Filters{Scope: wire.Strings{"status:502", "ok:false"}}, false},
		{"source-key", wire.Filters{Scope: wire.Strings{"source:nginx"}}, true},
		{"level-key-wire", wire.Filters{Scope: wire.Strings{"level:WARN"}}, true},
		{"level-key-word", wire.Filters{Scope: wire.Strings{"level:warning"}}, true},
		{"message-key", wire.Filters{Scope: wire.Strings{"message:hello: world"}}, true},
		{"pattern-is-not-asked", wire.Filters{Pattern: "nowhere", Source: wire.Strings{"other"}}, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m, err := Compile(test.filters)
			if err != nil {
				t.Fatal(err)
			}
			if got := m.Event(&ev); got != test.want {
				t.Fatalf("event passes: %v, want %v", got, test.want)
			}
		})
	}
}

func TestMatcherConcurrently(t *testing.T) {
	m, err := Compile(wire.Filters{Pattern: "(?i)time(d out|out)|x+y", MinLevel: "info", Source: wire.Strings{"a*"}})
	if err != nil {
		t.Fatal(err)
	}
	block := []byte("a timeout\nTimed Out\nxxy\nnothing\n")
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 200 {
				if got := passed(t, m, block); len(got) != 3 || !m.Source("abc") || !m.Event(&event.Event{}) {
					t.Errorf("%d lines passed, want 3", len(got))
					return
				}
			}
		})
	}
	group.Wait()
}

func TestScopeWithColonInKey(t *testing.T) {
	for value, want := range map[string]bool{"1:2": true, "1": false} {
		e := &event.Event{Metadata: event.Metadata{{Key: "a:b", Value: event.String(value)}}}
		if got := Scope("a:b", "1:2").Event(e); got != want {
			t.Errorf("a:b=%s: %v", value, got)
		}
	}
}
