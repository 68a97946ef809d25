package tap

import (
	"mime"
	"strconv"
	"strings"

	"github.com/spilelog/spile/wire"
)

// encoding is one of the forms of a stream.
type encoding int

// The encodings; of several that a request accepts alike, the first.
const (
	encodingText encoding = iota
	encodingHTML
	encodingJSON
	encodingSSE
	numEncodings int = iota
)

// formatWords is what ?format may be.
const formatWords = "html, text, json, sse"

// contentTypes is what an encoding is as a body.
var contentTypes = [numEncodings]string{
	encodingText: "text/plain; charset=utf-8",
	encodingHTML: "text/html; charset=utf-8",
	encodingJSON: "application/x-ndjson; charset=utf-8",
	encodingSSE:  "text/event-stream; charset=utf-8",
}

// mediaType is a type that a request may ask for, and what it gets.
type mediaType struct {
	name     string
	encoding encoding
}

// mediaTypes are all of them.
var mediaTypes = [...]mediaType{
	{"text/plain", encodingText},
	{"text/html", encodingHTML},
	{"application/x-ndjson", encodingJSON},
	{"application/json", encodingJSON},
	{"text/event-stream", encodingSSE},
}

// parseFormat reads ?format.
func parseFormat(word string, bad problems) encoding {
	switch word {
	case "html":
		return encodingHTML
	case "text":
		return encodingText
	case "json":
		return encodingJSON
	case "sse":
		return encodingSSE
	}
	bad[keyFormat] = "unknown format " + quote(word) + ": must be one of " + formatWords
	return encodingText
}

// wish is one range of an Accept header.
type wish struct {
	name    string
	quality float64
}

// acceptable chooses by the Accept header: the type of the highest quality, of equal ones that which was named first.
func acceptable(header []string) (encoding, *wire.Error) {
	wishes := parseAccept(header)
	if len(wishes) == 0 {
		return encodingText, nil
	}
	refused := map[string]bool{}
	for _, w := range wishes {
		if w.quality == 0 {
			refused[w.name] = true
		}
	}
	best, found := wish{}, encodingText
	for _, w := range wishes {
		if w.quality <= best.quality {
			continue
		}
		if e, ok := w.serve(refused); ok {
			best, found = w, e
		}
	}
	if best.quality > 0 {
		return found, nil
	}
	names := make([]string, 0, len(mediaTypes))
	for _, m := range mediaTypes {
		names = append(names, m.name)
	}
	return 0, wire.Errorf(wire.CodeNotAcceptable, "Accept must allow one of %s; or set format to one of %s",
		strings.Join(names, ", "), formatWords)
}

// serve is what a range stands for, and whether there is such a thing: a wildcard never stands for what is refused
// elsewhere in the header.
func (w wish) serve(refused map[string]bool) (encoding, bool) {
	prefix, wild := strings.CutSuffix(w.name, "*")
	for _, m := range mediaTypes {
		if w.name == m.name {
			return m.encoding, true
		}
		if wild && !refused[m.name] && (prefix == "*/" || strings.HasPrefix(m.name, prefix)) {
			return m.encoding, true
		}
	}
	return 0, false
}

// parseAccept reads an Accept header, without the ranges that are none.
func parseAccept(header []string) []wish {
	var out []wish
	for _, line := range header {
		for part := range strings.SplitSeq(line, ",") {
			name, params, err := mime.ParseMediaType(part)
			if err != nil {
				continue
			}
			w := wish{name: name, quality: 1}
			if q, ok := params["q"]; ok {
				w.quality, err = strconv.ParseFloat(q, 64)
				if err != nil || !(w.quality >= 0) {
					w.quality = 0
				}
			}
			out = append(out, w)
		}
	}
	return out
}
