package wire_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spilelog/spile/wire"
)

func TestTimeInJSON(t *testing.T) {
	east := time.FixedZone("east", 3*60*60)
	for _, test := range []struct {
		name string
		time time.Time
		want string
	}{
		{"zero", time.Time{}, `null`},
		{"other-zone", time.Date(2024, 1, 15, 13, 0, 0, 0, east), `"2024-01-15T10:00:00.000Z"`},
		{"cut-to-milliseconds", time.Date(2024, 1, 15, 10, 0, 0, 123_999_999, time.UTC), `"2024-01-15T10:00:00.123Z"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := json.Marshal(wire.At(test.time))
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestStrings(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       wire.Strings
		fails      bool
	}{
		{"one", `"nginx"`, wire.Strings{"nginx"}, false},
		{"list", `["a","b"]`, wire.Strings{"a", "b"}, false},
		{"empty-list", `[]`, wire.Strings{}, false},
		{"null", `null`, nil, false},
		{"number", `5`, nil, true},
		{"list-of-numbers", `[1]`, nil, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got wire.Strings
			err := json.Unmarshal([]byte(test.text), &got)
			if test.fails {
				if err == nil {
					t.Errorf("read %s as %v, want an error", test.text, got)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestEventDefault(t *testing.T) {
	for event, want := range map[wire.Event]bool{
		wire.EventGap: true, wire.EventSessionEnding: true, wire.EventSessionEnded: true, wire.EventError: true,
		wire.EventSessionStarted: false, wire.EventSessionExtended: false, wire.EventAgentStatus: false,
		wire.EventHistoryEnd: false, wire.EventStats: false, wire.EventHeartbeat: false,
	} {
		if got := event.Default(); got != want {
			t.Errorf("%s.Default() = %v, want %v", event, got, want)
		}
	}
}

func TestEquations(t *testing.T) {
	agent := wire.AgentAccounts{
		Seen: 21, Filtered: 1, Sampled: 2, RedactedAway: 3, Sent: 4, Pending: 5,
		Dropped:   map[string]uint64{wire.ReasonRate: 2, wire.ReasonBufferOverrun: 4},
		LostBytes: map[string]uint64{wire.ReasonTruncated: 99},
	}
	if !agent.Closes() {
		t.Errorf("the agent's equation of %+v does not close", agent)
	}
	agent.Dropped[wire.ReasonRate]++
	if agent.Closes() {
		t.Errorf("the agent's equation of %+v closes", agent)
	}
	viewer := wire.ViewerAccounts{Offered: 10, Narrowed: 1, Delivered: 2, Gapped: 3, InFlight: 4}
	if !viewer.Closes() {
		t.Errorf("the viewer's equation of %+v does not close", viewer)
	}
	viewer.Offered++
	if viewer.Closes() {
		t.Errorf("the viewer's equation of %+v closes", viewer)
	}
}

func TestCodes(t *testing.T) {
	for code, status := range wire.Codes() {
		if code.Status() != status || status < 400 || status > 599 {
			t.Errorf("%s has the statuses %d and %d", code, code.Status(), status)
		}
		if exit := code.Exit(); exit <= wire.ExitOK || exit > wire.ExitLost {
			t.Errorf("%s has exit status %d", code, exit)
		}
	}
	if got := wire.Code("other").Status(); got != 500 {
		t.Errorf("status of an unknown code = %d, want 500", got)
	}
	if got := wire.Code("other").Exit(); got != wire.ExitFailed {
		t.Errorf("exit status of an unknown code = %d, want %d", got, wire.ExitFailed)
	}
}

func TestInvalidNamesTheField(t *testing.T) {
	err := error(wire.Invalid("timeout_seconds", "must be %d to %d", 1, 3600))
	var e *wire.Error
	if !errors.As(err, &e) {
		t.Fatalf("%v is no *wire.Error", err)
	}
	want := &wire.Error{
		Code: wire.CodeValidation, Message: "timeout_seconds: must be 1 to 3600",
		Details: map[string]string{"timeout_seconds": "must be 1 to 3600"},
	}
	if diff := cmp.Diff(want, e); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := err.Error(); got != "validation_error: timeout_seconds: must be 1 to 3600" {
		t.Errorf("text = %q", got)
	}
}
