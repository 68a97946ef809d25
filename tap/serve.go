package tap

import (
	"net/http"
	"time"

	"github.com/spilelog/spile/wire"
)

// ServeHTTP answers with a live stream, which ends when the viewer leaves, its time is over, or the tap is closed.
func (t *Tap) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		refuse(w, r, wire.Errorf(wire.CodeMethodNotAllowed, "%s is not allowed: must be one of %s", r.Method, methods))
		return
	}
	if refusal := t.authorise(w, r); refusal != nil {
		refuse(w, r, refusal)
		return
	}
	a, refusal := t.accept(w, r)
	if refusal != nil {
		refuse(w, r, refusal)
		return
	}
	var head []byte
	if a.encoding == encodingHTML {
		head = t.o.HTML.AppendHead(nil)
	}
	if r.Method == http.MethodHead {
		t.setHeaders(w.Header(), a.encoding, head)
		w.WriteHeader(http.StatusOK)
		return
	}
	s, p, refusal := t.start(a)
	if refusal != nil {
		refuse(w, r, refusal)
		return
	}
	defer t.served()
	defer s.tape.leave(s)
	defer t.end(s, endGone)
	t.setHeaders(w.Header(), a.encoding, head)
	v := &viewer{
		tap: t, s: s, w: w, rc: http.NewResponseController(w), next: s.origin, head: head,
		expires: time.Now().Add(t.o.MaxDuration), lastWrite: time.Now(), dropped: map[string]uint64{},
	}
	// An error says that the viewer has gone, or was cut off: nobody is left who could be told.
	_ = v.run(r.Context(), p)
}

// accept reads what r asks for, and says why it cannot be had, as far as that is known without opening a stream.
func (t *Tap) accept(w http.ResponseWriter, r *http.Request) (*ask, *wire.Error) {
	if r.ContentLength != 0 {
		// As long as a body is not read to its end, net/http does not notice that the viewer leaves.
		return nil, wire.Invalid("body", "a stream is asked for without one: must be empty")
	}
	a, refusal := t.parse(r)
	if refusal != nil {
		return nil, refusal
	}
	if !canFlush(w) {
		return nil, wire.Errorf(wire.CodeInternal, "the server, or what wraps this handler, cannot stream a response")
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return a, t.fullLocked()
}

// canFlush says whether what is written to w can be sent at once. Without that nobody would see anything live.
func canFlush(w http.ResponseWriter) bool {
	for {
		switch x := w.(type) {
		case http.Flusher, interface{ FlushError() error }:
			return true
		case interface{ Unwrap() http.ResponseWriter }:
			w = x.Unwrap()
		default:
			return false
		}
	}
}
