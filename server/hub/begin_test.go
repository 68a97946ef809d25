package hub_test

import (
	"bufio"
	"net/http"
	"testing"

	"github.com/spilelog/spile/server/hub"
)

// TestServerSentEventsBeginAtOnce reads from a session in which nothing happens: a client that waits for the first
// byte, to learn whether a proxy holds the stream back, need not wait for a line.
func TestServerSentEventsBeginAtOnce(t *testing.T) {
	h, _ := newHub(t, nil)
	resp, err := http.Get(serve(t, h, hub.View{}).URL + "/sse")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if line, err := bufio.NewReader(resp.Body).ReadString('\n'); err != nil || line != ":\n" {
		t.Errorf("began with %q, %v", line, err)
	}
}
