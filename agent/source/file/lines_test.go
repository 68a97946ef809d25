package file

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/spilelog/spile/agent/source"
	"github.com/spilelog/spile/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// FuzzLines appends a text in pieces and wants the lines that its plain splitting gives, however it was cut: lengths
// and cuts are made of the bytes that the fuzzer gives.
func FuzzLines(f *testing.F) {
	f.Add([]byte{3, 0, 200, 17}, []byte{1, 2, 3})
	f.Add([]byte{255, 255, 1}, []byte{250, 10})
	f.Add([]byte{254, 253, 252, 0, 0, 251}, []byte{255})
	f.Fuzz(func(t *testing.T, lengths, cuts []byte) {
		if len(lengths) > 24 || len(cuts) > 24 {
			return
		}
		text := fuzzText(lengths)
		r := &rig{t: t, dir: t.TempDir()}
		s, rd := quietSet(t, r)
		defer s.end()
		defer func() { _ = rd.Close() }()
		var k taken
		for rest, i := text, 0; len(rest) > 0; i++ {
			n := len(rest)
			if i < len(cuts) {
				n = min(n, 1+int(cuts[i])*int(cuts[i])*8)
			}
			r.write("app.log", rest[:n])
			rest = rest[n:]
			s.scan()
			drain(t, rd, &k)
		}
		want, cut := plainLines(text)
		if !slices.Equal(k.lines, want) {
			t.Errorf("%d lines, want %d", len(k.lines), len(want))
		}
		if !slices.Equal(k.cut, cut) {
			t.Errorf("cut from %v, want %v", k.cut, cut)
		}
	})
}

// fuzzText makes lines of lengths from nothing to far over the limit; those around 250 lie near it.
func fuzzText(lengths []byte) string {
	var b strings.Builder
	for i, n := range lengths {
		size := int(n) * 7
		switch {
		case n > 252:
			size = wire.MaxLine*int(n-251) + int(n)
		case n > 245:
			size = wire.MaxLine + int(n) - 249
		}
		b.WriteString(strings.Repeat(string(rune('a'+i)), size) + "\n")
	}
	return b.String()
}

func plainLines(text string) (lines []string, cut []int64) {
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if len(line) > wire.MaxLine {
			cut = append(cut, int64(len(line)))
			line = line[:wire.MaxLine]
		}
		lines = append(lines, line)
	}
	return lines, cut
}

// quietSet is a set that looks only when it is told to, and a reader of its empty app.log.
func quietSet(t *testing.T, r *rig) (*Set, source.Reader) {
	t.Helper()
	if err := os.WriteFile(r.path("app.log"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := New(Options{Specs: []Spec{{Glob: filepath.Join(r.dir, "*.log")}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.begin(nil); err != nil {
		t.Fatal(err)
	}
	rd, err := s.Open(t.Context(), source.Start{})
	if err != nil {
		t.Fatal(err)
	}
	return s, rd
}
