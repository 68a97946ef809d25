package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/spilelog/spile/wire"
)

// faultLongLine writes a line of 1 MB: its beginning comes, marked with its length, and the next one whole.
func faultLongLine(t *testing.T) {
	f := newFleet(t)
	log := filepath.Join(f.dir, "logs", "app.log")
	write(t, log, "before\n")
	f.startAgent("edge-1", "app="+log)
	ctx, id, stream := f.begin(wire.StartRequest{Mode: wire.ModeComplete})
	const length = 1 << 20
	write(t, log, strings.Repeat("x", length)+"\nthe next line\n")
	got := collect(ctx, t, stream, says("the next line"))
	if len(got) != 2 {
		t.Fatalf("%d events came, want two", len(got))
	}
	checkCut(t, got[0].Log, length)
	if got[1].Log.Message != "the next line" {
		t.Errorf("the next line is %.200q", got[1].Log.Message)
	}
	stopped, err := f.client.Stop(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range stopped.Accounts.Agents {
		if a.Seen != 2 || a.TruncatedLines != 1 || !a.Closes() {
			t.Errorf("the account is %+v, want two lines seen and one cut", a)
		}
	}
}

// checkCut checks an event of a line that was longer than one may be.
func checkCut(t *testing.T, log *wire.Log, length int) {
	t.Helper()
	var meta struct {
		Truncated     bool
		OriginalBytes int `json:"original_bytes"`
	}
	if err := json.Unmarshal(log.Metadata, &meta); err != nil {
		t.Fatal(err)
	}
	if len(log.Message) < wire.MaxLine*9/10 || len(log.Message) > wire.MaxLine || !meta.Truncated ||
		meta.OriginalBytes != length {
		t.Errorf("the cut line has %d bytes and says %+v, want about %d, truncated and %d",
			len(log.Message), meta, wire.MaxLine, length)
	}
}

// faultEndlessLine writes 100 MB without a line end: the agent's memory stays bounded, and the line after it is whole.
func faultEndlessLine(t *testing.T) {
	const (
		part   = 1 << 20
		length = 100 * part
	)
	f := newFleet(t)
	log := filepath.Join(f.dir, "logs", "app.log")
	write(t, log, "before\n")
	agent := f.startAgent("edge-1", "app="+log)
	ctx, id, stream := f.begin(wire.StartRequest{Mode: wire.ModeComplete})
	for range length / part {
		write(t, log, strings.Repeat("x", part))
	}
	write(t, log, "\nthe next line\n")
	got := collect(ctx, t, stream, says("the next line"))
	if len(got) != 2 {
		t.Fatalf("%d events came, want two", len(got))
	}
	checkCut(t, got[0].Log, length)
	most := rss(t, agent, "VmHWM") >> 20
	t.Logf("the agent had %d MiB at most", most)
	if most > 64 {
		t.Errorf("the agent took %d MiB, want 64 at most", most)
	}
	if _, err := f.client.Stop(ctx, id); err != nil {
		t.Fatal(err)
	}
}

// invalidTexts are lines that are no UTF-8, each in another way, and some that are.
var invalidTexts = []string{
	"a lone continuation \x80 byte", "an overlong slash \xc0\xaf", "a long overlong \xe0\x80\xaf", "a surrogate \xed\xa0\x80",
	"a pair of surrogates \xed\xa0\xbd\xed\xb8\x80", "beyond the last \xf4\x90\x80\x80", "five bytes \xf8\x88\x80\x80\x80",
	"no byte of UTF-8 \xfe\xff", "cut within \xe2\x82", "cut at the end \xf0\x9f\x98", "\x80\x80\x80", "Latin-1 gr\xfc\xdfe",
	"Shift-JIS \x93\xfa\x96\x7b", "KOI8-R \xd2\xd5\xd3", "\xff", "valid: grüße 日本 😀 \u2028 \ufffd", "valid NUL \x00 within",
	`{"msg":"in JSON \xff and out"}`, "{\"msg\":\"raw in JSON \xff\xfe\"}", "level=info msg=\"logfmt \xc3\x28\"",
	"escape \x1b[31mred\x1b[0m", "carriage \r within", "delete \x7f and C1 \xc2\x9b",
}

// faultInvalidText writes lines that are no UTF-8: each comes as valid text, and its own bytes with it.
func faultInvalidText(t *testing.T) {
	f := newFleet(t)
	log := filepath.Join(f.dir, "logs", "app.log")
	write(t, log, "before\n")
	f.startAgent("edge-1", "app="+log)
	ctx, id, stream := f.begin(wire.StartRequest{Mode: wire.ModeComplete, Raw: true})
	messages := f.lines(f.url(), "ws", id, "")
	// Some are long, so that a character lies across the edge of a block or of a batch.
	texts := invalidTexts
	for n := range 40 {
		texts = append(texts, strings.Repeat("x", 4000+n)+strings.Repeat("é\xe9", 8000))
	}
	write(t, log, strings.Join(texts, "\n")+"\nthat was all\n")
	got := collect(ctx, t, stream, says("that was all"))
	if len(got) != len(texts)+1 {
		t.Fatalf("%d events came, want %d", len(got), len(texts)+1)
	}
	for i, text := range texts {
		frame := got[i]
		if !utf8.Valid(frame.Line) || !json.Valid(frame.Line) {
			t.Errorf("%.80q comes as %.200q", text, frame.Line)
		}
		raw := frame.Log.RawBase64
		if frame.Log.Raw != nil {
			raw = []byte(*frame.Log.Raw)
		}
		if string(raw) != text {
			t.Errorf("%.80q has the bytes %.80q", text, raw)
		}
		if (frame.Log.RawBase64 != nil) == utf8.ValidString(text) {
			t.Errorf("%.80q has raw %v and raw_base64 %.80q", text, frame.Log.Raw, frame.Log.RawBase64)
		}
	}
	for range got {
		message, ok := <-messages
		if !ok {
			t.Fatal("the stream of messages ended early")
		}
		if !utf8.ValidString(message) || !json.Valid([]byte(message)) {
			t.Errorf("a message is %.200q", message)
		}
	}
}

// utf16Text is text in UTF-16 with the given order of bytes.
func utf16Text(text string, big bool) string {
	var out bytes.Buffer
	for _, unit := range utf16.Encode([]rune(text)) {
		if big {
			out.Write([]byte{byte(unit >> 8), byte(unit)})
		} else {
			out.Write([]byte{byte(unit), byte(unit >> 8)})
		}
	}
	return out.String()
}

// faultEncodings writes what programs of other systems write: marks of byte order and carriage returns are taken off,
// and UTF-16, which has no lines that could be told apart, is said to be no text.
func faultEncodings(t *testing.T) {
	f := newFleet(t)
	dir := filepath.Join(f.dir, "logs")
	write(t, filepath.Join(dir, "app.log"), "before\n")
	f.startAgent("edge-1", filepath.Join(dir, "*.log"))
	ctx, id, stream := f.begin(wire.StartRequest{Mode: wire.ModeComplete})
	for name, text := range map[string]string{
		"bom":       "\ufeffwith a mark\n",
		"bom-json":  "\ufeff{\"msg\":\"with a mark\"}\n",
		"crlf":      "with a mark\r\n",
		"bom-crlf":  "\ufeffwith a mark\r\nwith a mark\n",
		"le":        utf16Text("\ufefflines in UTF-16\nand more\n", false),
		"be":        utf16Text("\ufefflines in UTF-16\nand more\n", true),
		"le-bare":   utf16Text("lines in UTF-16\nand more\n", false),
		"be-bare":   utf16Text("lines in UTF-16\nand more\n", true),
		"only-mark": "\ufeff\n",
	} {
		write(t, filepath.Join(dir, name+".log"), text)
	}
	want := map[string]int{"bom": 1, "bom-json": 1, "crlf": 1, "bom-crlf": 2}
	for left := 5; left > 0; {
		frame, err := stream.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if frame.Log == nil {
			continue
		}
		if n := want[frame.Log.Source]; n > 0 {
			left--
			if want[frame.Log.Source]--; frame.Log.Message != "with a mark" {
				t.Errorf("%s comes as %q", frame.Log.Source, frame.Log.Message)
			}
		}
	}
	for _, name := range []string{"le", "be", "le-bare", "be-bare"} {
		f.problem("edge-1", name, "UTF-16")
	}
	f.problem("edge-1", "bom", "")
	if _, err := f.client.Stop(ctx, id); err != nil {
		t.Fatal(err)
	}
}

// faultBinary puts a program into the folder: its source is marked, a terminal gets no control byte of it, and the file
// beside it is streamed.
func faultBinary(t *testing.T) {
	f := newFleet(t)
	dir := filepath.Join(f.dir, "logs")
	write(t, filepath.Join(dir, "app.log"), "before\n")
	f.startAgent("edge-1", filepath.Join(dir, "*.log"))
	_, id, _ := f.begin(wire.StartRequest{Mode: wire.ModeComplete})
	view := start(t, "tail", "--session", id, "--server", f.url(),
		"--token-file", filepath.Join(f.dir, "server", "admin.token"))
	f.until("both watch", func() bool {
		one, err := f.client.Session(t.Context(), id)
		return err == nil && one.Viewers == 2
	})
	program, err := os.ReadFile("/bin/ls")
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "x.log"), string(program))
	f.problem("edge-1", "x", "binary")
	write(t, filepath.Join(dir, "app.log"), "the healthy file goes on\n")
	began := time.Now()
	f.until("the healthy line is shown", func() bool { return strings.Contains(view.out.String(), "healthy file") })
	within(t, "the healthy line came", time.Since(began), 5*time.Second)
	out := view.out.String()
	for _, r := range out {
		if r < ' ' && r != '\n' && r != '\t' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			t.Fatalf("the terminal got %q within %d bytes", r, len(out))
		}
	}
	if !utf8.ValidString(out) {
		t.Error("the terminal got bytes that are no UTF-8")
	}
	t.Logf("a program of %d bytes was shown in %d", len(program), len(out))
}
