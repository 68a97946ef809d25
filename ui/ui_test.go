package ui_test

import (
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spilelog/spile/ui"
)

// read is the text of one file of the page.
func read(t *testing.T, name string) string {
	t.Helper()
	data, err := fs.ReadFile(ui.Files(), name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// sources is the text of the files that the page is built from, by name; without the tests, which run elsewhere.
func sources(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	tree := os.DirFS("src")
	err := fs.WalkDir(tree, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasSuffix(path, ".test.ts") {
			return err
		}
		data, err := fs.ReadFile(tree, path)
		out[path] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestPageRefersOnlyToItself: by paths beside it too, since a proxy may serve the page below a folder.
func TestPageRefersOnlyToItself(t *testing.T) {
	refs := regexp.MustCompile(`(?:src|href)="([^"]*)"`).FindAllStringSubmatch(read(t, "index.html"), -1)
	if len(refs) == 0 {
		t.Fatal("index.html refers to nothing")
	}
	for _, ref := range refs {
		name, beside := strings.CutPrefix(ref[1], "./")
		if _, err := fs.Stat(ui.Files(), name); err != nil || !beside {
			t.Errorf("index.html refers to %q, want a file beside it: %v", ref[1], err)
		}
	}
}

// TestBuiltNames: what is committed changes only where the page does.
func TestBuiltNames(t *testing.T) {
	var names []string
	entries, err := fs.ReadDir(ui.Files(), ".")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	if want := []string{"app.css", "app.js", "icon.svg", "index.html"}; !slices.Equal(names, want) {
		t.Errorf("the page is built to %q, want %q", names, want)
	}
}

func TestPageStandsAStrictPolicy(t *testing.T) {
	for _, test := range []struct {
		name, file, forbidden, why string
	}{
		{"inline-style", "index.html", `style=|<style`, "style-src 'self'"},
		{"inline-script", "index.html", `<script>|\son[a-z]+=|javascript:`, "script-src 'self'"},
		{"foreign-address", "index.html", `https?://|src="//`, "default-src 'none'"},
		{"style-import", "app.css", `@import|url\(`, "default-src 'none'"},
		{"code-from-text", "app.js", `\beval\(|new Function\(|importScripts`, "script-src 'self'"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if hit := regexp.MustCompile(test.forbidden).FindString(read(t, test.file)); hit != "" {
				t.Errorf("%s has %q, against %s", test.file, hit, test.why)
			}
		})
	}
}

// TestScriptNamesNoForeignHost: the addresses in it are names of XML and where the framework explains its errors, which
// nothing is fetched from, and where a client outside of browsers looks for a server.
func TestScriptNamesNoForeignHost(t *testing.T) {
	known := regexp.MustCompile(`^https?://(www\.w3\.org/(1999|2000|1998)/|svelte\.dev/e/|127\.0\.0\.1:7800$)`)
	for _, address := range regexp.MustCompile("https?://[^\"'` )]*").FindAllString(read(t, "app.js"), -1) {
		if !known.MatchString(address) {
			t.Errorf("app.js has the address %q", address)
		}
	}
}

// TestTextIsNeverMarkup: what agents and their logs say becomes text nodes, whatever it is.
func TestTextIsNeverMarkup(t *testing.T) {
	forbidden := regexp.MustCompile(`\{@html|innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|` +
		`createContextualFragment|srcdoc|\bsetHTML`)
	files := sources(t)
	if len(files) == 0 {
		t.Fatal("the page has no sources")
	}
	for name, text := range files {
		if hit := forbidden.FindString(text); hit != "" {
			t.Errorf("src/%s has %q", name, hit)
		}
	}
}
