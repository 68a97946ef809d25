package spec_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/spilelog/spile/event"
	"github.com/spilelog/spile/wire"
)

const (
	agentID   = "a1b2c3d4-e5f6-7890-abcd-ef1234567890"
	sessionID = "sess_abcdefghijklmnopqrstuvwxyz"
	framesDoc = "frames.schema.json"
)

// frameSchema compiles the schema of the frames.
func frameSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	schema, err := jsonschema.NewCompiler().Compile(framesDoc)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// validate holds the JSON of frame against the schema.
func validate(t *testing.T, schema *jsonschema.Schema, frame any) error {
	t.Helper()
	data, err := json.Marshal(frame)
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return schema.Validate(value)
}

// logFrame is a frame as an agent makes it.
func logFrame() wire.Log {
	return wire.Log{
		Type: "log", Timestamp: wire.At(time.Date(2024, 1, 15, 10, 0, 0, 123e6, time.UTC)), Level: event.Error.Wire(),
		Source: "nginx", Message: "upstream timed out", Metadata: json.RawMessage(`{"host":"web-01","status":504}`),
		Agent: agentID, Epoch: 1, Seq: 42,
	}
}

// accounts are accounts with every member in use.
func accounts() *wire.Accounts {
	return &wire.Accounts{
		Agents: map[string]wire.AgentAccounts{agentID: {
			Seen: 9, Filtered: 3, Sent: 4, Dropped: map[string]uint64{wire.ReasonBufferOverrun: 2},
			LostBytes: map[string]uint64{wire.ReasonTruncated: 512},
		}},
		Viewer: map[string]wire.ViewerAccounts{agentID: {Offered: 6, Delivered: 4, Gapped: 2}},
	}
}

// ptr is a pointer to v.
func ptr[T any](v T) *T { return &v }

// control makes a control frame.
func control(e wire.Event, fill func(*wire.Control)) wire.Control {
	c := wire.Control{Type: "control", Event: e}
	if fill != nil {
		fill(&c)
	}
	return c
}

// eventsGap is a complete gap in events, bytesGap one in bytes.
func eventsGap(c *wire.Control) {
	c.Agent, c.Epoch, c.From, c.To, c.Count = agentID, 1, 5, 9, 5
	c.Unit, c.Reason, c.Stage = wire.UnitEvents, wire.ReasonSlowViewer, wire.StageRing
}

func bytesGap(c *wire.Control) {
	c.Agent, c.Epoch, c.Count, c.File = agentID, 1, 4096, "/var/log/nginx/access.log"
	c.Unit, c.Reason, c.Stage = wire.UnitBytes, wire.ReasonRotated, wire.StageRead
}

func TestFramesFollowTheSchema(t *testing.T) {
	schema := frameSchema(t)
	expires := wire.At(time.Date(2024, 1, 15, 10, 5, 0, 0, time.UTC))
	raw := logFrame()
	raw.Raw = ptr("the line")
	bytesRaw := logFrame()
	bytesRaw.RawBase64 = []byte{0xff, 0xfe}
	for _, test := range []struct {
		name  string
		frame any
	}{
		{"log", logFrame()},
		{"log-raw", raw},
		{"log-raw-base64", bytesRaw},
		{"started", control(wire.EventSessionStarted, func(c *wire.Control) {
			c.SessionID, c.ExpiresAt, c.NextSeq = sessionID, &expires, map[string]uint64{agentID: 1}
		})},
		{"ending", control(wire.EventSessionEnding, func(c *wire.Control) {
			c.Reason, c.SecondsRemaining = string(wire.EndTimeout), ptr(30)
		})},
		{"extended", control(wire.EventSessionExtended, func(c *wire.Control) {
			c.ExpiresAt, c.SecondsRemaining = &expires, ptr(300)
		})},
		{"ended", control(wire.EventSessionEnded, func(c *wire.Control) {
			c.Reason, c.Accounts, c.Cursor = string(wire.EndStopped), accounts(), wire.Cursor{{Epoch: 1, Seq: 2}}.String()
		})},
		{"gap-events", control(wire.EventGap, eventsGap)},
		{"gap-bytes", control(wire.EventGap, bytesGap)},
		{"gap-of-unknown-size", control(wire.EventGap, func(c *wire.Control) {
			c.Agent, c.Epoch, c.Unit, c.Reason, c.AtLeast = agentID, 1, wire.UnitEvents, wire.ReasonJournalLost, true
			c.Stage = wire.StageQueue
		})},
		{"agent-status", control(wire.EventAgentStatus, func(c *wire.Control) {
			c.Agent, c.Status = agentID, wire.StreamUnreachable
		})},
		{"history-end", control(wire.EventHistoryEnd, func(c *wire.Control) { c.Agent = agentID })},
		{"stats", control(wire.EventStats, func(c *wire.Control) { c.Accounts = accounts() })},
		{"heartbeat", control(wire.EventHeartbeat, nil)},
		{"error", control(wire.EventError, func(c *wire.Control) {
			c.Code, c.Message = wire.CodeSlowViewer, "nothing was read for 30s"
		})},
	} {
		t.Run(test.name, func(t *testing.T) {
			if err := validate(t, schema, test.frame); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestEventMembersFollowTheSchema(t *testing.T) {
	schema := frameSchema(t)
	for i := range event.NumLevels {
		e := event.Event{
			Time: time.Date(2024, 1, 15, 10, 0, 0, 999_999_999, time.UTC), Level: event.LevelAt(i),
			Source: "weird\x00\xff", Message: "quote \" tab\t\u2028", Metadata: event.Metadata{
				{Key: "n", Value: event.Int(-3)},
				{Key: "ok", Value: event.Bool(true)},
				{Key: "deep", Value: event.JSON(`{"a":[1,null]}`)},
				{Key: "s", Value: event.String("\x1b[31m")},
			},
		}
		frame := append([]byte(`{"type":"log",`), event.AppendMembers(nil, &e)...)
		frame = append(frame, `,"agent":"`+agentID+`","epoch":1,"seq":1}`...)
		if err := validate(t, schema, json.RawMessage(frame)); err != nil {
			t.Errorf("%s: %v", frame, err)
		}
	}
}

func TestSchemaRefuses(t *testing.T) {
	schema := frameSchema(t)
	for _, test := range []struct {
		name  string
		frame any
	}{
		{"other-type", map[string]any{"type": "metric"}},
		{"log-unknown-level", func() wire.Log { l := logFrame(); l.Level = "error"; return l }()},
		{"log-without-number", func() wire.Log { l := logFrame(); l.Seq = 0; return l }()},
		{"log-metadata-list", func() wire.Log { l := logFrame(); l.Metadata = json.RawMessage(`[]`); return l }()},
		{"log-raw-twice", func() wire.Log {
			l := logFrame()
			l.Raw, l.RawBase64 = ptr("a"), []byte("a")
			return l
		}()},
		{"unknown-event", control("dropped", nil)},
		{"gap-without-count", control(wire.EventGap, func(c *wire.Control) { eventsGap(c); c.Count = 0 })},
		{"gap-without-numbers", control(wire.EventGap, func(c *wire.Control) { eventsGap(c); c.From = 0 })},
		{"gap-without-reason", control(wire.EventGap, func(c *wire.Control) { eventsGap(c); c.Reason = "" })},
		{"gap-without-stage", control(wire.EventGap, func(c *wire.Control) { eventsGap(c); c.Stage = "" })},
		{"gap-unknown-stage", control(wire.EventGap, func(c *wire.Control) { eventsGap(c); c.Stage = "moon" })},
		{"gap-unknown-reason", control(wire.EventGap, func(c *wire.Control) { eventsGap(c); c.Reason = "bad luck" })},
		{"byte-gap-without-file", control(wire.EventGap, func(c *wire.Control) { bytesGap(c); c.File = "" })},
		{"byte-gap-with-numbers", control(wire.EventGap, func(c *wire.Control) { bytesGap(c); c.From, c.To = 1, 2 })},
		{"ended-without-accounts", control(wire.EventSessionEnded, func(c *wire.Control) { c.Reason = "timeout" })},
		{"ending-without-seconds", control(wire.EventSessionEnding, func(c *wire.Control) { c.Reason = "timeout" })},
		{"error-without-code", control(wire.EventError, func(c *wire.Control) { c.Message = "no" })},
	} {
		t.Run(test.name, func(t *testing.T) {
			if err := validate(t, schema, test.frame); err == nil {
				t.Errorf("the schema takes %+v", test.frame)
			}
		})
	}
}

// jsonNames lists the members of a struct's JSON.
func jsonNames(v any) []string {
	var names []string
	for _, f := range reflect.VisibleFields(reflect.TypeOf(v)) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func TestSchemaHasTheMembersOfTheTypes(t *testing.T) {
	data, err := os.ReadFile(framesDoc)
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Defs map[string]struct {
			Properties map[string]json.RawMessage `json:"properties"`
			Enum       []string                   `json:"enum"`
		} `json:"$defs"`
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]any{
		"log": wire.Log{}, "control": wire.Control{}, "accounts": wire.Accounts{},
		"agent_accounts": wire.AgentAccounts{}, "viewer_accounts": wire.ViewerAccounts{},
	} {
		got := slices.Sorted(maps.Keys(doc.Defs[name].Properties))
		if diff := cmp.Diff(jsonNames(value), got); diff != "" {
			t.Errorf("members of %s (-type +schema):\n%s", name, diff)
		}
	}
	var codes []string
	for code := range wire.Codes() {
		codes = append(codes, string(code))
	}
	slices.Sort(codes)
	if diff := cmp.Diff(codes, slices.Sorted(slices.Values(doc.Defs["code"].Enum))); diff != "" {
		t.Errorf("codes (-type +schema):\n%s", diff)
	}
}
