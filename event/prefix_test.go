package event

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// carried is what the tests' events begin with.
func carried() Metadata {
	inner := Metadata{{Key: "c", Value: Int(3)}}
	return Metadata{{Key: "a", Value: String("x")}, {Key: "b", Value: Group(&inner)}}
}

// eventOf is an event with a copy of m, which begins with p.
func eventOf(p *Prefix, m Metadata, more ...Field) *Event {
	return &Event{Prefix: p, Metadata: append(slices.Clone(m), more...)}
}

func TestNewPrefix(t *testing.T) {
	constant := Metadata{
		{Value: String("")},
		{Value: Int(1)},
		{Value: Uint(1)},
		{Value: Float(1)},
		{Value: Bool(true)},
		{Value: Duration(1)},
		{Value: Time(time.Now())},
		{Value: Time(time.Time{})},
		{Value: Nil()},
	}
	within := append(slices.Clone(constant), Field{Value: Group(&constant)})
	texts, mutable := []string{"a"}, Metadata{{Value: Int(1)}, {Value: Any(errors.New("e"))}}
	tests := []struct {
		name string
		m    Metadata
		want int
	}{
		{"nothing", nil, 0},
		{"constant", within, 10},
		{"error", Metadata{{Value: Int(1)}, {Value: Any(errors.New("e"))}, {Value: Int(1)}}, 1},
		{"list", Metadata{{Value: Any(texts)}, {Value: Int(1)}}, 0},
		{"json", Metadata{{Value: JSON("1")}}, 0},
		{"lazy", Metadata{{Value: Int(1)}, {Value: Lazy(nil)}}, 1},
		{"group-with-an-error", Metadata{{Value: Int(1)}, {Value: Group(&mutable)}}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := NewPrefix(tt.m)
			if len(p.fields) != tt.want || cap(p.fields) != tt.want {
				t.Errorf("%d fields of %d, want %d", len(p.fields), cap(p.fields), tt.want)
			}
		})
	}
}

// TestAppendPrefix checks when what was made before counts.
func TestAppendPrefix(t *testing.T) {
	m := carried()
	other := Metadata{{Key: "a", Value: String("y")}, m[1]}
	again := append(Metadata(nil), Field{Key: strings.Clone("a"), Value: String(strings.Clone("x"))}, m[1])
	form := Form{Name: "f", Keys: [4]string{"k"}}
	tests := []struct {
		name  string
		event *Event
		form  Form
		rest  int
		calls int
	}{
		{"same", eventOf(nil, m), form, 0, 0},
		{"equal-form", eventOf(nil, m), Form{Name: strings.Clone("f"), Keys: [4]string{strings.Clone("k")}}, 0, 0},
		{"more", eventOf(nil, m, Field{Key: "d"}), form, 1, 0},
		{"other-name", eventOf(nil, m), Form{Keys: form.Keys}, 0, 1},
		{"other-keys", eventOf(nil, m), Form{Name: "f"}, 0, 1},
		{"at", eventOf(nil, m), Form{Name: "f", Keys: form.Keys, At: true}, 0, 1},
		{"fewer", eventOf(nil, m[:1]), form, 1, 0},
		{"none", eventOf(nil, nil), form, 0, 0},
		{"not-at-the-start", eventOf(nil, nil, Field{Key: "d"}, m[0], m[1]), form, 3, 0},
		{"other-value", eventOf(nil, other), form, 2, 0},
		{"made-anew", eventOf(nil, again), form, 2, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.event.Prefix = NewPrefix(m)
			calls := 0
			render := func(dst []byte, m Metadata) []byte {
				calls++
				return AppendMetadata(dst, m)
			}
			first, _ := AppendPrefix([]byte("> "), eventOf(tt.event.Prefix, m), &form, render)
			if want := `> {"a":"x","b":{"c":3}}`; string(first) != want || calls != 1 {
				t.Fatalf("first %s in %d calls, want %s", first, calls, want)
			}
			clear(first) // It is ours.
			dst, rest := AppendPrefix([]byte("> "), tt.event, &tt.form, render)
			if calls--; calls != tt.calls || len(rest) != tt.rest {
				t.Errorf("%d calls, %d other fields, want %d and %d", calls, len(rest), tt.calls, tt.rest)
			}
			want := "> "
			if done := len(tt.event.Metadata) - len(rest); done > 0 {
				want = string(AppendMetadata([]byte(want), tt.event.Metadata[:done]))
			}
			if diff := cmp.Diff(want, string(dst)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestPrefixIsBounded(t *testing.T) {
	m := carried()
	p := NewPrefix(m)
	calls := map[string]int{}
	render := func(name, text string) {
		for range 3 {
			dst, _ := AppendPrefix(nil, eventOf(p, m), &Form{Name: name}, func(dst []byte, _ Metadata) []byte {
				calls[name]++
				return append(dst, text...)
			})
			if string(dst) != text {
				t.Errorf("%s: got %.20q, want %.20q", name, dst, text)
			}
		}
	}
	render("long", strings.Repeat("x", maxFormSize+1))
	render("just", strings.Repeat("x", maxFormSize))
	render("empty", "")
	render("three", "3")
	render("four", "4")
	render("five", "5")
	want := map[string]int{"long": 3, "just": 1, "empty": 1, "three": 1, "four": 1, "five": 3}
	if diff := cmp.Diff(want, calls); diff != "" {
		t.Errorf("calls (-want +got)\n%s", diff)
	}
}

func TestPrefixForgetsWhatPanicked(t *testing.T) {
	m := carried()
	p, form := NewPrefix(m), Form{Name: "f"}
	try := func(render func([]byte, Metadata) []byte) (dst []byte, panicked any) {
		defer func() { panicked = recover() }()
		dst, _ = AppendPrefix(nil, eventOf(p, m), &form, render)
		return dst, nil
	}
	for range 2 {
		if _, panicked := try(func(dst []byte, _ Metadata) []byte { panic("no") }); panicked != "no" {
			t.Fatalf("panicked with %v", panicked)
		}
	}
	if dst, panicked := try(AppendMetadata); string(dst) != `{"a":"x","b":{"c":3}}` || panicked != nil {
		t.Errorf("got %s, %v", dst, panicked)
	}
}

// TestPrefixHammer has many goroutines use more forms of one prefix than it remembers.
func TestPrefixHammer(t *testing.T) {
	const goroutines, rounds = 8, 500
	m := carried()
	for range 20 {
		p := NewPrefix(m)
		var wg sync.WaitGroup
		for g := range goroutines {
			wg.Go(func() {
				for i := range rounds {
					name := fmt.Sprint((g + i) % (maxForms + 2))
					dst, rest := AppendPrefix(nil, eventOf(p, m, Field{Key: "d"}), &Form{Name: name},
						func(dst []byte, m Metadata) []byte { return AppendMetadata(append(dst, name...), m) })
					if want := name + `{"a":"x","b":{"c":3}}`; string(dst) != want || len(rest) != 1 {
						t.Errorf("got %s and %d other fields, want %s", dst, len(rest), want)
						return
					}
				}
			})
		}
		wg.Wait()
		seen := map[Form]bool{}
		for i := range p.forms {
			if f := p.forms[i].Load(); f == nil || seen[*f.form] {
				t.Fatalf("place %d is empty or a form is there twice", i)
			} else {
				seen[*f.form] = true
			}
		}
	}
}

func TestPrefixStaysWithTheEvent(t *testing.T) {
	m := carried()
	e := eventOf(NewPrefix(m), m)
	if c := e.Clone(); c.Prefix != nil {
		t.Error("a clone has the prefix")
	}
	if e.Reset(); e.Prefix != nil {
		t.Error("an event that was reset has the prefix")
	}
}

// TestMembersWithPrefix checks that a prefix makes no difference to the wire.
func TestMembersWithPrefix(t *testing.T) {
	empty := Metadata{}
	hollow := Metadata{{Key: "g", Value: Group(&empty)}}
	for _, m := range []Metadata{nil, hollow, carried()} {
		for _, more := range []Metadata{nil, hollow, {{Key: "z", Value: Int(1)}}} {
			p := NewPrefix(m)
			want := AppendMembers(nil, eventOf(nil, m, more...))
			for range 3 {
				if got := AppendMembers(nil, eventOf(p, m, more...)); string(got) != string(want) {
					t.Errorf("got %s\nwant %s", got, want)
				}
			}
		}
	}
}
