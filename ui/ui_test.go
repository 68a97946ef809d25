package ui_test

import (
	"io/fs"
	"regexp"
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

func TestPageRefersOnlyToItself(t *testing.T) {
	refs := regexp.MustCompile(`(?:src|href)="([^"]*)"`).FindAllStringSubmatch(read(t, "index.html"), -1)
	if len(refs) == 0 {
		t.Fatal("index.html refers to nothing")
	}
	for _, ref := range refs {
		if ref[1] == "login" {
			continue
		}
		if _, err := fs.Stat(ui.Files(), ref[1]); err != nil {
			t.Errorf("index.html refers to %q: %v", ref[1], err)
		}
	}
}

// TestPageCallsBesideItself: a proxy may serve the page below a folder.
func TestPageCallsBesideItself(t *testing.T) {
	if script := read(t, "app.js"); !strings.Contains(script, `const API = "api/v1";`) {
		t.Error("app.js calls the API by a path from the root")
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
		{
			"markup-from-text", "app.js",
			`innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function`,
			"text of agents is never markup",
		},
		{"style-from-script", "app.js", `\.style\b|cssText`, "style-src 'self'"},
		{"foreign-call", "app.js", `https?://`, "connect-src 'self'"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if hit := regexp.MustCompile(test.forbidden).FindString(read(t, test.file)); hit != "" {
				t.Errorf("%s has %q, against %s", test.file, hit, test.why)
			}
		})
	}
}

func TestScriptFindsItsElements(t *testing.T) {
	page := read(t, "index.html")
	for _, use := range regexp.MustCompile(`\$\("([^"]+)"\)`).FindAllStringSubmatch(read(t, "app.js"), -1) {
		if !strings.Contains(page, `id="`+use[1]+`"`) {
			t.Errorf("app.js uses the element %q, which index.html does not have", use[1])
		}
	}
}
