package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spilelog/spile/client"
	"github.com/spilelog/spile/wire"
)

// verdict tells what --verify found, and is the error of a stream that is not whole. Final says that the session's end
// has to have come.
func (t *tailing) verdict(final bool) error {
	if t.verifier == nil {
		return nil
	}
	v := t.verifier.Verdict()
	for i := range v.Agents {
		t.notices.urgent("verify: %s: %s", t.notices.agent(v.Agents[i].Agent), verdictText(&v.Agents[i]))
	}
	for _, problem := range v.Problems {
		t.notices.urgent("verify: %s", problem)
	}
	switch {
	case !v.Closes():
		return &failure{exit: wire.ExitLost, err: errors.New("the stream is not whole: see the verdict above")}
	case final && !v.Ended:
		return &failure{exit: wire.ExitLost, err: errors.New("the end of the session was not told, with its accounts")}
	case !v.Ended:
		t.notices.say("verify: the session goes on, so its accounts are not final")
	}
	return nil
}

// verdictText is one agent's verdict in a line.
func verdictText(a *client.AgentVerdict) string {
	least := ""
	if a.AtLeast {
		least = "at least "
	}
	text := fmt.Sprintf("%d received, %d in gaps, %s%d bytes lost", a.Received, a.Gapped, least, a.LostBytes)
	for _, part := range []struct {
		count uint64
		what  string
	}{{a.Missing, "missing"}, {a.Doubled, "doubled"}, {a.OutOfOrder, "out of order"}} {
		if part.count > 0 {
			text += fmt.Sprintf(", %d %s", part.count, part.what)
		}
	}
	if len(a.Problems) == 0 {
		return text + ": closes"
	}
	return text + ": does not close: " + strings.Join(a.Problems, "; ")
}
