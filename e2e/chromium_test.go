package e2e

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// maxMessage is how long a message of the browser may be; a picture is one.
const maxMessage = 64 << 20

// devtools is what Chromium prints when it can be driven.
var devtools = regexp.MustCompile(`DevTools listening on (ws://\S+)`)

// tab is a page in a real Chromium, driven by its DevTools protocol. One goroutine owns it.
type tab struct {
	t       *testing.T
	conn    *websocket.Conn
	session string
	id      int
	// notes are what the browser told by itself, by method.
	notes map[string][]json.RawMessage
}

// message is what goes between the browser and us.
type message struct {
	ID        int             `json:"id,omitempty"`
	SessionID string          `json:"sessionId,omitempty"`
	Method    string          `json:"method,omitempty"`
	Params    any             `json:"params,omitempty"`
	Result    json.RawMessage `json:"result,omitempty"`
	Error     json.RawMessage `json:"error,omitempty"`
}

// newTab starts a browser with an empty page.
func newTab(t *testing.T) *tab {
	t.Helper()
	// Its last writes may come after its end, so the folder is left to the end of the run.
	profile, err := os.MkdirTemp(scratch, "chromium-")
	if err != nil {
		t.Fatal(err)
	}
	p := launch(t, "chromium", exec.Command("chromium", "--headless=new", "--no-sandbox", "--disable-gpu",
		"--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
		"--disable-sync", "--disable-dev-shm-usage", "--remote-debugging-port=0", "--user-data-dir="+profile, "about:blank"))
	var address []string
	await(t, "the browser can be driven", func() bool {
		address = devtools.FindStringSubmatch(p.out.String())
		return address != nil
	})
	conn, _, err := websocket.Dial(t.Context(), address[1], nil)
	if err != nil {
		t.Fatal(err)
	}
	conn.SetReadLimit(maxMessage)
	b := &tab{t: t, conn: conn, notes: map[string][]json.RawMessage{}}
	t.Cleanup(func() {
		// To end it in order takes its children along; launch kills what is left.
		defer conn.CloseNow()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
		defer cancel()
		if err := conn.Write(ctx, websocket.MessageText, []byte(`{"id":1,"method":"Browser.close"}`)); err == nil {
			select {
			case <-p.done:
			case <-ctx.Done():
			}
		}
	})

	var made struct{ TargetID string }
	b.call("Target.createTarget", map[string]any{"url": "about:blank"}, &made)
	var attached struct{ SessionID string }
	b.call("Target.attachToTarget", map[string]any{"targetId": made.TargetID, "flatten": true}, &attached)
	b.session = attached.SessionID
	for _, domain := range []string{"Page", "Runtime", "Network"} {
		b.call(domain+".enable", nil, nil)
	}
	return b
}

// call calls a method of the browser and waits for the answer. Whatever the browser tells meanwhile is noted.
func (b *tab) call(method string, params map[string]any, result any) {
	b.t.Helper()
	b.id++
	out, err := json.Marshal(message{ID: b.id, SessionID: b.session, Method: method, Params: params})
	if err != nil {
		b.t.Fatal(err)
	}
	if err := b.conn.Write(b.t.Context(), websocket.MessageText, out); err != nil {
		b.t.Fatal(err)
	}
	for {
		_, data, err := b.conn.Read(b.t.Context())
		if err != nil {
			b.t.Fatal(err)
		}
		in := message{Params: &json.RawMessage{}}
		if err := json.Unmarshal(data, &in); err != nil {
			b.t.Fatal(err)
		}
		switch {
		case in.Method == "Page.javascriptDialogOpening":
			b.t.Fatalf("the page opened a dialog: %s", data) // It would hold up everything that follows.
		case in.Method != "":
			b.notes[in.Method] = append(b.notes[in.Method], data)
		case in.ID == b.id && in.Error != nil:
			b.t.Fatalf("%s: %s", method, in.Error)
		case in.ID == b.id:
			if result != nil {
				if err := json.Unmarshal(in.Result, result); err != nil {
					b.t.Fatal(err)
				}
			}
			return
		}
	}
}

// eval is the value of an expression in the page.
func (b *tab) eval(expression string, value any) {
	b.t.Helper()
	var out struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails json.RawMessage
	}
	b.call("Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true}, &out)
	if out.ExceptionDetails != nil {
		b.t.Fatalf("%s: %s", expression, out.ExceptionDetails)
	}
	if err := json.Unmarshal(out.Result.Value, value); err != nil {
		b.t.Fatalf("%s: %v: %s", expression, err, out.Result.Value)
	}
}

// picture is the page as a PNG.
func (b *tab) picture() []byte {
	b.t.Helper()
	var out struct{ Data []byte }
	b.call("Page.captureScreenshot", map[string]any{"format": "png", "captureBeyondViewport": true}, &out)
	return out.Data
}

// requests are the addresses that the page asked for.
func (b *tab) requests() []string {
	b.t.Helper()
	var all []string
	for _, note := range b.notes["Network.requestWillBeSent"] {
		var in struct {
			Params struct{ Request struct{ URL string } }
		}
		if err := json.Unmarshal(note, &in); err != nil {
			b.t.Fatal(err)
		}
		all = append(all, in.Params.Request.URL)
	}
	return slices.Compact(all)
}

// await waits for a condition that another process brings about.
func await(t *testing.T, what string, cond func() bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-deadline:
			t.Fatalf("gave up waiting until %s", what)
		case <-tick.C:
		}
	}
}
