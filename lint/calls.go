package lint

import (
	"go/ast"
	"go/constant"
	"go/types"
	"strings"

	"golang.org/x/tools/go/types/typeutil"

	"github.com/spilelog/spile/convention"
	"github.com/spilelog/spile/event"
)

// The packages whose calls are checked.
const (
	slogPath       = "log/slog"
	spilePath      = "github.com/spilelog/spile"
	conventionPath = spilePath + "/convention"
)

// none is the position of an argument that a function does not have.
const none = -1

// shape says where a function takes what.
type shape struct {
	// level, message and fields are positions of arguments, or none. From fields on, all arguments are fields.
	level, message, fields int
	// severity is the level of functions that have it in their name.
	severity event.Level
	// nested says that the fields are those of a group and not of a record.
	nested bool
}

// record says whether the function makes a record.
func (s shape) record() bool { return s.message != none }

// shapes are the functions that are checked, by full name. Methods of slog.Logger are found under the name of the
// function that does the same.
func shapes() map[string]shape {
	all := map[string]shape{
		"log/slog.Log":              {level: 1, message: 2, fields: 3},
		"log/slog.LogAttrs":         {level: 1, message: 2, fields: 3},
		"log/slog.NewRecord":        {level: 1, message: 2, fields: none},
		"log/slog.With":             {level: none, message: none, fields: 0},
		"log/slog.Group":            {level: none, message: none, fields: 1, nested: true},
		"log/slog.GroupAttrs":       {level: none, message: none, fields: 1, nested: true},
		"log/slog.GroupValue":       {level: none, message: none, fields: 0, nested: true},
		"(*log/slog.Record).Add":    {level: none, message: none, fields: 0},
		spilePath + ".WithMetadata": {level: none, message: none, fields: 1},
		conventionPath + ".Req":     {level: none, message: none, fields: 0, nested: true},
	}
	all["(*log/slog.Record).AddAttrs"] = all["(*log/slog.Record).Add"]
	for name, level := range map[string]event.Level{
		"Debug": event.Debug, "Info": event.Info, "Warn": event.Warning, "Error": event.Error,
	} {
		all[slogPath+"."+name] = shape{level: none, message: 0, fields: 1, severity: level}
		all[slogPath+"."+name+"Context"] = shape{level: none, message: 1, fields: 2, severity: level}
	}
	return all
}

// callee is the full name of the function that is called, as in shapes; "" for a call of anything else.
func callee(info *types.Info, call *ast.CallExpr) string {
	f, ok := typeutil.Callee(info, call).(*types.Func)
	if !ok {
		return ""
	}
	if selector, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr); ok {
		if s := info.Selections[selector]; s != nil && s.Kind() == types.MethodExpr {
			return "" // (*slog.Logger).Info(log, …) has the receiver among its arguments
		}
	}
	name := f.FullName()
	if method, ok := strings.CutPrefix(name, "(*log/slog.Logger)."); ok {
		return slogPath + "." + method
	}
	return name
}

// attrFuncs are the functions that make an attribute of a key and a value.
func attrFuncs() map[string]bool {
	out := map[string]bool{}
	for _, name := range []string{"String", "Int", "Int64", "Uint64", "Float64", "Bool", "Time", "Duration", "Any"} {
		out[slogPath+"."+name] = true
	}
	return out
}

// helperKeys maps the functions of package convention that make an attribute to its key.
func helperKeys() map[string]string {
	out := map[string]string{}
	for name, key := range map[string]string{
		"What": convention.KeyWhat, "Text": convention.KeyText, "Result": convention.KeyResult,
		"Tags": convention.KeyTags, "At": convention.KeyAt, "Path": convention.KeyPath, "Code": convention.KeyCode,
		"IP": convention.KeyIP, "Port": convention.KeyPort, "Peer": convention.KeyPeer, "Req": convention.KeyReq,
		"ReplyBody": convention.KeyReplyBody, "User": convention.KeyUser, "Server": convention.KeyServer,
		"SubHost": convention.KeySubHost, "RemoteUser": convention.KeyRemoteUser,
		"RemoteServer": convention.KeyRemoteServer, "C2SData": convention.KeyC2SData,
		"FromJID": convention.KeyFromJID, "ToJID": convention.KeyToJID, "Packet": convention.KeyPacket,
		"ExmlPacket": convention.KeyExmlPacket, "IQ": convention.KeyIQ, "SubEl": convention.KeySubEl,
		"Acc": convention.KeyAcc, "Duration": convention.KeyDuration, "StateName": convention.KeyStateName,
		"State": convention.KeyState, "CallFrom": convention.KeyCallFrom, "Msg": convention.KeyMsg,
		"Class": convention.KeyClass, "Reason": convention.KeyReason, "Stacktrace": convention.KeyStacktrace,
	} {
		out[conventionPath+"."+name] = key
	}
	return out
}

// constantText is the value of a constant text.
func constantText(info *types.Info, expr ast.Expr) (string, bool) {
	v := info.Types[expr].Value
	if v == nil || v.Kind() != constant.String {
		return "", false
	}
	return constant.StringVal(v), true
}

// levelOf is the level of a record, and whether the source tells it.
func levelOf(info *types.Info, call *ast.CallExpr, s shape) (event.Level, bool) {
	if s.level == none {
		return s.severity, true
	}
	v := info.Types[call.Args[s.level]].Value
	if v == nil {
		return 0, false
	}
	n, exact := constant.Int64Val(constant.ToInt(v))
	return event.Level(n), exact
}

// isNamed says whether t is the named type, or an alias of it.
func isNamed(t types.Type, path, name string) bool {
	named, ok := types.Unalias(t).(*types.Named)
	if !ok {
		return false
	}
	o := named.Obj()
	return o.Pkg() != nil && o.Pkg().Path() == path && o.Name() == name
}
