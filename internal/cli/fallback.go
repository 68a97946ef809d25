package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spilelog/spile/client"
	"github.com/spilelog/spile/wire"
)

// transportNames are transports as people call them.
var transportNames = map[client.Transport]string{
	client.TransportWebSocket: "WebSocket", client.TransportSSE: "server-sent events", client.TransportPoll: "polling",
}

// fallback tells that a stream goes on by another transport.
func (n *notices) fallback(f client.Fallback) {
	why := "no answer"
	if refused := (*wire.Error)(nil); errors.As(f.Err, &refused) {
		why = refused.Message
	} else if f.Err != nil {
		why = f.Err.Error()
	}
	n.say("%s does not get through (%s); going on by %s; spile doctor says what is in the way",
		transportNames[f.From], why, transportNames[f.To])
}

// transports are the ways to a stream on the command line, none for all of them.
type transports []client.Transport

// automatic stands for all transports, in the usual order.
const automatic = "auto"

// String is the list as it is given.
func (t *transports) String() string {
	if len(*t) == 0 {
		return automatic
	}
	words := make([]string, len(*t))
	for i, one := range *t {
		words[i] = string(one)
	}
	return strings.Join(words, ",")
}

// Set reads a list.
func (t *transports) Set(text string) error {
	*t = nil
	if text == automatic {
		return nil
	}
	for word := range strings.SplitSeq(text, ",") {
		one := client.Transport(strings.TrimSpace(word))
		if _, ok := transportNames[one]; !ok || slices.Contains(*t, one) {
			return fmt.Errorf("%q must be auto, or some of websocket, sse and poll", word)
		}
		*t = append(*t, one)
	}
	return nil
}

// Type names the form in help texts.
func (t *transports) Type() string { return "list" }
