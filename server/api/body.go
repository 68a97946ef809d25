package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spilelog/spile/wire"
)

// bodyTimeout is how long a caller may take to send a body.
const bodyTimeout = 30 * time.Second

// field is one member that a body may have.
type field struct {
	name string
	// allowed says in words what its value must be.
	allowed string
	// target is where the value goes: a pointer for encoding/json, or a list of fields for an object within.
	target any
}

// Words for what a value must be.
const (
	allowedText  = "a string"
	allowedTexts = "a string or a list of strings"
)

// readBody reads a JSON object strictly into fields. Every member that is unknown, or not what is allowed, is told.
func readBody(w http.ResponseWriter, r *http.Request, fields []field) error {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		return wire.Errorf(wire.CodeUnsupportedMedia, "the Content-Type must be application/json")
	}
	// Not every writer knows deadlines; the server's own does, and its other limits hold without.
	if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTimeout)); err != nil &&
		!errors.Is(err, http.ErrNotSupported) {
		return fmt.Errorf("set deadline: %w", err)
	}
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, wire.MaxBody))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return wire.Errorf(wire.CodeTooLarge, "the body has more than %d bytes", wire.MaxBody)
	}
	if err != nil {
		return wire.Invalid("body", "could not be read to its end")
	}
	bad := map[string]string{}
	readObject(data, "", fields, bad)
	return refusalOf(bad)
}

// refusalOf is the error that tells all problems, nil when there is none.
func refusalOf(bad map[string]string) error {
	if len(bad) == 0 {
		return nil
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(bad)) {
		parts = append(parts, name+": "+bad[name])
	}
	return &wire.Error{Code: wire.CodeValidation, Message: strings.Join(parts, "; "), Details: bad}
}

// readObject reads one object and notes problems by the full name of the field.
func readObject(data []byte, prefix string, fields []field, bad map[string]string) {
	self := strings.TrimSuffix(prefix, ".")
	if self == "" {
		self = "body"
	}
	members, err := objectMembers(data)
	if err != nil {
		bad[self] = err.Error()
		return
	}
	for name, value := range members {
		i := slices.IndexFunc(fields, func(f field) bool { return f.name == name })
		if i < 0 {
			bad[clipName(prefix+name)] = "is not a field; must be one of " + fieldNames(fields)
			continue
		}
		f := fields[i]
		if inner, ok := f.target.([]field); ok {
			readObject(value, prefix+name+".", inner, bad)
			continue
		}
		if bytes.Equal(value, []byte("null")) || json.Unmarshal(value, f.target) != nil {
			bad[prefix+name] = "must be " + f.allowed
		}
	}
}

// objectMembers splits an object; a member that occurs twice is an error, since nobody could say which one holds.
func objectMembers(data []byte) (map[string]json.RawMessage, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	token, err := decoder.Token()
	if err != nil || token != json.Delim('{') {
		return nil, errors.New("must be a JSON object")
	}
	out := map[string]json.RawMessage{}
	for decoder.More() {
		token, err := decoder.Token()
		name, ok := token.(string)
		if err != nil || !ok {
			return nil, syntaxError(err)
		}
		if _, twice := out[name]; twice {
			return nil, fmt.Errorf("has %q twice", clipName(name))
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return nil, syntaxError(err)
		}
		out[name] = value
	}
	if _, err := decoder.Token(); err != nil {
		return nil, syntaxError(err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("must be one JSON object and nothing after it")
	}
	return out, nil
}

// syntaxError says where JSON is broken.
func syntaxError(err error) error {
	if s, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("is not JSON: %w at byte %d", s, s.Offset)
	}
	return errors.New("is not JSON: ends too early")
}

// maxFieldName bounds how much of an unknown field's name is repeated.
const maxFieldName = 64

// clipName bounds a name that the caller chose.
func clipName(name string) string {
	if len(name) > maxFieldName {
		return strings.ToValidUTF8(name[:maxFieldName], "") + "…"
	}
	return name
}

// fieldNames lists what is allowed.
func fieldNames(fields []field) string {
	names := make([]string, 0, len(fields))
	for _, f := range fields {
		names = append(names, f.name)
	}
	return strings.Join(names, ", ")
}
