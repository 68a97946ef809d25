package server

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/spilelog/spile/wire"
)

// TestReturnAfterTheEnd gives who returns with a cursor to a session that has just ended the rest and the accounts, and
// refuses who does not say where it was.
func TestReturnAfterTheEnd(t *testing.T) {
	r := start(t, t.TempDir(), nil)
	a := r.enrol("shop-1")
	r.connect(a)
	s := r.started(`{"agent_id":"shop-1"}`)
	r.sendSession(a, s.SessionID, 2, 10, 3)
	waitFor(t, "items", func() bool {
		text := string(r.call("GET", "/api/v1/stream/poll/"+s.SessionID+"?from=start&wait=0", nil).body)
		return strings.Contains(text, wire.ReasonTruncated)
	})
	r.call("POST", "/api/v1/stream/stop", wire.StopRequest{SessionID: s.SessionID})
	agent, err := wire.ParseUUID(a.id)
	if err != nil {
		t.Fatal(err)
	}
	after := wire.Cursor{{Agent: agent, Epoch: 1, Seq: 15}}.String()
	for _, kind := range []string{"sse", "ndjson"} {
		path := "/api/v1/stream/" + kind + "/" + s.SessionID
		resp, err := http.DefaultClient.Do(r.request("GET", path+"?after="+after, nil, r.token))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err = errors.Join(err, resp.Body.Close()); err != nil {
			t.Fatal(err)
		}
		text := string(body)
		if n := strings.Count(text, `"type":"log"`); n != 8 || !strings.Contains(text, `"event":"session_ended"`) {
			t.Errorf("%s: %d events, want 8 and the end, in\n%s", kind, n, text)
		}
		if got := r.call("GET", path, nil); got.refusal(t).Code != wire.CodeSessionEnded {
			t.Errorf("%s without a cursor: %d %s", kind, got.StatusCode, got.body)
		}
	}
}
