package tap

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/spilelog/spile/wire"
)

// methods are those that a tap answers.
const methods = "GET, HEAD"

// setHeaders sets the headers of a stream whose page, if it is one, begins with head.
func (t *Tap) setHeaders(h http.Header, e encoding, head []byte) {
	h.Set("Content-Type", contentTypes[e])
	h.Set("X-Content-Type-Options", "nosniff")
	extra := t.o.Headers
	if extra == nil {
		extra = t.o.AdditionalHeaders
		h.Set("Cache-Control", "no-store")
		// Proxies that gather answers would hold a live stream back.
		h.Set("X-Accel-Buffering", "no")
		h.Set("Referrer-Policy", "no-referrer")
		if e == encodingHTML {
			h.Set("Content-Security-Policy", policy(head))
		}
	}
	for name, values := range extra {
		h[http.CanonicalHeaderKey(name)] = slices.Clone(values)
	}
}

// policy allows a page its own styles and nothing else: no script, no other resource, no frame around it.
func policy(head []byte) string {
	out := "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; style-src"
	none := true
	for {
		style, rest, ok := cutStyle(head)
		if !ok {
			break
		}
		sum := sha256.Sum256(style)
		out += " 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
		head, none = rest, false
	}
	if none {
		out += " 'none'"
	}
	return out
}

// cutStyle is the content of the first style element of a page, and what stands behind it.
func cutStyle(page []byte) (style, rest []byte, ok bool) {
	_, page, ok = bytes.Cut(page, []byte("<style"))
	if !ok {
		return nil, nil, false
	}
	_, page, ok = bytes.Cut(page, []byte(">"))
	if !ok {
		return nil, nil, false
	}
	return bytes.Cut(page, []byte("</style>"))
}

// refuse answers with an error.
func refuse(w http.ResponseWriter, r *http.Request, refusal *wire.Error) {
	body, err := json.Marshal(refusal)
	if err != nil {
		panic("tap: marshal error: " + err.Error()) // It holds nothing but texts.
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	switch refusal.Code {
	case wire.CodeMethodNotAllowed:
		h.Set("Allow", methods)
	case wire.CodeRateLimited:
		h.Set("Retry-After", strconv.Itoa(int(retryAfter/time.Second)))
	default:
	}
	w.WriteHeader(refusal.Code.Status())
	if r.Method != http.MethodHead {
		// The caller may have gone; there is nobody to tell.
		_, _ = w.Write(append(body, '\n'))
	}
}
