package zapspile

import (
	"fmt"
	"log/slog"
	"time"

	"go.uber.org/zap/zapcore"

	"github.com/spilelog/spile/adapters/internal/bridge"
)

// level is the attributes of one namespace.
type level struct {
	name  string
	attrs []slog.Attr
}

// encoder collects fields as attributes, in order. It is a [zapcore.ObjectEncoder].
type encoder struct {
	// levels are the attributes outside of all namespaces, then those of each open one within the one before.
	levels []level
}

// encode is fields as attributes.
func encode(fields []zapcore.Field) *encoder {
	e := &encoder{levels: make([]level, 1)}
	for i := range fields {
		if err, ok := fields[i].Interface.(error); ok && fields[i].Type == zapcore.ErrorType {
			e.add(fields[i].Key, slog.AnyValue(err))
			continue
		}
		fields[i].AddTo(e)
	}
	return e
}

// fold is the attributes with the open namespaces as groups.
func (e *encoder) fold() []slog.Attr {
	last := len(e.levels) - 1
	attrs := e.levels[last].attrs
	for i := last; i > 0; i-- {
		group := slog.Attr{Key: e.levels[i].name, Value: slog.GroupValue(attrs...)}
		attrs = append(e.levels[i-1].attrs, group)
	}
	return attrs
}

func (e *encoder) add(key string, v slog.Value) {
	l := &e.levels[len(e.levels)-1]
	l.attrs = append(l.attrs, slog.Attr{Key: key, Value: v})
}

func (e *encoder) AddArray(key string, v zapcore.ArrayMarshaler) error {
	m := zapcore.NewMapObjectEncoder()
	err := m.AddArray(key, v)
	e.add(key, slog.AnyValue(m.Fields[key]))
	return err
}

func (e *encoder) AddObject(key string, v zapcore.ObjectMarshaler) error {
	inner := &encoder{levels: make([]level, 1)}
	err := v.MarshalLogObject(inner)
	e.add(key, slog.GroupValue(inner.fold()...))
	return err
}

func (e *encoder) AddReflected(key string, v any) error {
	e.add(key, bridge.Value(v))
	return nil
}

func (e *encoder) OpenNamespace(key string) { e.levels = append(e.levels, level{name: key}) }

func (e *encoder) AddBinary(key string, v []byte)     { e.add(key, slog.AnyValue(v)) }
func (e *encoder) AddByteString(key string, v []byte) { e.add(key, slog.StringValue(string(v))) }
func (e *encoder) AddBool(key string, v bool)         { e.add(key, slog.BoolValue(v)) }
func (e *encoder) AddComplex128(key string, v complex128) {
	e.add(key, slog.StringValue(fmt.Sprint(v)))
}

func (e *encoder) AddComplex64(key string, v complex64)    { e.add(key, slog.StringValue(fmt.Sprint(v))) }
func (e *encoder) AddDuration(key string, v time.Duration) { e.add(key, slog.DurationValue(v)) }
func (e *encoder) AddFloat64(key string, v float64)        { e.add(key, slog.Float64Value(v)) }
func (e *encoder) AddFloat32(key string, v float32)        { e.add(key, slog.Float64Value(float64(v))) }
func (e *encoder) AddInt(key string, v int)                { e.add(key, slog.IntValue(v)) }
func (e *encoder) AddInt64(key string, v int64)            { e.add(key, slog.Int64Value(v)) }
func (e *encoder) AddInt32(key string, v int32)            { e.add(key, slog.Int64Value(int64(v))) }
func (e *encoder) AddInt16(key string, v int16)            { e.add(key, slog.Int64Value(int64(v))) }
func (e *encoder) AddInt8(key string, v int8)              { e.add(key, slog.Int64Value(int64(v))) }
func (e *encoder) AddString(key, v string)                 { e.add(key, slog.StringValue(v)) }
func (e *encoder) AddTime(key string, v time.Time)         { e.add(key, slog.TimeValue(v)) }
func (e *encoder) AddUint(key string, v uint)              { e.add(key, slog.Uint64Value(uint64(v))) }
func (e *encoder) AddUint64(key string, v uint64)          { e.add(key, slog.Uint64Value(v)) }
func (e *encoder) AddUint32(key string, v uint32)          { e.add(key, slog.Uint64Value(uint64(v))) }

func (e *encoder) AddUint16(key string, v uint16) { e.add(key, slog.Uint64Value(uint64(v))) }

func (e *encoder) AddUint8(key string, v uint8) { e.add(key, slog.Uint64Value(uint64(v))) }

func (e *encoder) AddUintptr(key string, v uintptr) { e.add(key, slog.Uint64Value(uint64(v))) }
