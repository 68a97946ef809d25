package tap

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spilelog/spile/event"
	"github.com/spilelog/spile/filter"
	"github.com/spilelog/spile/wire"
)

// The keys of a query.
const (
	keyLevel   = "level"
	keyScope   = "scope"
	keyPattern = "pattern"
	keySince   = "since"
	keyFormat  = "format"
)

// queryKeys are all of them, as an error lists them.
const queryKeys = "level, scope, pattern, since, format"

// ownKeys are the parts of a record beside its metadata that a scope may name.
var ownKeys = [...]string{"source", "level", "message"}

// ask is what a request wants to see, checked.
type ask struct {
	// key is the same for those who ask for the same from now on.
	key      string
	level    slog.Level
	encoding encoding
	// matcher has the pattern.
	matcher   *filter.Matcher
	patterned bool
	scopes    []scope
	// since is from when on the history is wanted, zero if it is not.
	since time.Time
}

// scope is one of the scopes of a stream by itself.
type scope struct {
	key, value string
	matcher    *filter.Matcher
	// place says whether the place of the call gives a value where the metadata has none.
	place bool
}

// problems says for each part of a query what is wrong with it.
type problems map[string]string

// refusal is the answer to a query with problems, nil if there are none.
func (p problems) refusal() *wire.Error {
	if len(p) == 0 {
		return nil
	}
	parts := make([]string, 0, len(p))
	for _, field := range slices.Sorted(maps.Keys(p)) {
		parts = append(parts, field+": "+p[field])
	}
	return &wire.Error{Code: wire.CodeValidation, Message: strings.Join(parts, "; "), Details: p}
}

// parse reads what r asks for.
func (t *Tap) parse(r *http.Request) (*ask, *wire.Error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, wire.Invalid("query", "%s", err)
	}
	bad := problems{}
	checkQueryKeys(values, bad)
	a := &ask{level: t.o.standardLevel(), patterned: values.Get(keyPattern) != ""}
	t.parseLevel(a, values, bad)
	t.parseSince(a, values, bad)
	t.parseFilter(a, values, bad)
	var refusal *wire.Error
	if values.Has(keyFormat) {
		a.encoding = parseFormat(values.Get(keyFormat), bad)
	} else {
		a.encoding, refusal = acceptable(r.Header.Values("Accept"))
	}
	if len(bad) > 0 {
		refusal = bad.refusal()
	}
	a.key = fmt.Sprintf("%d %d %q %q", a.level, a.encoding, values.Get(keyPattern), values[keyScope])
	return a, refusal
}

// checkQueryKeys refuses what no stream knows, since a filter that is ignored shows more than was asked for.
func checkQueryKeys(values url.Values, bad problems) {
	for _, key := range slices.Sorted(maps.Keys(values)) {
		switch key {
		case keyScope:
		case keyLevel, keyPattern, keySince, keyFormat:
			if len(values[key]) > 1 {
				bad[key] = "is there more than once"
			}
		default:
			bad["query"] = "unknown key " + quote(key) + ": must be one of " + queryKeys
		}
	}
}

// parseLevel reads the level, which must not be below the floor.
func (t *Tap) parseLevel(a *ask, values url.Values, bad problems) {
	if values.Has(keyLevel) {
		level, err := event.ParseLevel(values.Get(keyLevel))
		if err != nil {
			bad[keyLevel] = "unknown level " + quote(values.Get(keyLevel)) + ": must be one of " + t.levelWords()
			return
		}
		a.level = slog.Level(level)
	}
	if a.level < t.o.floor() {
		bad[keyLevel] = event.Level(a.level).String() + " is lower than this log may be watched: must be one of " +
			t.levelWords()
	}
}

// levelWords are the levels that may be asked for.
func (t *Tap) levelWords() string {
	if t.o.MinLevel == nil {
		return event.LevelWords
	}
	var words []string
	for i := range event.NumLevels {
		if level := event.LevelAt(i); slog.Level(level) >= t.o.floor() {
			words = append(words, level.String())
		}
	}
	if len(words) == 0 {
		return "none, for no level is high enough"
	}
	return strings.Join(words, ", ")
}

// parseSince reads from when on the history is wanted.
func (t *Tap) parseSince(a *ask, values url.Values, bad problems) {
	if !values.Has(keySince) {
		return
	}
	if t.history == nil {
		bad[keySince] = "this log keeps no history: must be left out"
		return
	}
	text := values.Get(keySince)
	if ago, err := time.ParseDuration(text); err == nil && ago > 0 {
		a.since = time.Now().Add(-ago)
		return
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || at.IsZero() {
		bad[keySince] = quote(text) + " is neither a duration such as 5m nor a time such as 2006-01-02T15:04:05Z"
		return
	}
	a.since = at
}

// parseFilter reads scopes and pattern.
func (t *Tap) parseFilter(a *ask, values url.Values, bad problems) {
	filters := wire.Filters{Pattern: values.Get(keyPattern)}
	for _, text := range values[keyScope] {
		key, value, why := t.splitScope(text)
		if why != "" {
			bad[keyScope] = why
			return
		}
		a.scopes = append(a.scopes, scope{
			key: key, value: value, matcher: filter.Scope(key, value), place: isPlace(key),
		})
		filters.Scope = append(filters.Scope, key+":"+value)
	}
	// Scopes are compiled here only to be checked: they match one by one.
	var err error
	if a.matcher, err = filter.Compile(filters); err != nil {
		explain(err, bad)
	}
}

// explain makes the reasons of a filter's refusal those of the query.
func explain(err error, bad problems) {
	refusal, ok := errors.AsType[*wire.Error](err)
	if !ok || len(refusal.Details) == 0 {
		bad["query"] = err.Error()
		return
	}
	for field, why := range refusal.Details {
		bad[strings.TrimPrefix(field, "filters.")] = why
	}
}

// splitScope is the key and the value of a scope, or why there are none.
func (t *Tap) splitScope(text string) (key, value, why string) {
	key, value, ok := strings.Cut(text, t.o.Separator)
	switch {
	case !ok || key == "":
		return "", "", quote(text) + " is no scope: must be key" + t.o.Separator +
			"value, split at the first " + quote(t.o.Separator) + "; " + t.allowedKeys()
	case !t.mayName(key):
		return "", "", "unknown key " + quote(key) + ": " + t.allowedKeys()
	}
	return key, value, ""
}

// mayName says whether a scope may name the key.
func (t *Tap) mayName(key string) bool {
	if t.o.AllMetadata || slices.Contains(ownKeys[:], key) {
		return true
	}
	return slices.ContainsFunc(t.o.Metadata, func(shown string) bool {
		return key == shown || strings.HasPrefix(key, shown+".")
	})
}

// allowedKeys says which keys a scope may name.
func (t *Tap) allowedKeys() string {
	if t.o.AllMetadata {
		return "any key is allowed"
	}
	return "the key must be one of " + strings.Join(slices.Concat(t.o.Metadata, ownKeys[:]), ", ")
}

// quote is a part of a request as an error repeats it.
func quote(text string) string {
	if len(text) > maxEcho {
		text = text[:maxEcho] + "…"
	}
	return string(event.AppendString(nil, text))
}
