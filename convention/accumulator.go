package convention

import (
	"encoding"
	"encoding/xml"
	"fmt"
	"log/slog"
	"maps"
	"slices"
)

// Accumulator is the context that goes with a stanza through a program. Logged under acc it expands to the fields that
// it has; empty ones are left out.
type Accumulator struct {
	// User and Server are the local user and server, normalised.
	User, Server string
	// FromJID and ToJID are the sender and the recipient.
	FromJID, ToJID string
	// Packet is the stanza as serialised XML.
	Packet string
}

// LogValue is a as a group, so that a handler that does not expand accumulators prints the same content.
func (a Accumulator) LogValue() slog.Value {
	all := []slog.Attr{User(a.User), Server(a.Server), FromJID(a.FromJID), ToJID(a.ToJID), Packet(a.Packet)}
	return slog.GroupValue(slices.DeleteFunc(all, func(at slog.Attr) bool { return at.Value.String() == "" })...)
}

// Acc gives the accumulator of the stanza that is worked on.
func Acc(a Accumulator) slog.Attr { return slog.Any(KeyAcc, a) }

// Expand is attrs as they are written: acc is replaced by its members, and exml_packet by packet with the element as
// XML text. A field that the caller gave wins over one of the accumulator, and packet over exml_packet. Attributes
// inside groups stay as they are, and so does an acc that has no members and an exml_packet that has no XML text: it
// is better to print them oddly than to lose them. Neither attrs nor its array is changed; without acc and exml_packet
// it is returned itself.
//
// The element's text is a string or bytes as they are, else that of its TextMarshaler or Stringer, else what
// encoding/xml makes of it.
func Expand(attrs []slog.Attr) []slog.Attr {
	if !slices.ContainsFunc(attrs, expands) {
		return attrs
	}
	taken := map[string]bool{}
	for _, a := range attrs {
		taken[a.Key] = true
	}
	out := make([]slog.Attr, 0, len(attrs))
	for _, a := range attrs {
		if a.Key == KeyExmlPacket {
			if a = element(a); a.Key == KeyPacket {
				if taken[KeyPacket] {
					continue
				}
				taken[KeyPacket] = true
			}
		}
		out = append(out, a)
	}
	return unfold(out, taken)
}

// ExpandRecord is r with its attributes expanded; see [Expand]. The record given stays as it is.
func ExpandRecord(r slog.Record) slog.Record {
	attrs := make([]slog.Attr, 0, r.NumAttrs())
	r.Attrs(func(a slog.Attr) bool {
		attrs = append(attrs, a)
		return true
	})
	if !slices.ContainsFunc(attrs, expands) {
		return r
	}
	out := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	out.AddAttrs(Expand(attrs)...)
	return out
}

func expands(a slog.Attr) bool { return a.Key == KeyAcc || a.Key == KeyExmlPacket }

// unfold replaces acc by its members that are not taken.
func unfold(attrs []slog.Attr, taken map[string]bool) []slog.Attr {
	out := make([]slog.Attr, 0, len(attrs))
	for _, a := range attrs {
		members := membersOf(a)
		if len(members) == 0 {
			out = append(out, a)
			continue
		}
		for _, m := range members {
			if m.Key == KeyExmlPacket {
				m = element(m)
			}
			if !taken[m.Key] {
				taken[m.Key] = true
				out = append(out, m)
			}
		}
	}
	return out
}

// membersOf lists the members of an accumulator, which is a group or a map by name; those of a map in alphabetical
// order.
func membersOf(a slog.Attr) []slog.Attr {
	if a.Key != KeyAcc {
		return nil
	}
	v := a.Value.Resolve()
	if v.Kind() == slog.KindGroup {
		return v.Group()
	}
	var out []slog.Attr
	switch m := v.Any().(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(m)) {
			out = append(out, slog.Any(key, m[key]))
		}
	case map[string]string:
		for _, key := range slices.Sorted(maps.Keys(m)) {
			out = append(out, slog.String(key, m[key]))
		}
	}
	return out
}

// element is packet with the text of an exml_packet, or the attribute itself when it has none.
func element(a slog.Attr) slog.Attr {
	text, err := xmlText(a.Value.Resolve().Any())
	if err != nil {
		return a
	}
	return Packet(text)
}

// xmlText serialises an element. A marshaller that panics is an error.
func xmlText(v any) (text string, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("serialise element: panic: %v", r)
		}
	}()
	switch v := v.(type) {
	case nil:
		return "", fmt.Errorf("serialise element: there is none")
	case string:
		return v, nil
	case []byte:
		return string(v), nil
	case encoding.TextMarshaler:
		data, err := v.MarshalText()
		return string(data), err
	case fmt.Stringer:
		return v.String(), nil
	}
	data, err := xml.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("serialise element: %w", err)
	}
	return string(data), nil
}
