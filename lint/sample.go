package lint

import (
	"errors"
	"go/constant"
	"go/types"
	"log/slog"
	"net/netip"
	"time"

	"github.com/spilelog/spile/convention"
)

// errSample stands for any error.
var errSample = errors.New("an error")

// sample is a value for the checker that stands for what the attribute has when the program runs: a constant itself,
// else a value of the same static type. Where the type tells nothing, it is one that fits the field, so that nothing is
// found. exact says that it is the constant.
func sample(info *types.Info, field convention.Field, a attr) (v any, exact bool) {
	if a.value == nil {
		return fitting(field), false
	}
	tv := info.Types[a.value]
	if tv.Value != nil && !isNamed(tv.Type, "time", "Duration") {
		return constantValue(tv.Value), true
	}
	return ofType(tv.Type, field), false
}

// constantValue is a constant as a Go program holds it.
func constantValue(v constant.Value) any {
	switch v.Kind() {
	case constant.Bool:
		return constant.BoolVal(v)
	case constant.String:
		return constant.StringVal(v)
	case constant.Int:
		if n, exact := constant.Int64Val(v); exact {
			return int(n)
		}
		n, _ := constant.Uint64Val(v)
		return n
	}
	f, _ := constant.Float64Val(v)
	return f
}

// fitting is a value that has the type of the field.
func fitting(field convention.Field) any {
	switch field.Type {
	case convention.TypeInteger, convention.TypePort, convention.TypeNumber:
		return 1
	case convention.TypeBool:
		return true
	case convention.TypeIP:
		return "127.0.0.1"
	case convention.TypePeer:
		return "127.0.0.1:1"
	case convention.TypeList:
		return []string{}
	case convention.TypeTime:
		return time.Time{}
	case convention.TypeLevel:
		return "info"
	case convention.TypeObject:
		return map[string]any{}
	}
	// Names keep the values of different fields apart.
	return "value of " + field.Name
}

// ofType is a value of the static type t, or one that fits where t tells nothing.
func ofType(t types.Type, field convention.Field) any {
	switch {
	case t == nil || isNamed(t, slogPath, "Value") || hasMethod(t, "LogValue"):
		return fitting(field)
	case isNamed(t, "time", "Duration"):
		return time.Second
	case isNamed(t, "time", "Time"):
		return time.Time{}
	case isNamed(t, "net/netip", "Addr"), isNamed(t, "net", "IP"):
		return netip.IPv4Unspecified()
	case isNamed(t, "net/netip", "AddrPort"), isNetAddr(t):
		return netip.AddrPortFrom(netip.IPv4Unspecified(), 1)
	case isNamed(t, "encoding/json", "Number"):
		return fitting(field)
	case types.Identical(t, types.Universe.Lookup("error").Type()):
		return errSample
	case types.IsInterface(t) || isTypeParam(t):
		return fitting(field)
	case addressField(field) && hasMethod(t, "String"):
		return fitting(field) // it may print an address
	}
	return ofKind(t.Underlying(), field)
}

// ofKind is a value of the underlying type t.
func ofKind(t types.Type, field convention.Field) any {
	switch t := t.(type) {
	case *types.Basic:
		return ofBasic(t, field)
	case *types.Slice:
		if b, ok := t.Elem().Underlying().(*types.Basic); ok && b.Kind() == types.Byte {
			return []byte{}
		}
		if isNamed(t.Elem(), slogPath, "Attr") {
			return []slog.Attr{}
		}
		return []string{}
	case *types.Array:
		return []string{}
	case *types.Map, *types.Struct:
		return map[string]any{}
	case *types.Pointer:
		if _, ok := t.Elem().Underlying().(*types.Struct); ok {
			return map[string]any{}
		}
	}
	return fitting(field)
}

// ofBasic is a value of a basic type. A text may be an address or a time.
func ofBasic(t *types.Basic, field convention.Field) any {
	switch info := t.Info(); {
	case info&types.IsString != 0:
		if s, ok := fitting(field).(string); ok {
			return s
		}
		if field.Type == convention.TypeTime {
			return fitting(field)
		}
		return "value of " + field.Name
	case info&types.IsInteger != 0:
		return 1
	case info&types.IsFloat != 0:
		return 0.5
	case info&types.IsBoolean != 0:
		return true
	}
	return fitting(field)
}

// addressField says whether the field is an address, which types print in their own ways.
func addressField(field convention.Field) bool {
	return field.Type == convention.TypeIP || field.Type == convention.TypePeer
}

// isNetAddr says whether t is an address of package net with a port.
func isNetAddr(t types.Type) bool {
	p, ok := types.Unalias(t).(*types.Pointer)
	return ok && (isNamed(p.Elem(), "net", "TCPAddr") || isNamed(p.Elem(), "net", "UDPAddr"))
}

// hasMethod says whether a value of type t has a method of that name.
func hasMethod(t types.Type, name string) bool {
	o, _, _ := types.LookupFieldOrMethod(t, false, nil, name)
	_, ok := o.(*types.Func)
	return ok
}
