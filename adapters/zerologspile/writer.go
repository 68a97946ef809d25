package zerologspile

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/rs/zerolog"

	"github.com/spilelog/spile/adapters/internal/bridge"
)

// maxDepth is how deep objects and lists may nest; what is deeper is not read.
const maxDepth = 64

var errTooDeep = errors.New("nested too deep")

// writer gives zerolog's records to a handler.
type writer struct{ handler slog.Handler }

// NewWriter returns a writer whose records go to h, usually a [spile.Handler]. A fatal or panic record flushes h.
func NewWriter(h slog.Handler) zerolog.LevelWriter { return writer{h} }

// Write gives a record to the handler whose level stands in the JSON.
func (w writer) Write(p []byte) (int, error) { return w.write(zerolog.NoLevel, p) }

// WriteLevel gives a record to the handler, if it wants this level.
func (w writer) WriteLevel(level zerolog.Level, p []byte) (int, error) {
	if level != zerolog.NoLevel && !w.handler.Enabled(context.Background(), ToSlog(level)) {
		return len(p), nil
	}
	return w.write(level, p)
}

func (w writer) write(level zerolog.Level, p []byte) (int, error) {
	r, err := parse(p)
	if err != nil {
		return 0, fmt.Errorf("read a record of zerolog: %w", err)
	}
	if level != zerolog.NoLevel {
		r.Level = ToSlog(level)
	}
	ctx := context.Background()
	if !w.handler.Enabled(ctx, r.Level) {
		return len(p), nil
	}
	err = w.handler.Handle(ctx, r)
	if level == zerolog.FatalLevel || level == zerolog.PanicLevel {
		// The program may end with this record.
		err = errors.Join(err, bridge.Flush(w.handler))
	}
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

// parse reads the JSON of a record.
func parse(p []byte) (slog.Record, error) {
	var r slog.Record
	d := json.NewDecoder(bytes.NewReader(p))
	d.UseNumber()
	if first, err := d.Token(); err != nil {
		return r, err
	} else if first != json.Delim('{') {
		return r, fmt.Errorf("got %v, want an object", first)
	}
	attrs, err := members(d, 0)
	if err != nil {
		return r, err
	}
	for _, a := range attrs {
		if !builtin(&r, a) {
			r.AddAttrs(a)
		}
	}
	if r.Time.IsZero() {
		r.Time = time.Now()
	}
	return r, nil
}

// builtin takes over the time, the level or the message, and says whether a was one.
func builtin(r *slog.Record, a slog.Attr) bool {
	switch a.Key {
	case zerolog.TimestampFieldName:
		at, ok := parseTime(a.Value)
		if ok && r.Time.IsZero() {
			r.Time = at
		}
		return ok
	case zerolog.LevelFieldName:
		level, err := zerolog.ParseLevel(a.Value.String())
		if err == nil {
			r.Level = recordLevel(level)
		}
		return err == nil
	case zerolog.MessageFieldName:
		r.Message = a.Value.String()
		return true
	}
	return false
}

// parseTime reads a time as zerolog writes it.
func parseTime(v slog.Value) (time.Time, bool) {
	n, isInt := v.Any().(int64)
	switch zerolog.TimeFieldFormat {
	case zerolog.TimeFormatUnix:
		return time.Unix(n, 0), isInt
	case zerolog.TimeFormatUnixMs:
		return time.UnixMilli(n), isInt
	case zerolog.TimeFormatUnixMicro:
		return time.UnixMicro(n), isInt
	case zerolog.TimeFormatUnixNano:
		return time.Unix(0, n), isInt
	}
	at, err := time.Parse(zerolog.TimeFieldFormat, v.String())
	return at, err == nil
}

// members reads the members of an object that has been opened, and its end.
func members(d *json.Decoder, depth int) ([]slog.Attr, error) {
	if depth == maxDepth {
		return nil, errTooDeep
	}
	var attrs []slog.Attr
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		v, err := value(d, depth)
		if err != nil {
			return nil, err
		}
		attrs = append(attrs, slog.Attr{Key: fmt.Sprint(key), Value: v})
	}
	_, err := d.Token()
	return attrs, err
}

// value reads a value.
func value(d *json.Decoder, depth int) (slog.Value, error) {
	token, err := d.Token()
	if err != nil {
		return slog.Value{}, err
	}
	switch t := token.(type) {
	case json.Number:
		return number(t), nil
	case json.Delim:
		if t == '[' {
			list, err := elements(d, depth+1)
			return slog.AnyValue(list), err
		}
		attrs, err := members(d, depth+1)
		return slog.GroupValue(attrs...), err
	default:
		return slog.AnyValue(t), nil
	}
}

// elements reads the elements of a list that has been opened, and its end.
func elements(d *json.Decoder, depth int) ([]any, error) {
	if depth == maxDepth {
		return nil, errTooDeep
	}
	list := []any{}
	for d.More() {
		v, err := value(d, depth)
		if err != nil {
			return nil, err
		}
		list = append(list, plain(v))
	}
	_, err := d.Token()
	return list, err
}

// plain is v as encoding/json writes it.
func plain(v slog.Value) any {
	if v.Kind() != slog.KindGroup {
		return v.Any()
	}
	m := map[string]any{}
	for _, a := range v.Group() {
		m[a.Key] = plain(a.Value)
	}
	return m
}

// number is n with the kind it has: whole if it is written so and fits.
func number(n json.Number) slog.Value {
	if i, err := n.Int64(); err == nil {
		return slog.Int64Value(i)
	}
	if u, err := strconv.ParseUint(n.String(), 10, 64); err == nil {
		return slog.Uint64Value(u)
	}
	if f, err := n.Float64(); err == nil {
		return slog.Float64Value(f)
	}
	return slog.StringValue(n.String())
}
