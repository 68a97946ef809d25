package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	var console bytes.Buffer
	path := filepath.Join(t.TempDir(), "quickstart.log")
	if err := run(t.Context(), &console, path); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		event          string
		console, file  bool
		alsoInEachLine string
	}{
		{"pool_started", false, true, "size"},
		{"query_built", true, true, "orders"},
		{"orders_fetch_failed", true, true, "alice"},
		{"import_orders_exception", true, true, "alice"},
	} {
		for name, out := range map[string]struct {
			text string
			want bool
		}{"console": {console.String(), test.console}, "file": {string(file), test.file}} {
			found := false
			for line := range strings.Lines(out.text) {
				found = found || strings.Contains(line, test.event) && strings.Contains(line, test.alsoInEachLine)
			}
			if found != out.want {
				t.Errorf("%s has %s: %v, want %v:\n%s", name, test.event, found, out.want, out.text)
			}
		}
	}
}
