package event

import (
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"
)

func TestParseLevel(t *testing.T) {
	tests := []struct {
		name, word string
		want       Level
	}{
		{"trace", "trace", Trace},
		{"debug-upper", "DEBUG", Debug},
		{"info-mixed", "Info", Info},
		{"notice", "notice", Notice},
		{"warning", "warning", Warning},
		{"warn", "WARN", Warning},
		{"error", "error", Error},
		{"err", "err", Error},
		{"critical", "critical", Critical},
		{"crit", "crit", Critical},
		{"fatal", "Fatal", Critical},
		{"alert", "alert", Alert},
		{"emergency", "emergency", Emergency},
		{"emerg", "emerg", Emergency},
		{"panic", "panic", Emergency},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := ParseLevel(tt.word); err != nil || got != tt.want {
				t.Errorf("got %v, %v, want %v", got, err, tt.want)
			}
		})
	}
	for _, word := range []string{"", "loud", "warnings", " info"} {
		if _, err := ParseLevel(word); err == nil {
			t.Errorf("ParseLevel(%q): no error", word)
		}
	}
}

func TestLevelWordsReadBack(t *testing.T) {
	for i := range NumLevels {
		l := LevelAt(i)
		if l.Index() != i {
			t.Errorf("%v: index %d, want %d", l, l.Index(), i)
		}
		for _, word := range []string{l.String(), l.Wire()} {
			if got, err := ParseLevel(word); err != nil || got != l {
				t.Errorf("ParseLevel(%q) = %v, %v, want %v", word, got, err, l)
			}
		}
	}
}

func TestLevelBetween(t *testing.T) {
	tests := []struct {
		name  string
		level Level
		want  Level
	}{
		{"below-trace", -100, Trace},
		{"above-trace", -7, Trace},
		{"above-info", 1, Info},
		{"above-warning", 5, Warning},
		{"above-error", 9, Error},
		{"above-emergency", 100, Emergency},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := LevelAt(tt.level.Index()); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestSets(t *testing.T) {
	tests := []struct {
		name  string
		words []string
		want  []Level
	}{
		{"empty", nil, []Level{}},
		{"exact", []string{"ERROR"}, []Level{Error}},
		{"order-and-doubles", []string{"err", "debug", "error"}, []Level{Debug, Error}},
		{"fatal-and-above", []string{"fatal"}, []Level{Critical, Alert, Emergency}},
		{"critical-alone", []string{"critical"}, []Level{Critical}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := ParseSet(tt.words)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, s.Levels()); diff != "" || s.Len() != len(tt.want) {
				t.Errorf("Len %d (-want +got)\n%s", s.Len(), diff)
			}
		})
	}
	if _, err := ParseSet([]string{"info", "loud"}); err == nil {
		t.Error("unknown word: no error")
	}
	if AtLeast(Trace) != AllLevels || AtLeast(Emergency) != SetOf(Emergency) {
		t.Error("AtLeast is off at its ends")
	}
}

func TestMetadataSet(t *testing.T) {
	var m Metadata
	m.Set("a", Int(1))
	m.Set("b", Bool(true))
	m.Set("a", String("x"))
	if got := string(AppendMetadata(nil, m)); got != `{"a":"x","b":true}` {
		t.Errorf("got %s", got)
	}
	if _, ok := m.Get("c"); ok {
		t.Error("found a key that was never set")
	}
}

func TestCloneSharesNothing(t *testing.T) {
	buf := []byte("source message key value")
	s := unsafe.String(&buf[0], len(buf))
	ev := Event{Time: time.Unix(1, 0), Source: s[:6], Message: s[7:14], Metadata: Metadata{{s[15:18], String(s[19:])}}}
	c := ev.Clone()
	want := string(AppendMembers(nil, &c))
	for i := range buf {
		buf[i] = '#'
	}
	ev.Metadata[0].Key = ""
	if got := string(AppendMembers(nil, &c)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestResetKeepsMemory(t *testing.T) {
	ev := Event{Level: Error, Source: "s", Message: "m", Metadata: make(Metadata, 3, 8)}
	ev.Reset()
	if ev.Level != Info || ev.Source != "" || ev.Message != "" || len(ev.Metadata) != 0 || cap(ev.Metadata) != 8 {
		t.Errorf("got %+v, capacity %d", ev, cap(ev.Metadata))
	}
}
