package wire_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/spilelog/spile/wire"
)

// drawCursor makes any cursor of up to n agents.
func drawCursor(t *rapid.T, n int) wire.Cursor {
	var c wire.Cursor
	for range rapid.IntRange(0, n).Draw(t, "agents") {
		var p wire.Position
		for i := range p.Agent {
			p.Agent[i] = rapid.Byte().Draw(t, "byte")
		}
		p.Epoch, p.Seq = rapid.Uint64().Draw(t, "epoch"), rapid.Uint64().Draw(t, "seq")
		c = append(c, p)
	}
	return c
}

func TestCursorRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawCursor(t, 5)
		got, err := wire.ParseCursor(want.String())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("cursor %q (-want +got):\n%s", want, diff)
		}
	})
}

func TestCursorOfTheLargestSession(t *testing.T) {
	var want wire.Cursor
	for range wire.MaxSessionAgents {
		want = append(want, wire.Position{Agent: [16]byte{0xff}, Epoch: 1<<64 - 1, Seq: 1<<64 - 1})
	}
	got, err := wire.ParseCursor(want.String())
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != len(want) {
		t.Errorf("got %d positions, want %d", len(got), len(want))
	}
}

func TestParseCursorRefuses(t *testing.T) {
	good := wire.Cursor{{Agent: [16]byte{1}, Epoch: 1, Seq: 300}}.String()
	for _, test := range []struct{ name, text string }{
		{"number", "17"},
		{"other-alphabet", "+/+/"},
		{"padded", good + "=="},
		{"cut", good[:len(good)-2]},
		{"uuid-only", strings.Repeat("A", 22)},
		{"too-long", strings.Repeat("A", wire.MaxSessionAgents*64+1)},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, err := wire.ParseCursor(test.text)
			if err == nil || !strings.Contains(err.Error(), "not a cursor") {
				t.Errorf("ParseCursor(%q) = %v, %v, want an error that says it is no cursor", test.text, c, err)
			}
		})
	}
}

func FuzzParseCursor(f *testing.F) {
	f.Add("")
	f.Add(wire.Cursor{{Agent: [16]byte{1, 2, 3}, Epoch: 7, Seq: 1 << 40}}.String())
	f.Fuzz(func(t *testing.T, text string) {
		c, err := wire.ParseCursor(text)
		if err != nil {
			return
		}
		again, err := wire.ParseCursor(c.String())
		if err != nil {
			t.Fatalf("parse what was just encoded: %v", err)
		}
		if diff := cmp.Diff(c, again); diff != "" {
			t.Errorf("cursor (-first +second):\n%s", diff)
		}
	})
}

func TestUUID(t *testing.T) {
	const text = "a1b2c3d4-e5f6-7890-abcd-ef1234567890"
	for _, test := range []struct{ name, text, wantErr string }{
		{"lower-case", text, ""},
		{"upper-case", strings.ToUpper(text), ""},
		{"empty", "", "8-4-4-4-12"},
		{"no-dashes", strings.ReplaceAll(text, "-", ""), "8-4-4-4-12"},
		{"braces", "{" + text + "}", "8-4-4-4-12"},
		{"dash-moved", "a1b2c3d4e-5f6-7890-abcd-ef1234567890", "8-4-4-4-12"},
		{"no-hex", "g1b2c3d4-e5f6-7890-abcd-ef1234567890", "not hexadecimal"},
		{"dash-for-hex", "-1b2c3d4-e5f6-7890-abcd-ef1234567890", "not hexadecimal"},
	} {
		t.Run(test.name, func(t *testing.T) {
			id, err := wire.ParseUUID(test.text)
			if test.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), test.wantErr) {
					t.Errorf("ParseUUID(%q) error = %v, want %q", test.text, err, test.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := wire.FormatUUID(id); got != text {
				t.Errorf("FormatUUID(ParseUUID(%q)) = %q, want %q", test.text, got, text)
			}
		})
	}
}

func FuzzParseUUID(f *testing.F) {
	f.Add("a1b2c3d4-e5f6-7890-abcd-ef1234567890")
	f.Fuzz(func(t *testing.T, text string) {
		id, err := wire.ParseUUID(text)
		if err != nil {
			return
		}
		if got := wire.FormatUUID(id); got != strings.ToLower(text) {
			t.Errorf("FormatUUID(ParseUUID(%q)) = %q", text, got)
		}
	})
}
