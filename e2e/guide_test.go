package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spilelog/spile/wire"
)

// guide is a fleet as the streaming guide describes it: one agent with an nginx error log.
type guide struct {
	*fleet
	log, token, agentID string
}

// newGuide starts the guide's fleet.
func newGuide(t *testing.T) *guide {
	t.Helper()
	g := &guide{fleet: newFleet(t)}
	g.log = filepath.Join(g.dir, "logs", "error.log")
	if err := os.MkdirAll(filepath.Dir(g.log), 0o755); err != nil {
		t.Fatal(err)
	}
	g.write("")
	g.startAgent("edge-location-01", "nginx="+g.log)
	token, err := os.ReadFile(filepath.Join(g.dir, "server", "admin.token"))
	if err != nil {
		t.Fatal(err)
	}
	g.token = strings.TrimSpace(string(token))
	a, err := g.client.Agent(t.Context(), "edge-location-01")
	if err != nil {
		t.Fatal(err)
	}
	g.agentID = a.ID
	return g
}

// write appends text to the log.
func (g *guide) write(text string) {
	g.t.Helper()
	file, err := os.OpenFile(g.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		g.t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	if _, err := file.WriteString(text); err != nil {
		g.t.Fatal(err)
	}
}

// nginxError is one line of the log at a level.
func nginxError(level string) string {
	return "2024/01/15 10:00:00 [" + level + "] 12#34: *56 upstream timed out (110: Connection timed out) " +
		"while reading response header from upstream, client: 10.0.0.9, server: shop\n"
}

// shell runs a command line of the guide.
func (g *guide) shell(line string) []byte {
	g.t.Helper()
	line = strings.ReplaceAll(line, "https://api.logfleet.io", g.url())
	line = strings.ReplaceAll(line, "a1b2c3d4-e5f6-7890-abcd-ef1234567890", g.agentID)
	cmd := exec.Command("bash", "-c", line)
	cmd.Env = append(os.Environ(), "TOKEN="+g.token)
	out, err := cmd.Output()
	if err != nil {
		g.t.Fatalf("%s: %v", line, err)
	}
	return out
}

func TestGuideCommands(t *testing.T) {
	g := newGuide(t)
	start := `curl -s -X POST https://api.logfleet.io/api/v1/stream/start \
  -H "Authorization: Bearer $TOKEN" \
  -H "Content-Type: application/json" \
  -d '{
    "agent_id": "a1b2c3d4-e5f6-7890-abcd-ef1234567890",
    "timeout_seconds": 300,
    "filters": {
      "level": ["ERROR", "WARN"],
      "source": "nginx"
    }
  }'`
	var got struct {
		Session struct {
			ID, Status   string
			AgentID      string `json:"agent_id"`
			StartedAt    string `json:"started_at"`
			ExpiresAt    string `json:"expires_at"`
			WebSocketURL string `json:"websocket_url"`
		}
		SessionID    string `json:"session_id"`
		AgentID      string `json:"agent_id"`
		Status       string
		WebSocketURL string `json:"websocket_url"`
	}
	if err := json.Unmarshal(g.shell(start), &got); err != nil {
		t.Fatal(err)
	}
	s := got.Session
	if s.ID == "" || s.ID != got.SessionID || s.AgentID != g.agentID || got.AgentID != g.agentID ||
		s.Status != "active" || got.Status != "active" || s.WebSocketURL == "" || s.WebSocketURL != got.WebSocketURL {
		t.Errorf("start answered %+v: want both forms, nested and flat", got)
	}
	extend := `curl -s -X POST https://api.logfleet.io/api/v1/stream/start \
  -H "Authorization: Bearer $TOKEN" \
  -H "Content-Type: application/json" \
  -d '{
    "agent_id": "a1b2c3d4-e5f6-7890-abcd-ef1234567890",
    "timeout_seconds": 300
  }'`
	g.shell(extend)
	list := `curl -s -X GET https://api.logfleet.io/api/v1/stream/sessions \
  -H "Authorization: Bearer $TOKEN"`
	var sessions wire.SessionList
	if err := json.Unmarshal(g.shell(list), &sessions); err != nil {
		t.Fatal(err)
	}
	if sessions.Total != 2 || sessions.Sessions[0].AgentName != "edge-location-01" {
		t.Errorf("sessions %+v: want the two that were started", sessions)
	}
	stop := strings.Replace(`curl -s -X POST https://api.logfleet.io/api/v1/stream/stop \
  -H "Authorization: Bearer $TOKEN" \
  -H "Content-Type: application/json" \
  -d '{
    "session_id": "sess_abc123"
  }'`, "sess_abc123", s.ID, 1)
	var stopped wire.Session
	if err := json.Unmarshal(g.shell(stop), &stopped); err != nil {
		t.Fatal(err)
	}
	if stopped.ID != s.ID || stopped.Status != wire.StatusEnded {
		t.Errorf("stop answered %+v: want the ended session", stopped)
	}
}

func TestGuideSnippets(t *testing.T) {
	snippets := []struct {
		name, level, want string
		command           []string
	}{
		{"javascript", "ERROR", "[ERROR] nginx: upstream timed out", []string{"node", "testdata/guide.js"}},
		{"python", "info", "[INFO] upstream timed out", []string{"/usr/bin/python3", "testdata/guide.py"}},
	}
	for _, tt := range snippets {
		t.Run(tt.name, func(t *testing.T) {
			g := newGuide(t)
			filters := wire.Filters{Level: wire.Strings{tt.level}}
			id := g.session(wire.StartRequest{AgentID: g.agentID, Filters: filters})
			args := append(tt.command[1:], strings.Replace(g.url(), "http", "ws", 1), id, g.token)
			cmd := exec.Command(tt.command[0], args...)
			cmd.Env = append(os.Environ(), "NODE_PATH=/usr/share/nodejs")
			p := launch(t, tt.name, cmd)
			g.until("the snippet is connected", func() bool {
				s, err := g.client.Session(t.Context(), id)
				return err == nil && s.Viewers == 1
			})
			g.write(nginxError("error") + nginxError("info") + nginxError("warn"))
			g.until("the line is printed", func() bool { return strings.Contains(p.out.String(), tt.want) })
			if _, err := g.client.Stop(t.Context(), id); err != nil {
				t.Fatal(err)
			}
			if status := p.exit(); status != 0 {
				t.Errorf("the snippet ended with status %d: %s", status, p.out)
			}
			out := p.out.String()
			if strings.Count(out, "upstream timed out") != 1 || !strings.Contains(out, "session_ended stopped") ||
				!strings.Contains(out, "closed 1000") {
				t.Errorf("the snippet printed:\n%swant one line, the end and a close with 1000", out)
			}
		})
	}
}
