package server

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/spilelog/spile/wire"
)

// TestStartRefusals holds every field of a start against bad input: the documented error, and nothing is started.
func TestStartRefusals(t *testing.T) {
	r := start(t, t.TempDir(), nil)
	r.connect(r.enrol("on"))
	r.enrol("off")
	many := strings.Repeat(`"x",`, wire.MaxSessionAgents) + `"x"`
	future := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	for _, test := range []struct {
		name  string
		body  string
		code  wire.Code
		field string // in details
		says  string // in the message
	}{
		{"no-body", ``, wire.CodeValidation, "body", "JSON object"},
		{"not-json", `{"agent_id":`, wire.CodeValidation, "body", "not JSON"},
		{"a-list", `[]`, wire.CodeValidation, "body", "JSON object"},
		{"two-objects", `{"agent_id":"on"}{}`, wire.CodeValidation, "body", "nothing after"},
		{"twice", `{"agent_id":"on","agent_id":"off"}`, wire.CodeValidation, "body", "twice"},
		{"unknown-field", `{"agent_id":"on","timeout":5}`, wire.CodeValidation, "timeout", "timeout_seconds"},
		{"field-in-other-case", `{"Agent_ID":"on"}`, wire.CodeValidation, "Agent_ID", "agent_id"},
		{"unknown-filter", `{"agent_id":"on","filters":{"levle":"ERROR"}}`, wire.CodeValidation, "filters.levle", "level"},
		{"no-agent", `{}`, wire.CodeValidation, "agent_id", "id or name"},
		{"empty-agent", `{"agent_id":""}`, wire.CodeValidation, "agent_id", "id or name"},
		{"agent-type", `{"agent_id":7}`, wire.CodeValidation, "agent_id", "a string"},
		{"agent-null", `{"agent_id":null}`, wire.CodeValidation, "agent_id", "a string"},
		{"agents-type", `{"agents":"on"}`, wire.CodeValidation, "agents", "a list"},
		{"agents-item-type", `{"agents":[1]}`, wire.CodeValidation, "agents", "a list"},
		{"agents-empty", `{"agents":[]}`, wire.CodeValidation, "agents", "1 to 100"},
		{"agents-empty-name", `{"agents":[""]}`, wire.CodeValidation, "agents", "not empty"},
		{"agents-many", `{"agents":[` + many + `]}`, wire.CodeValidation, "agents", "1 to 100"},
		{"agents-twice", `{"agents":["on","on"]}`, wire.CodeValidation, "agents", "twice"},
		{"both-agents", `{"agent_id":"on","agents":["on"]}`, wire.CodeValidation, "agents", "together"},
		{"unknown-agent", `{"agent_id":"nobody"}`, wire.CodeNotFound, "agent_id", "nobody"},
		{"unknown-in-agents", `{"agents":["on","nobody"]}`, wire.CodeNotFound, "agents", "nobody"},
		{"offline-agent", `{"agent_id":"off"}`, wire.CodeAgentOffline, "agent_id", "last seen 20"},
		{"offline-in-agents", `{"agents":["on","off"]}`, wire.CodeAgentOffline, "agents", "last seen 20"},
		{"timeout-0", `{"agent_id":"on","timeout_seconds":0}`, wire.CodeValidation, "timeout_seconds", "1 to 3600"},
		{"timeout-3601", `{"agent_id":"on","timeout_seconds":3601}`, wire.CodeValidation, "timeout_seconds", "1 to 3600"},
		{"timeout-negative", `{"agent_id":"on","timeout_seconds":-1}`, wire.CodeValidation, "timeout_seconds", "1 to 3600"},
		{"timeout-text", `{"agent_id":"on","timeout_seconds":"x"}`, wire.CodeValidation, "timeout_seconds", "1 to 3600"},
		{"timeout-fraction", `{"agent_id":"on","timeout_seconds":1.5}`, wire.CodeValidation, "timeout_seconds", "1 to 3600"},
		{"timeout-huge", `{"agent_id":"on","timeout_seconds":1e99}`, wire.CodeValidation, "timeout_seconds", "1 to 3600"},
		{"filters-type", `{"agent_id":"on","filters":"ERROR"}`, wire.CodeValidation, "filters", "object"},
		{"filters-null", `{"agent_id":"on","filters":null}`, wire.CodeValidation, "filters", "object"},
		{"level-unknown", `{"agent_id":"on","filters":{"level":["EROR"]}}`, wire.CodeValidation, "filters.level", "emergency"},
		{"level-type", `{"agent_id":"on","filters":{"level":5}}`, wire.CodeValidation, "filters.level", "list of strings"},
		{"level-item", `{"agent_id":"on","filters":{"level":[5]}}`, wire.CodeValidation, "filters.level", "list of strings"},
		{"min-level-unknown", `{"agent_id":"on","filters":{"min_level":"loud"}}`, wire.CodeValidation, "filters.min_level", "emergency"},
		{"min-level-type", `{"agent_id":"on","filters":{"min_level":["ERROR"]}}`, wire.CodeValidation, "filters.min_level", "a string"},
		{"source-type", `{"agent_id":"on","filters":{"source":{}}}`, wire.CodeValidation, "filters.source", "list of strings"},
		{"source-glob", `{"agent_id":"on","filters":{"source":"[a"}}`, wire.CodeValidation, "filters.source", "[a"},
		{"pattern-bad", `{"agent_id":"on","filters":{"pattern":"ab(c"}}`, wire.CodeValidation, "filters.pattern", ""},
		{"pattern-type", `{"agent_id":"on","filters":{"pattern":["x"]}}`, wire.CodeValidation, "filters.pattern", "a string"},
		{
			"pattern-long", `{"agent_id":"on","filters":{"pattern":"` + strings.Repeat("x", wire.MaxPattern+1) + `"}}`,
			wire.CodeValidation, "filters.pattern", "1024",
		},
		{"scope-bad", `{"agent_id":"on","filters":{"scope":"nocolon"}}`, wire.CodeValidation, "filters.scope", "nocolon"},
		{"scope-type", `{"agent_id":"on","filters":{"scope":[null,1]}}`, wire.CodeValidation, "filters.scope", "list of strings"},
		{"mode-unknown", `{"agent_id":"on","mode":"fast"}`, wire.CodeValidation, "mode", "live or complete"},
		{"mode-type", `{"agent_id":"on","mode":1}`, wire.CodeValidation, "mode", "live or complete"},
		{"since-bad", `{"agent_id":"on","since":"yesterday"}`, wire.CodeValidation, "since", "RFC 3339"},
		{"since-negative", `{"agent_id":"on","since":"-5m"}`, wire.CodeValidation, "since", "future"},
		{"since-future", `{"agent_id":"on","since":"` + future + `"}`, wire.CodeValidation, "since", "future"},
		{"since-type", `{"agent_id":"on","since":600}`, wire.CodeValidation, "since", "a string"},
		{"tail-negative", `{"agent_id":"on","tail":-1}`, wire.CodeValidation, "tail", "0 to 100000"},
		{"tail-many", `{"agent_id":"on","tail":100001}`, wire.CodeValidation, "tail", "0 to 100000"},
		{"tail-type", `{"agent_id":"on","tail":"5"}`, wire.CodeValidation, "tail", "0 to 100000"},
		{"raw-type", `{"agent_id":"on","raw":"yes"}`, wire.CodeValidation, "raw", "true or false"},
		{"reason-type", `{"agent_id":"on","reason":1}`, wire.CodeValidation, "reason", "a string"},
		{
			"reason-long", `{"agent_id":"on","reason":"` + strings.Repeat("x", wire.MaxReason+1) + `"}`,
			wire.CodeValidation, "reason", "500",
		},
		{"body-large", `{"reason":"` + strings.Repeat("x", wire.MaxBody) + `"}`, wire.CodeTooLarge, "", "bytes"},
		{"several-at-once", `{"agent_id":1,"tail":"x","no":1}`, wire.CodeValidation, "tail", "no: is not a field"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := *r
			r.t = t
			got := r.call("POST", "/api/v1/stream/start", r.body(test.body))
			why := got.refusal(t)
			if got.StatusCode != test.code.Status() || why.Code != test.code {
				t.Fatalf("%d %s, want %s", got.StatusCode, got.body, test.code)
			}
			if _, told := why.Details[test.field]; test.field != "" && !told {
				t.Errorf("details %v lack %s", why.Details, test.field)
			}
			if !strings.Contains(why.Message, test.says) {
				t.Errorf("message %q lacks %q", why.Message, test.says)
			}
		})
	}
	req := r.request("POST", "/api/v1/stream/start", `{"agent_id":"on"}`, r.token)
	req.Header.Set("Content-Type", "text/plain")
	if got := r.do(req); got.StatusCode != http.StatusUnsupportedMediaType {
		t.Errorf("content type: %d %s", got.StatusCode, got.body)
	}
	var list wire.SessionList
	got := r.call("GET", "/api/v1/stream/sessions?status=all", nil)
	if err := json.Unmarshal(got.body, &list); err != nil || list.Total != 0 {
		t.Errorf("something was started: %s", got.body)
	}
}

// body passes a text on as it is, also when it is empty.
func (r *rig) body(text string) any { return text }

func TestStartAccepts(t *testing.T) {
	r := start(t, t.TempDir(), nil)
	a := r.enrol("on")
	r.connect(a)
	for _, test := range []struct{ name, body string }{
		{"by-id", `{"agent_id":"` + a.id + `","filters":{"level":["ERROR"]}}`},
		{"upper-and-lower", `{"agent_id":"on","filters":{"level":["ERROR","info"],"min_level":"Warn"}}`},
		{"text-for-list", `{"agents":["on"],"filters":{"level":"fatal","source":"ng*","scope":"uuid:42"}}`},
		{"shortest", `{"agent_id":"on","timeout_seconds":1}`},
		{"longest", `{"agent_id":"on","timeout_seconds":3600,"mode":"complete","raw":true,"reason":"why"}`},
		{"since-duration", `{"agent_id":"on","since":"10m","tail":100000}`},
		{"since-seconds", `{"agent_id":"on","since":"600"}`},
		{"since-time", `{"agent_id":"on","since":"2024-01-15T10:00:00Z","tail":0}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := *r
			r.t = t
			out := r.started(test.body)
			if got := r.session(out.SessionID); got.CreatedBy != "admin" || got.AgentID != a.id {
				t.Errorf("session %+v", got)
			}
		})
	}
}

func TestTooManySessions(t *testing.T) {
	r := start(t, t.TempDir(), nil)
	r.connect(r.enrol("on"))
	for range wire.MaxAgentSessions {
		r.started(`{"agent_id":"on","timeout_seconds":100}`)
	}
	got := r.call("POST", "/api/v1/stream/start", `{"agent_id":"on"}`)
	if got.StatusCode != http.StatusTooManyRequests || got.Header.Get("Retry-After") == "" {
		t.Errorf("%d %v %s", got.StatusCode, got.Header, got.body)
	}
}

func TestListRefusesUnknownStatus(t *testing.T) {
	r := start(t, t.TempDir(), nil)
	if got := r.call("GET", "/api/v1/stream/sessions?status=open", nil); got.refusal(t).Details["status"] == "" {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
}
