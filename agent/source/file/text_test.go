package file

import (
	"os"
	"strings"
	"testing"
	"time"
)

func TestStrangeness(t *testing.T) {
	program, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	wide := strings.ReplaceAll("2024-01-15 10:00:00 a line\n", "", "\x00")
	for _, test := range []struct{ name, text, want string }{
		{"empty", "", ""},
		{"text", strings.Repeat("a line of text\n", 70), ""},
		{"utf-8-mark", "\ufefftext\n", ""},
		{"utf-8", strings.Repeat("grüße 日本 😀\n", 40), ""},
		{"latin-1", strings.Repeat("gr\xfc\xdfe\n", 40), ""},
		{"few-nuls", strings.Repeat("a line of text\n", 60) + "\x00\x00\x00\x00", ""},
		{"hole", strings.Repeat("\x00", 900) + "a line of text\n", ""},
		{"hole-alone", strings.Repeat("\x00", 1024), ""},
		{"utf-16-mark-little", "\xff\xfea\x00\n\x00", "UTF-16"},
		{"utf-16-mark-big", "\xfe\xff\x00a\x00\n", "UTF-16"},
		{"utf-16-little", wide[1:], "UTF-16"},
		{"utf-16-big", wide[:len(wide)-1], "UTF-16"},
		{"program", string(program[:headSize]), "binary"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := newHead(0, []byte(test.text)).strangeness(); !strings.Contains(got, test.want) || (got == "") != (test.want == "") {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// TestStrangeFileIsTold follows a file that is no text: its source says so, and only its.
func TestStrangeFileIsTold(t *testing.T) {
	r := newRig(t)
	r.write("app.log", "text\n")
	r.write("x.log", strings.Repeat("\x7fELF\x00\x00\x00\x01", 100))
	problem := func(name string) string {
		for _, s := range r.set.Sources() {
			if s.Name == name {
				return s.Problem
			}
		}
		return ""
	}
	for until := time.Now().Add(deadline); problem("x") == ""; {
		if time.Now().After(until) {
			t.Fatal("nothing is told")
		}
		<-time.After(time.Millisecond)
	}
	if got, want := problem("x"), r.path("x.log")+" seems to be binary: it has no lines"; got != want {
		t.Errorf("x has the problem %q, want %q", got, want)
	}
	if got := problem("app"); got != "" {
		t.Errorf("app has the problem %q", got)
	}
}
