package format

import (
	"sync/atomic"

	"github.com/spilelog/spile/event"
)

// The keys of a [JSON] line where none are set.
const (
	DefaultTimeKey    = "timestamp"
	DefaultLevelKey   = "level"
	DefaultSourceKey  = "source"
	DefaultMessageKey = "message"
)

// atKey is the key of the place of a log call.
const atKey = "at"

// renamed stands before a metadata key that would collide with one of the formatter's own.
const renamed = "attr_"

// JSON is a [Formatter] that makes one JSON object of each event, in one line:
//
//	{"timestamp":"2024-01-15T10:00:00.123Z","level":"info","source":"shop","message":"…","user":"alice","http":{…}}
//
// The metadata follow the four members in their order, groups as objects. Numbers and truths stay such; a duration is
// text, 1.5s. A time that is zero and a source that is empty are left out. A metadata key that is one of the
// formatter's own, at the top level, gets attr_ before it. Invalid UTF-8 becomes U+FFFD.
//
// The zero value is ready. It must not be copied or changed after its first use.
type JSON struct {
	// TimeKey, LevelKey, SourceKey and MessageKey are the keys of the four members; empty is the default of each.
	TimeKey, LevelKey, SourceKey, MessageKey string
	// At adds the place of the log call, package.function:line, as the member at.
	At bool

	sites sites
	// form is the options once more; see formed.
	form atomic.Pointer[event.Form]
}

// Append implements [Formatter].
func (j *JSON) Append(dst []byte, e *event.Event) []byte {
	dst = append(dst, '{')
	if !e.Time.IsZero() {
		dst = appendKey(dst, j.TimeKey, `"timestamp":`)
		dst = append(dst, '"')
		dst = event.AppendTime(dst, e.Time)
		dst = append(dst, '"', ',')
	}
	dst = appendKey(dst, j.LevelKey, `"level":`)
	dst = append(dst, '"')
	dst = append(dst, e.Level.String()...)
	dst = append(dst, '"', ',')
	if e.Source != "" {
		dst = appendKey(dst, j.SourceKey, `"source":`)
		dst = event.AppendString(dst, e.Source)
		dst = append(dst, ',')
	}
	dst = appendKey(dst, j.MessageKey, `"message":`)
	dst = event.AppendString(dst, e.Message)
	if j.At && e.PC != 0 {
		dst = append(dst, `,"at":`...)
		dst = event.AppendString(dst, j.sites.lookup(e.PC).At)
	}
	rest := e.Metadata
	if e.Prefix != nil {
		dst, rest = event.AppendPrefix(dst, e, j.formed(), j.appendFields)
	}
	dst = j.appendFields(dst, rest)
	return append(dst, '}', '\n')
}

// formed is what the text of metadata depends on, made when it is first asked for.
func (j *JSON) formed() *event.Form {
	form := j.form.Load()
	if form == nil {
		form = &event.Form{Name: "json", Keys: [...]string{j.TimeKey, j.LevelKey, j.SourceKey, j.MessageKey}, At: j.At}
		j.form.Store(form)
	}
	return form
}

// appendKey appends a key of the formatter and its colon.
func appendKey(dst []byte, key, byDefault string) []byte {
	if key == "" {
		return append(dst, byDefault...)
	}
	return append(event.AppendString(dst, key), ':')
}

// appendFields appends m as further members, in runs between those whose keys must change.
func (j *JSON) appendFields(dst []byte, m event.Metadata) []byte {
	start := 0
	for i := range m {
		key := m[i].Key
		if key != "" && !j.reserved(key) {
			continue
		}
		dst, _ = event.AppendFields(dst, m[start:i], true)
		start = i + 1
		switch {
		case key != "":
			one := event.Metadata{{Key: renamed + key, Value: m[i].Value}}
			dst, _ = event.AppendFields(dst, one, true)
		case m[i].Value.Kind() == event.KindGroup:
			dst = j.appendFields(dst, m[i].Value.Fields())
		default:
			dst, _ = event.AppendFields(dst, m[i:start], true)
		}
	}
	dst, _ = event.AppendFields(dst, m[start:], true)
	return dst
}

// reserved says whether key is one of the formatter's own.
func (j *JSON) reserved(key string) bool {
	if j.TimeKey == "" && j.LevelKey == "" && j.SourceKey == "" && j.MessageKey == "" {
		switch key {
		case DefaultTimeKey, DefaultLevelKey, DefaultSourceKey, DefaultMessageKey:
			return true
		}
		return j.At && key == atKey
	}
	return isKey(key, j.TimeKey, DefaultTimeKey) || isKey(key, j.LevelKey, DefaultLevelKey) ||
		isKey(key, j.SourceKey, DefaultSourceKey) || isKey(key, j.MessageKey, DefaultMessageKey) ||
		j.At && key == atKey
}

// isKey says whether key is a key of the formatter.
func isKey(key, own, byDefault string) bool {
	if own == "" {
		return key == byDefault
	}
	return key == own
}

// appendFailure is the fallback line as an object.
func (j *JSON) appendFailure(dst []byte, failed *event.Event) []byte {
	e := *failed
	e.Metadata = append(event.Metadata{{Key: whatKey, Value: event.String(failed.Message)}}, failed.Metadata...)
	return j.Append(dst, &e)
}
