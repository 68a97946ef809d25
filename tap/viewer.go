package tap

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/spilelog/spile/event"
	"github.com/spilelog/spile/wire"
)

// viewer is the request of a stream. One goroutine owns it.
type viewer struct {
	tap  *Tap
	s    *stream
	w    http.ResponseWriter
	rc   *http.ResponseController
	head []byte
	buf  []byte // what is gathered to be written

	// stuck ends the stream when a write takes too long. It runs only while one is under way.
	stuck *time.Timer

	expires   time.Time
	warned    bool
	lastWrite time.Time

	// next is the number of the next event, delivered and gapped the two ways in which events before it went.
	next, delivered, gapped uint64
	dropped                 map[string]uint64 // gapped by reason
}

// run serves the viewer. Its error says that nothing more could be written.
func (v *viewer) run(ctx context.Context, p past) error {
	t, s := v.tap, v.s
	expire := time.AfterFunc(t.o.MaxDuration, func() { t.end(s, endTimeout) })
	defer expire.Stop()
	v.stuck = time.AfterFunc(t.o.WriteTimeout, func() { t.end(s, endSlow) })
	v.stuck.Stop()
	if err := v.begin(p); err != nil {
		return err
	}
	timer := time.NewTimer(restTime)
	defer timer.Stop()
	for {
		// Whether the stream is over is asked before what waits is taken, so that nothing is left behind.
		over := s.isOver()
		wrote, err := v.deliver()
		if err != nil {
			return err
		}
		if over {
			return v.finish()
		}
		if err := v.tell(); err != nil {
			return err
		}
		if wrote {
			timer.Reset(restTime)
			select {
			case <-s.urgent:
			case <-timer.C:
			case <-s.over:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		timer.Reset(v.nextDuty())
		select {
		case <-s.wake:
		case <-timer.C:
		case <-s.over:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// begin writes what stands before the live events.
func (v *viewer) begin(p past) error {
	v.w.WriteHeader(http.StatusOK)
	v.buf = append(v.buf, v.head...)
	events := v.tap.matching(v.s.tape.ask, p.events)
	// The numbers of those that do not match stay unused, so that live events could be numbered before these were.
	v.next -= uint64(len(events))
	v.buf = v.appendControl(v.buf, v.started())
	if p.cut {
		v.buf = v.appendControl(v.buf, v.cutHistory())
	}
	if err := v.replay(events); err != nil {
		return err
	}
	if !v.s.tape.ask.since.IsZero() {
		v.buf = v.appendControl(v.buf, &wire.Control{Event: wire.EventHistoryEnd})
	}
	return v.flush()
}

// matching are the events that the stream takes.
func (t *Tap) matching(a *ask, events []*event.Event) []*event.Event {
	kept := events[:0]
	for _, e := range events {
		if e.Level < event.Level(a.level) || !t.matches(a, e) {
			continue
		}
		if a.patterned {
			r := t.newRendering(e)
			ok := a.matcher.Pattern(r.line())
			t.free(r)
			if !ok {
				continue
			}
		}
		kept = append(kept, e)
	}
	return kept
}

// replay writes events of the history. What the end of the stream leaves no time for is a gap.
func (v *viewer) replay(events []*event.Event) error {
	for i, e := range events {
		r := v.tap.newRendering(e)
		v.buf = v.s.tape.ask.encoding.appendFrame(v.buf, r.body(v.s.tape.ask.encoding), v.next)
		v.tap.free(r)
		v.next++
		v.delivered++
		if len(v.buf) < maxChunk {
			continue
		}
		if err := v.spill(); err != nil {
			return err
		}
		if v.s.isOver() {
			v.skip(uint64(len(events)-i-1), wire.ReasonSessionEnd)
			return nil
		}
	}
	return nil
}

// skip tells of the next n events that they are missing, if there are any.
func (v *viewer) skip(n uint64, reason string) {
	if n == 0 {
		return
	}
	v.next += n
	v.gapped += n
	v.dropped[reason] += n
	v.buf = v.appendControl(v.buf, v.gap(n, v.next-1, reason))
}

// deliver writes what waits, and says whether there was anything.
func (v *viewer) deliver() (bool, error) {
	b := v.s.tape.take(v.s)
	if len(b.pieces) == 0 && b.behind == 0 {
		return false, nil
	}
	for i := range b.pieces {
		p := &b.pieces[i]
		v.skip(p.missing, wire.ReasonSlowViewer)
		if err := v.spill(); err != nil {
			return false, err
		}
		if err := v.write(p.data); err != nil {
			return false, err
		}
		v.next += p.count
		v.delivered += p.count
	}
	v.s.tape.giveBack(&b)
	v.skip(b.behind, wire.ReasonSlowViewer)
	return true, v.flush()
}

// tell writes what is due by the clock.
func (v *viewer) tell() error {
	now := time.Now()
	if !v.warned && !now.Before(v.expires.Add(-wire.EndingWarning)) {
		v.warned = true
		v.buf = v.appendControl(v.buf, v.warning())
	}
	if now.Sub(v.lastWrite) >= v.tap.o.Heartbeat {
		v.lastWrite = now
		v.buf = v.appendControl(v.buf, &wire.Control{Event: wire.EventHeartbeat})
	}
	if len(v.buf) == 0 {
		return nil
	}
	return v.flush()
}

// nextDuty is how long there is nothing to tell if nothing happens.
func (v *viewer) nextDuty() time.Duration {
	now := time.Now()
	next := v.lastWrite.Add(v.tap.o.Heartbeat).Sub(now)
	if !v.warned {
		next = min(next, v.expires.Add(-wire.EndingWarning).Sub(now))
	}
	return max(next, 0)
}

// finish says why the stream ended.
func (v *viewer) finish() error {
	v.buf = v.appendControl(v.buf, v.ended(v.s.ending))
	if v.s.tape.ask.encoding == encodingHTML {
		v.buf = v.tap.o.HTML.AppendFoot(v.buf)
	}
	return v.flush()
}

// write writes p, within the time that a viewer has for it.
func (v *viewer) write(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	defer v.stuck.Stop()
	if err := v.allow(); err != nil {
		return err
	}
	_, err := v.w.Write(p)
	return err
}

// spill writes what was gathered.
func (v *viewer) spill() error {
	err := v.write(v.buf)
	if v.buf = v.buf[:0]; cap(v.buf) > 2*maxChunk {
		v.buf = nil
	}
	return err
}

// flush writes what was gathered and hands everything to the network.
func (v *viewer) flush() error {
	if err := v.spill(); err != nil {
		return err
	}
	defer v.stuck.Stop()
	if err := v.allow(); err != nil {
		return err
	}
	v.lastWrite = time.Now()
	return v.rc.Flush()
}

// allow gives the next write its time. Where the server knows no deadlines, the stream's lease ends with it all the
// same, and the server may keep a viewer that nobody watches for any more.
func (v *viewer) allow() error {
	v.stuck.Reset(v.tap.o.WriteTimeout)
	err := v.rc.SetWriteDeadline(time.Now().Add(v.tap.o.WriteTimeout))
	if err != nil && !errors.Is(err, http.ErrNotSupported) {
		return fmt.Errorf("set write deadline: %w", err)
	}
	return nil
}
