package tap

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"html"
	"math"
	"time"

	"github.com/spilelog/spile/wire"
)

// epoch is the epoch of all numbers: a tap never begins anew.
const epoch = 1

// newSession is the id of a tape.
func newSession() string { return "sess_" + rand.Text() }

// started is the first frame of a stream.
func (v *viewer) started() *wire.Control {
	expires := wire.At(v.expires)
	return &wire.Control{
		Event: wire.EventSessionStarted, SessionID: v.s.tape.session, ExpiresAt: &expires,
		NextSeq: map[string]uint64{v.tap.agent: v.next},
	}
}

// gap tells of n missing events, up to number to.
func (v *viewer) gap(n, to uint64, reason string) *wire.Control {
	return &wire.Control{
		Event: wire.EventGap, Agent: v.tap.agent, Epoch: epoch, From: to - n + 1, To: to, Count: n,
		Unit: wire.UnitEvents, Reason: reason, Stage: wire.StageOfGap(reason, wire.UnitEvents),
	}
}

// cutHistory tells that the history does not go back as far as was asked.
func (v *viewer) cutHistory() *wire.Control {
	return &wire.Control{
		Event: wire.EventGap, Agent: v.tap.agent, Epoch: epoch, Unit: wire.UnitEvents, AtLeast: true,
		Reason: wire.ReasonPositionLost, Stage: wire.StageOfGap(wire.ReasonPositionLost, wire.UnitEvents),
	}
}

// warning tells that the stream ends soon.
func (v *viewer) warning() *wire.Control {
	left := max(int(math.Ceil(time.Until(v.expires).Seconds())), 0)
	return &wire.Control{Event: wire.EventSessionEnding, Reason: string(endTimeout), SecondsRemaining: &left}
}

// ended is the last frame.
func (v *viewer) ended(why ending) *wire.Control {
	if why == endSlow {
		return &wire.Control{
			Event: wire.EventError, Code: wire.CodeSlowViewer,
			Message: fmt.Sprintf("nothing was read for %v", v.tap.o.WriteTimeout),
		}
	}
	sum := v.delivered + v.gapped
	dropped := map[string]uint64{}
	for reason, n := range v.dropped {
		dropped[reason] = n
	}
	return &wire.Control{
		Event: wire.EventSessionEnded, Reason: string(why), Accounts: &wire.Accounts{
			Agents: map[string]wire.AgentAccounts{v.tap.agent: {
				Seen: sum, Sent: v.delivered, Dropped: dropped, LostBytes: map[string]uint64{},
			}},
			Viewer: map[string]wire.ViewerAccounts{v.tap.agent: {
				Offered: sum, Delivered: v.delivered, Gapped: v.gapped,
			}},
		},
	}
}

// notice is what c says in words, empty if it says nothing to people.
func notice(c *wire.Control) string {
	switch c.Event {
	case wire.EventGap:
		if c.AtLeast {
			return "older events are not in the history"
		}
		events := "events"
		if c.Count == 1 {
			events = "event"
		}
		if c.Reason == wire.ReasonSessionEnd {
			return fmt.Sprintf("%d %s of the history not shown: the stream ended", c.Count, events)
		}
		return fmt.Sprintf("%d %s dropped: slow viewer", c.Count, events)
	case wire.EventSessionEnding:
		return fmt.Sprintf("the stream ends in %d s", *c.SecondsRemaining)
	case wire.EventSessionEnded:
		if c.Reason == string(endTimeout) {
			return "the stream ended: its time is over"
		}
		return "the stream ended: the log was closed"
	case wire.EventError:
		return "the stream ended: " + c.Message
	case wire.EventHistoryEnd:
		return "live from here on"
	default:
		return ""
	}
}

// appendControl appends what c says in the form of the stream.
func (v *viewer) appendControl(dst []byte, c *wire.Control) []byte {
	c.Type = "control"
	switch v.s.tape.ask.encoding {
	case encodingJSON, encodingSSE:
		return appendControlFrame(dst, v.s.tape.ask.encoding, c)
	case encodingHTML:
		if c.Event == wire.EventHeartbeat {
			return append(dst, "<!-- -->\n"...)
		}
		return appendNotice(dst, v.tap.o.HTML, notice(c))
	default:
		return appendNotice(dst, v.tap.o.Text, notice(c))
	}
}

// appendControlFrame appends c as a frame. A heartbeat of server-sent events is a comment, as their clients expect.
func appendControlFrame(dst []byte, e encoding, c *wire.Control) []byte {
	if e == encodingSSE && c.Event == wire.EventHeartbeat {
		return append(dst, ":\n\n"...)
	}
	frame, err := json.Marshal(c)
	if err != nil {
		// A control frame holds nothing that JSON cannot say.
		panic("tap: marshal control frame: " + err.Error())
	}
	if e == encodingSSE {
		dst = append(dst, "data: "...)
	}
	dst = append(dst, frame...)
	dst = append(dst, '\n')
	if e == encodingSSE {
		dst = append(dst, '\n')
	}
	return dst
}

// appendNotice appends a text between the events that by makes.
func appendNotice(dst []byte, by any, text string) []byte {
	if text == "" {
		return dst
	}
	if n, ok := by.(Notices); ok {
		return n.AppendNotice(dst, text)
	}
	if _, isPage := by.(interface{ AppendHead([]byte) []byte }); isPage {
		dst = append(dst, `<p class="stream">`...)
		dst = append(dst, html.EscapeString(text)...)
		return append(dst, "</p>\n"...)
	}
	dst = append(dst, "-- "...)
	dst = append(dst, text...)
	return append(dst, " --\n"...)
}
