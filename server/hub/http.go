package hub

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/spilelog/spile/wire"
)

// stepBytes is how much is written under one deadline to a viewer over plain HTTP.
const stepBytes = 8 << 10

// errCut ends a viewer that stayed after the end.
var errCut = errors.New("cut off")

// ServeSSE serves one viewer as server-sent events; the id of an event is the viewer's cursor.
func (h *Hub) ServeSSE(w http.ResponseWriter, r *http.Request, id string, view View) {
	h.serveHTTP(w, r, id, &plainOutput{view: view, sse: true})
}

// ServeNDJSON serves one viewer as newline-delimited JSON.
func (h *Hub) ServeNDJSON(w http.ResponseWriter, r *http.Request, id string, view View) {
	h.serveHTTP(w, r, id, &plainOutput{view: view})
}

// serveHTTP serves one viewer over plain HTTP and returns when it has gone.
func (h *Hub) serveHTTP(w http.ResponseWriter, r *http.Request, id string, out *plainOutput) {
	s := h.served(id)
	if s == nil {
		writeRefusal(w, h.notHere(id))
		return
	}
	ctx, cancel := out.view.until(r.Context())
	defer cancel()
	out.w, out.rc, out.cancel = w, http.NewResponseController(w), cancel
	v, refusal := s.attach(out.view, out)
	if refusal != nil {
		writeRefusal(w, refusal)
		return
	}
	out.stalled = v.detach
	// What was taken cannot be given back here.
	v.most = entryBytes
	defer out.release()
	header := w.Header()
	header.Set("Content-Type", "application/x-ndjson")
	if out.sse {
		header.Set("Content-Type", "text/event-stream")
	}
	header.Set("Cache-Control", "no-store")
	// Proxies that gather answers would hold a live stream back.
	header.Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	out.dirty = true
	if out.sse {
		// Something comes at once, so that whoever reads knows that nothing on the way holds the stream back.
		out.buf = append(out.buf, ":\n\n"...)
	}
	v.run(ctx)
}

// plainOutput writes to a response body.
type plainOutput struct {
	view   View
	sse    bool
	w      http.ResponseWriter
	rc     *http.ResponseController
	cancel context.CancelFunc
	dirty  bool
	buf    []byte
	// stalled is called when nothing was taken for [wire.SlowViewer]; overdue calls it, and late says that it did.
	stalled func()
	overdue *time.Timer
	late    atomic.Bool
	// gone is set by cut, so that no deadline that comes after it gives the response more time.
	gone atomic.Bool
}

// frames writes log frames.
func (o *plainOutput) frames(v *viewer, p *piece) error {
	if !o.sse {
		v.wrote(p, p.to)
		return o.write(p.data)
	}
	seq := p.from
	for rest := p.data; len(rest) > 0; seq++ {
		end := bytes.IndexByte(rest, '\n')
		v.wrote(p, seq)
		if err := o.event(rest[:end], v.cursor().String()); err != nil {
			return err
		}
		rest = rest[end+1:]
	}
	return nil
}

// control writes one control frame; those that take numbers move the cursor.
func (o *plainOutput) control(v *viewer, frame []byte, cursor bool) error {
	if o.sse {
		id := ""
		if cursor {
			id = v.cursor().String()
		}
		return o.event(frame, id)
	}
	return o.write(append(bytes.Clone(frame), '\n'))
}

// beat gathers a comment, or a blank line.
func (o *plainOutput) beat() error {
	if o.sse {
		o.buf = append(o.buf, ":\n\n"...)
	} else {
		o.buf = append(o.buf, '\n')
	}
	return nil
}

// event gathers one server-sent event.
func (o *plainOutput) event(frame []byte, id string) error {
	if id != "" {
		o.buf = append(append(append(o.buf, "id: "...), id...), '\n')
	}
	o.buf = append(append(append(o.buf, "data: "...), frame...), "\n\n"...)
	if len(o.buf) < stepBytes {
		return nil
	}
	return o.spill()
}

// spill writes what was gathered.
func (o *plainOutput) spill() error {
	err := o.write(o.buf)
	o.buf = o.buf[:0]
	return err
}

// write writes data in steps, each of which the viewer must take in time.
func (o *plainOutput) write(data []byte) error {
	o.dirty = o.dirty || len(data) > 0
	for len(data) > 0 {
		step := data[:min(len(data), stepBytes)]
		err := o.inTime(func() error {
			_, err := o.w.Write(step)
			return err
		})
		if err != nil {
			return err
		}
		data = data[len(step):]
	}
	return nil
}

// inTime makes one step, which the viewer must take in time. Who takes it only a little later still learns why it ends,
// and its cursor; a response that missed its deadline cannot be written to any more.
func (o *plainOutput) inTime(step func() error) error {
	limit := wire.SlowViewer + partingLimit
	if o.late.Load() {
		limit = partingLimit
	}
	if err := o.rc.SetWriteDeadline(time.Now().Add(limit)); err != nil {
		return fmt.Errorf("set write deadline: %w", err)
	}
	if o.gone.Load() {
		return errCut
	}
	if o.overdue == nil {
		o.overdue = time.AfterFunc(wire.SlowViewer, o.tooLate)
	} else {
		o.overdue.Reset(wire.SlowViewer)
	}
	defer o.overdue.Stop()
	return step()
}

// tooLate notes that the viewer made no progress for too long: it no longer counts as one.
func (o *plainOutput) tooLate() {
	o.late.Store(true)
	o.stalled()
}

// release lets go of the response when the viewer has gone, which nobody can cut any more: a timer that was stopped
// stays in memory for a while, with all that it holds.
func (o *plainOutput) release() { o.w, o.rc, o.cancel = nil, nil, nil }

// flush hands everything to the socket and frees the buffer.
func (o *plainOutput) flush() error {
	if err := o.spill(); err != nil {
		return err
	}
	o.buf = nil
	if !o.dirty {
		return nil
	}
	o.dirty = false
	return o.inTime(o.rc.Flush)
}

// bye has nothing to say: the end of the body is the end.
func (o *plainOutput) bye() {}

// cut ends the response at once.
func (o *plainOutput) cut() {
	o.gone.Store(true)
	// An error means that the connection is gone, which is what is wanted.
	_ = o.rc.SetWriteDeadline(time.Unix(1, 0))
	o.cancel()
}

// slow says that the viewer stood still for too long.
func (o *plainOutput) slow() bool { return o.late.Load() }
