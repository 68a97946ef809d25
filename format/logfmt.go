package format

import (
	"unicode/utf8"

	"github.com/spilelog/spile/event"
)

// The keys of logfmt lines that mean something to the formatter.
const (
	whatKey = "what"
	textKey = "text"
	// noKey stands for a key that is empty.
	noKey = "_"
)

// The places at the head of a line, by their order in it.
const (
	placeWhat = iota
	placeReason
	placeAt
	placeUser
	placeFromJID
	placeToJID
	placeClass
	placeStacktrace
	placeText
	numPlaces
)

// placeKeys are the keys of the places.
var placeKeys = [numPlaces]string{
	whatKey, "reason", atKey, "user", "from_jid", "to_jid", "class", "stacktrace", textKey,
}

// Logfmt is a [Formatter] that makes one line of pairs of each event, with the fields that conventions know first
// (broken here, not in the log):
//
//	time=… level=… what=… reason=… at=package.function:line user=… from_jid=… to_jid=… class=…
//	stacktrace=… text=… …
//
// Level is always there, everything else where the event has it; then the source follows, unless at says it already,
// and the other fields in their order. The message is what, if it is the name of an event (lower snake case) and no
// field what is given, else text. The fields of groups have dotted keys; nil is left out. A field time, level or source
// gets attr_ before its key, and so do at and text where the line has them from the event; nothing is lost.
//
// A value is quoted if it is empty or has a space, =, a quote, a backslash or a control character; those are escaped as
// in JSON. In a key such characters become \u0020 and the like, so that every reader of logfmt takes the line.
//
// The layout is that of MongooseIM, with class, which its template forgets. The zero value is ready. It must not be
// copied.
type Logfmt struct {
	sites sites
}

// Append implements [Formatter].
func (l *Logfmt) Append(dst []byte, e *event.Event) []byte {
	var room [expectedDepth]string
	w := logfmtLine{dst: dst}
	if !e.Time.IsZero() {
		w.dst = append(event.AppendTime(append(w.dst, "time="...), e.Time), ' ')
	}
	w.dst = append(append(w.dst, "level="...), e.Level.String()...)
	w.find(e.Metadata)
	site := l.sites.lookup(e.PC)
	own := w.own(e.Message, site.At)
	for place, key := range placeKeys {
		switch f := w.found[place]; {
		case own[place] != "":
			w.dst = append(append(w.dst, ' '), key...)
			w.dst = appendQuoted(append(w.dst, '='), own[place])
		case f != nil:
			w.pair(nil, f.Key, f.Value)
		}
	}
	if e.Source != "" && e.Source != site.Namespace {
		w.dst = appendQuoted(append(w.dst, " source="...), e.Source)
	}
	w.others(room[:0], e.Metadata)
	return append(w.dst, '\n')
}

// logfmtLine is one line being written.
type logfmtLine struct {
	dst []byte
	// found are the fields that have places at the head.
	found [numPlaces]*event.Field
	// atTaken and textTaken say that the event itself has filled the place.
	atTaken, textTaken bool
}

// find finds the fields that have places, the first of each key.
func (w *logfmtLine) find(m event.Metadata) {
	for i := range m {
		f := &m[i]
		if f.Key == "" {
			w.find(f.Value.Fields())
			continue
		}
		place := placeOf(f.Key)
		if place >= 0 && w.found[place] == nil && f.Value.Kind() != event.KindGroup && !isNothing(f.Value) {
			w.found[place] = f
		}
	}
}

// own is what the event itself puts into the places. A field that had one of them is found no more.
func (w *logfmtLine) own(message, at string) (own [numPlaces]string) {
	if at != "" {
		own[placeAt], w.atTaken = at, true
		w.found[placeAt] = nil
	}
	switch {
	case message == "":
	case w.found[placeWhat] == nil && isEventName(message):
		own[placeWhat] = message
	default:
		own[placeText], w.textTaken = message, true
		w.found[placeText] = nil
	}
	return own
}

// placeOf is the place of a key, -1 if it has none. A switch is faster than a walk through placeKeys.
func placeOf(key string) int {
	switch key {
	case whatKey:
		return placeWhat
	case "reason":
		return placeReason
	case atKey:
		return placeAt
	case "user":
		return placeUser
	case "from_jid":
		return placeFromJID
	case "to_jid":
		return placeToJID
	case "class":
		return placeClass
	case "stacktrace":
		return placeStacktrace
	case textKey:
		return placeText
	}
	return -1
}

// isEventName says whether s is lower snake case: words of letters and digits, the first beginning with a letter, with
// one underscore between two.
func isEventName(s string) bool {
	if s == "" || s[0] < 'a' || s[0] > 'z' || s[len(s)-1] == '_' {
		return false
	}
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
		case c == '_' && s[i-1] != '_':
		default:
			return false
		}
	}
	return true
}

// others writes the fields that have no place. Room is memory for the keys of groups; a slice in w would not stay on
// the stack.
func (w *logfmtLine) others(room []string, m event.Metadata) {
	for i := range m {
		f := &m[i]
		switch {
		case f.Key == "" && f.Value.Kind() == event.KindGroup:
			w.others(room, f.Value.Fields())
		case w.placed(f):
		case w.taken(f.Key) && !isNothing(f.Value):
			w.pair(room, renamed+f.Key, f.Value)
		default:
			w.pair(room, f.Key, f.Value)
		}
	}
}

// placed says whether f stands at the head of the line.
func (w *logfmtLine) placed(f *event.Field) bool {
	place := placeOf(f.Key)
	return place >= 0 && w.found[place] == f
}

// taken says whether the line has key from the event itself.
func (w *logfmtLine) taken(key string) bool {
	switch key {
	case "time", "level", "source":
		return true
	case atKey:
		return w.atTaken
	case textKey:
		return w.textTaken
	}
	return false
}

// pair writes one pair, or those of a group. Open are the keys of the groups around it.
func (w *logfmtLine) pair(open []string, key string, v event.Value) {
	if v.Kind() == event.KindGroup {
		if key != "" { // A group without a key adds nothing to those of its fields.
			open = append(open, key)
		}
		fields := v.Fields()
		for i := range fields {
			w.pair(open, fields[i].Key, fields[i].Value)
		}
		return
	}
	if isNothing(v) {
		return
	}
	w.dst = append(w.dst, ' ')
	for _, group := range open {
		w.dst = append(appendLogfmtKey(w.dst, group), '.')
	}
	if key == "" {
		key = noKey
	}
	w.dst = append(appendLogfmtKey(w.dst, key), '=')
	w.dst = appendLogfmtValue(w.dst, v)
}

// appendLogfmtValue appends a value that is not nothing.
func appendLogfmtValue(dst []byte, v event.Value) []byte {
	if text, ok := freeText(v); ok {
		return appendQuoted(dst, text)
	}
	return v.AppendText(dst)
}

// freeText is the text of a value that may hold anything. Those of numbers, truths, times and durations hold nothing to
// quote or escape; of them it says false.
func freeText(v event.Value) (string, bool) {
	switch v.Kind() {
	case event.KindString, event.KindJSON:
		return v.Text(), true
	case event.KindAny:
		if err, ok := v.Any().(error); ok {
			return err.Error(), true // Text would copy it twice.
		}
		return v.Text(), true
	}
	return "", false
}

// appendLogfmtKey appends a key so that it ends where it should. Readers take no quotes in keys, nor U+FFFD, and
// unescape nothing in them.
func appendLogfmtKey(dst []byte, key string) []byte {
	if bare(key) {
		return append(dst, key...)
	}
	for i, r := range key {
		switch r {
		case ' ', '=', '"', utf8.RuneError:
			dst = appendHex(dst, r)
		default:
			dst = appendEscaped(dst, key[i:i+utf8.RuneLen(r)])
		}
	}
	return dst
}
