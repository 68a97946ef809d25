package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseAgentFile(t *testing.T) {
	text := `
server: https://spile.example.org
enrol_token_file: enrol.token
data: /var/lib/spile/agent
name: web-1
labels:
  env: prod
  rack: "12"
files:
  - /var/log/syslog
  - nginx=/var/log/nginx/*.log
  - source: app
    glob: /srv/app/log/*.json
max_session: 10m
max_rate: 5000
`
	got, err := parseAgentFile([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	want := agentFile{
		Server: "https://spile.example.org", EnrolTokenFile: "enrol.token", Data: "/var/lib/spile/agent", Name: "web-1",
		Labels: map[string]string{"env": "prod", "rack": "12"},
		Files: []fileEntry{
			{Glob: "/var/log/syslog"},
			{Source: "nginx", Glob: "/var/log/nginx/*.log"},
			{Source: "app", Glob: "/srv/app/log/*.json"},
		},
		MaxSession: yamlDuration(10 * time.Minute), MaxRate: 5000,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestParseAgentFileErrors(t *testing.T) {
	tests := []struct {
		name, text, want string
	}{
		{name: "unknown-key", text: "server: x\nservre: y\n", want: `2:1: unknown field "servre"`},
		{name: "unknown-key-of-entry", text: "files:\n  - source: a\n    glub: /a\n", want: `3:5: unknown field "glub"`},
		{name: "entry-without-glob", text: "files:\n  - source: a\n", want: "must have a glob"},
		{name: "empty-entry", text: "files:\n  - \"a=\"\n", want: `2:5: "a=" must be a glob or source=glob`},
		{name: "wrong-type", text: "name: x\nmax_rate: many\n", want: "2:11: "},
		{name: "text-for-a-number", text: "max_rate: many\n", want: "1:11: max_rate must be a whole number, not text"},
		{name: "list-for-text", text: "enrol_token_file: [1]\n", want: "1:19: enrol_token_file must be text, not a list"},
		{name: "map-for-a-label", text: "labels:\n  a: {b: c}\n", want: "2:6: labels must be text, not a map"},
		{name: "bad-duration", text: "max_session: 1 hour\n", want: `1:14: "1 hour" must be a length of time`},
		{name: "zero-duration", text: "max_session: 0\n", want: `1:14: "0" must be`},
		{name: "files-not-a-list", text: "files: {a: b}\n", want: "1:"},
		{name: "double-key", text: "name: a\nname: b\n", want: "2:1: "},
		{name: "not-yaml", text: "name: [a\n", want: "1:"},
		{name: "two-documents", text: "name: a\n---\nname: b\n", want: "must hold one document"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := parseAgentFile([]byte(tt.text)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
	if _, err := parseAgentFile(nil); err != nil {
		t.Errorf("empty file: %v", err)
	}
}

func TestParseSeconds(t *testing.T) {
	tests := []struct {
		name, in string
		want     time.Duration
	}{
		{name: "go-duration", in: "1h30m", want: 90 * time.Minute},
		{name: "bare-seconds", in: "600", want: 10 * time.Minute},
		{name: "fraction", in: "0.5", want: 500 * time.Millisecond},
		{name: "zero", in: "0"},
		{name: "negative", in: "-5s"},
		{name: "words", in: "five"},
		{name: "not-a-number", in: "NaN"},
		{name: "too-long", in: "1e300"},
		{name: "endless", in: "Inf"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseSeconds(tt.in)
			if got != tt.want || (err == nil) != (tt.want > 0) {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}

func TestShellWord(t *testing.T) {
	tests := []struct {
		name, in, want string
	}{
		{name: "plain", in: "/tmp/x-1", want: "/tmp/x-1"},
		{name: "space-inside", in: "/a b/c", want: "'/a b/c'"},
		{name: "quote", in: "it's", want: `'it'\''s'`},
		{name: "empty", in: "", want: "''"},
		{name: "substitution-inside", in: "a$(b)c", want: "'a$(b)c'"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := shellWord(tt.in); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}
