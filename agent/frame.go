package agent

import (
	"encoding/base64"
	"unicode/utf8"

	"github.com/spilelog/spile/event"
)

// The metadata that the agent itself gives to each event.
const (
	keyHost          = "host"
	keyFile          = "file"
	keyOffset        = "offset"
	keyEndOffset     = "end_offset"
	keyTruncated     = "truncated"
	keyOriginalBytes = "original_bytes"
	// parsedPrefix goes before a parsed key that is one of the agent's own.
	parsedPrefix = "parsed_"
)

// framer makes the members of a log frame from an event.
type framer struct {
	host string
	raw  bool // frames carry the line's own bytes
	ends bool // frames say where their lines end
	meta event.Metadata
}

// frameOrigin is where the event of a frame comes from.
type frameOrigin struct {
	path    string
	offset  int64
	end     int64  // of what is kept of the line, with the newline
	cutFrom int64  // the line's original length, 0 if it was not cut
	raw     []byte // the line without its newline
	context bool   // the line does not match itself
}

// next is where the next line begins.
func (o *frameOrigin) next() int64 {
	if o.cutFrom > 0 {
		return o.offset + o.cutFrom + 1
	}
	return o.end
}

// members appends the members of ev's frame, up to the agent's numbering.
func (f *framer) members(dst []byte, ev *event.Event, from frameOrigin) []byte {
	f.meta = append(f.meta[:0],
		event.Field{Key: keyHost, Value: event.String(f.host)},
		event.Field{Key: keyFile, Value: event.String(from.path)},
		event.Field{Key: keyOffset, Value: event.Int(from.offset)})
	if f.ends {
		f.meta = append(f.meta, event.Field{Key: keyEndOffset, Value: event.Int(from.next())})
	}
	if from.cutFrom > 0 {
		f.meta = append(f.meta,
			event.Field{Key: keyTruncated, Value: event.Bool(true)},
			event.Field{Key: keyOriginalBytes, Value: event.Int(from.cutFrom)})
	}
	own := f.meta
	for _, field := range ev.Metadata {
		if _, taken := own.Get(field.Key); taken {
			field.Key = parsedPrefix + field.Key
			f.meta.Set(field.Key, field.Value)
			continue
		}
		f.meta = append(f.meta, field)
	}
	parsed := ev.Metadata
	ev.Metadata = f.meta
	dst = event.AppendMembers(dst, ev)
	ev.Metadata = parsed
	if f.raw {
		dst = appendRaw(dst, from.raw)
	}
	if from.context {
		dst = append(dst, `,"context":true`...)
	}
	return dst
}

// appendRaw appends the member with the line's own bytes: as text where they are UTF-8, else in base64.
func appendRaw(dst, raw []byte) []byte {
	if utf8.Valid(raw) {
		return event.AppendString(append(dst, `,"raw":`...), string(raw))
	}
	dst = append(dst, `,"raw_base64":"`...)
	dst = base64.StdEncoding.AppendEncode(dst, raw)
	return append(dst, '"')
}
