package convention

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

const maxPort = 65535

// plain is the value that a logger would print: the content of a slog value, resolved.
func plain(v any) any {
	switch v := v.(type) {
	case slog.Value:
		return v.Resolve().Any()
	case slog.LogValuer:
		return slog.AnyValue(v).Resolve().Any()
	default:
		return v
	}
}

// textOf is the text of a value that is one, whatever the name of its type.
func textOf(v any) (string, bool) {
	if s, ok := v.(string); ok {
		return s, true
	}
	if r := reflect.ValueOf(v); r.Kind() == reflect.String {
		if _, number := v.(json.Number); !number {
			return r.String(), true
		}
	}
	return "", false
}

// fits says whether v, which is plain, has the type.
func (k *Checker) fits(t Type, v any) bool {
	switch t {
	case TypeText, TypeName:
		_, ok := textOf(v)
		return ok
	case TypeInteger:
		_, ok := k.integer(v)
		return ok
	case TypePort:
		n, ok := k.integer(v)
		return ok && n >= 0 && n <= maxPort
	case TypeNumber:
		return k.number(v)
	case TypeBool:
		return k.truth(v)
	case TypeIP, TypePeer:
		return address(t, v)
	case TypeList:
		return k.list(v)
	case TypeTime:
		return moment(v)
	case TypeLevel:
		word, ok := textOf(v)
		return ok && slices.Contains(k.levels, word)
	case TypeObject:
		return object(v)
	default:
		return true
	}
}

// integer is the whole number that v is. A float counts if it is whole, because JSON that was decoded knows only
// floats; numbers beyond int64 are whole too, and saturate.
func (k *Checker) integer(v any) (int64, bool) {
	switch v := v.(type) {
	case time.Duration:
		return 0, false
	case json.Number:
		return integerText(v.String())
	case string:
		if !k.textValues {
			return 0, false
		}
		return integerText(v)
	}
	switch r := reflect.ValueOf(v); {
	case r.CanInt():
		return r.Int(), true
	case r.CanUint():
		return int64(min(r.Uint(), math.MaxInt64)), true
	case r.CanFloat():
		f := r.Float()
		return int64(max(min(f, math.MaxInt32), math.MinInt32)), f == math.Trunc(f) && !math.IsInf(f, 0)
	}
	return 0, false
}

// integerText reads a whole number in decimal digits.
func integerText(s string) (int64, bool) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err == nil {
		return n, true
	}
	digits := strings.TrimPrefix(s, "-")
	whole := digits != "" && strings.Trim(digits, "0123456789") == ""
	return n, whole // ParseInt saturates what is out of range
}

// number says whether v is a number.
func (k *Checker) number(v any) bool {
	if _, ok := k.integer(v); ok {
		return true
	}
	switch v := v.(type) {
	case json.Number:
		return true
	case string:
		_, err := strconv.ParseFloat(v, 64)
		return k.textValues && err == nil
	}
	return reflect.ValueOf(v).CanFloat()
}

// truth says whether v is true or false.
func (k *Checker) truth(v any) bool {
	if s, ok := v.(string); ok {
		return k.textValues && (s == "true" || s == "false")
	}
	return reflect.ValueOf(v).Kind() == reflect.Bool
}

// address says whether v is an IP address, with a port for TypePeer. The addresses of net and net/netip print
// themselves as their text, and as something else when they are empty; so package net need not be taken in.
func address(t Type, v any) bool {
	s, ok := textOf(v)
	if _, printer := v.(fmt.Stringer); printer {
		s, ok = fmt.Sprint(v), true
	}
	if !ok {
		return false
	}
	var err error
	if t == TypeIP {
		_, err = netip.ParseAddr(s)
	} else {
		_, err = netip.ParseAddrPort(s)
	}
	return err == nil
}

// list says whether v is a list. Bytes are a text that was not converted, and a group is an object.
func (k *Checker) list(v any) bool {
	if _, group := v.([]slog.Attr); group {
		return false
	}
	if s, ok := v.(string); ok {
		return k.textValues && strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]")
	}
	r := reflect.ValueOf(v)
	return (r.Kind() == reflect.Slice || r.Kind() == reflect.Array) && r.Type().Elem().Kind() != reflect.Uint8
}

// moment says whether v is a time with zone.
func moment(v any) bool {
	if _, ok := v.(time.Time); ok {
		return true
	}
	s, ok := textOf(v)
	if !ok {
		return false
	}
	_, err := time.Parse(time.RFC3339Nano, s)
	return err == nil
}

// object says whether v is a group of named values.
func object(v any) bool {
	if attrs, ok := v.([]slog.Attr); ok {
		return attrs != nil
	}
	r := reflect.ValueOf(v)
	if r.Kind() == reflect.Pointer {
		r = r.Elem()
	}
	return r.Kind() == reflect.Map || r.Kind() == reflect.Struct
}
