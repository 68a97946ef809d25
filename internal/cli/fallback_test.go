package cli

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spilelog/spile/client"
	"github.com/spilelog/spile/wire"
)

func TestTransportsFlag(t *testing.T) {
	for _, test := range []struct {
		text string
		want transports
		bad  bool
	}{
		{text: "auto"},
		{text: "sse", want: transports{client.TransportSSE}},
		{text: "poll, websocket", want: transports{client.TransportPoll, client.TransportWebSocket}},
		{text: "", bad: true},
		{text: "ws", bad: true},
		{text: "sse,sse", bad: true},
	} {
		t.Run(test.text, func(t *testing.T) {
			var got transports
			err := got.Set(test.text)
			if (err != nil) != test.bad {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" && !test.bad {
				t.Error(diff)
			}
		})
	}
}

func TestFallbackIsTold(t *testing.T) {
	f := client.Fallback{
		From: client.TransportWebSocket, To: client.TransportSSE, Err: wire.Errorf(wire.CodeForbidden, "not here"),
	}
	for _, test := range []struct {
		name  string
		quiet bool
		err   error
		want  string
	}{
		{"refused", false, f.Err, "-- WebSocket does not get through (not here); going on by server-sent events; " +
			"spile doctor says what is in the way\n"},
		{"broken", false, errors.New("broken"), "-- WebSocket does not get through (broken); going on by " +
			"server-sent events; spile doctor says what is in the way\n"},
		{"quiet", true, f.Err, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out bytes.Buffer
			n := &notices{out: &out, quiet: test.quiet, zone: time.UTC}
			f.Err = test.err
			n.fallback(f)
			if out.String() != test.want {
				t.Errorf("told %q", out.String())
			}
		})
	}
}
