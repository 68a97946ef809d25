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
	a, refusal := t.parse(r)
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
	if !canFlush(w) {
		refuse(w, r, wire.Errorf(wire.CodeInternal, "the server, or what wraps this handler, cannot stream a response"))
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
