package spile

import (
	"log/slog"
)

// namespaceKey is the key under which other handlers print a [Namespace].
const namespaceKey = "namespace"

// namespaceName is the value of a [Namespace]: its type tells it from any other attribute of that key.
type namespaceName string

// String is the name, for what prints the attribute as one like any other.
func (n namespaceName) String() string { return string(n) }

// Namespace is the attribute that says to which namespace a record belongs, in place of the caller's package and type:
// in a call for one record, in With for all of a logger. It becomes the record's source and is no part of its metadata;
// the last one given counts, and that of a call before that of its logger. An empty name gives the caller's place back.
// Other handlers print it as text under the key namespace, and so does this one in a group or in [WithMetadata], where
// it is an attribute like any other.
//
// [Handler.Enabled] goes by what the logger carries. So where the logger's own namespace lets nothing of a level
// through, a call cannot help itself in by naming another.
func Namespace(name string) slog.Attr {
	return slog.Any(namespaceKey, namespaceName(name))
}

// namespaceOf is the name that a gives if it is a [Namespace].
func namespaceOf(a *slog.Attr) (string, bool) {
	if a.Key != namespaceKey || a.Value.Kind() != slog.KindAny {
		return "", false
	}
	name, ok := a.Value.Any().(namespaceName)
	return string(name), ok
}

// none says whether a is an attribute that handlers ignore.
func none(a *slog.Attr) bool {
	return a.Key == "" && a.Value.Kind() == slog.KindAny && a.Value.Any() == nil
}
