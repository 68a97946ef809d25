package callsite

import (
	"runtime"
	"strings"
	"testing"
)

// TestNamespaceOfNames has names as Go 1.26 gives them, from programs that were compiled with and without inlining.
func TestNamespaceOfNames(t *testing.T) {
	tests := []struct{ name, function, want string }{
		{"function", "github.com/acme/shop/db.Open", "github.com/acme/shop/db"},
		{"method-of-a-pointer", "github.com/acme/shop/db.(*Pool).Get", "github.com/acme/shop/db.Pool"},
		{"method-of-a-value", "github.com/acme/shop/db.Pool.Get", "github.com/acme/shop/db.Pool"},
		{"method-as-a-value", "github.com/acme/shop/db.(*Pool).Get-fm", "github.com/acme/shop/db.Pool"},
		{"dots-in-the-path", "github.com/acme/shop.v2/db.(*Pool).Get", "github.com/acme/shop.v2/db.Pool"},
		{"escaped-dot", "gopkg.in/yaml%2ev3.(*Decoder).Decode", "gopkg.in/yaml.v3.Decoder"},
		{"escaped-letters", "example.org/gr%c3%b6%c3%9fe.F", "example.org/größe"},
		{"escape-of-nothing", "example.org/a%zz%2.F", "example.org/a%zz%2"},
		{"main", "main.main", "main"},
		{"main-method", "main.(*server).run", "main.server"},
		{"standard-library", "net/http.(*conn).serve", "net/http.conn"},
		{"closure", "a/b.F.func1", "a/b"},
		{"closure-in-closure", "a/b.F.func1.2", "a/b"},
		{"closure-of-a-method", "a/b.(*T).M.func1", "a/b.T"},
		{"closure-of-a-value-method", "a/b.T.M.func1.1", "a/b.T"},
		{"deferred", "a/b.T.M.deferwrap1", "a/b.T"},
		{"goroutine", "a/b.(*T).M.gowrap1", "a/b.T"},
		{"goroutine-of-a-function", "a/b.F.gowrap12", "a/b"},
		{"range", "a/b.F-range1", "a/b"},
		{"range-in-a-method", "a/b.T.M-range1", "a/b.T"},
		{"range-in-a-pointer-method", "a/b.(*T).M-range1.func2", "a/b.T"},
		{"range-in-a-closure", "a/b.F.func1-range2", "a/b"},
		{"init", "a/b.init", "a/b"},
		{"numbered-init", "a/b.init.0", "a/b"},
		{"closure-of-init", "a/b.init.1.func2", "a/b"},
		{"package-variable", "a/b.init.func1", "a/b"},
		{"closure-in-package-variable", "a/b.init.func3.1", "a/b"},
		{"older-package-variable", "a/b.glob..func1", "a/b"},
		{"generic-function", "a/b.F[...]", "a/b"},
		{"closure-of-generic-function", "a/b.F[...].func1", "a/b"},
		{"generic-type", "a/b.G[...].M", "a/b.G"},
		{"generic-pointer", "a/b.(*G[...]).M.func1", "a/b.G"},
		{"full-type-arguments", "a/b.(*G[go.shape.struct { x/y.A int }]).M", "a/b.G"},
		{"nested-type-arguments", "a.G[a.G[int].H].M", "a.G"},
		{"type-called-as-a-closure", "a/b.func1.M", "a/b.func1"},
		{"function-called-as-a-closure", "a/b.func1", "a/b"},

		{"inlined-into-main", "main.main.F.func2", "main"},
		{"inlined-method", "main.main.(*T).C.func1", "main.T"},
		{"inlined-value-method", "main.main.V.Rng.func7.main.V.Rng-range2.func8", "main.V"},
		{"inlined-generic-method", "main.main.(*G[...]).PC.func2", "main.G"},
		{"inlined-method-in-method", "a/b.(*T).Serve.(*P).C.func1", "a/b.P"},
		{"inlined-function-in-method", "a/b.(*T).Serve.F.func1", "a/b"},
		{"inlined-into-closure", "a/b.(*T).Serve.func1.F.func2", "a/b"},
		{"inlined-method-into-closure", "a/b.(*T).Serve.func1.(*P).C.func2", "a/b.P"},
		{"inlined-into-init", "a/b.init.F.func1", "a/b"},
		{"inlined-into-its-own-method", "main.V.C.V.C.func1.func2", "main.V"},
		{"inlined-generic-functions", "a/b.F[...].G[...].func1.func2", "a/b.F"},
		{"inlined-more-than-once", "a/b.F.G.H.func1", "a/b"},

		{"no-package", "F", "F"},
		{"nothing", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Namespace(tt.function); got != tt.want {
				t.Errorf("namespace of %s is %s, want %s", tt.function, got, tt.want)
			}
		})
	}
}

// FuzzNamespace: whatever the name, the namespace begins with the folder in it.
func FuzzNamespace(f *testing.F) {
	for _, s := range []string{"a/b.(*T).M.func1", "main.main", "a.F[x/y.Z].func1", "a%2eb.F", "[].(", "]/)("} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, function string) {
		got := Namespace(function)
		plain, _, _ := strings.Cut(function, "[")
		slash := strings.LastIndexByte(plain, '/')
		if !strings.HasPrefix(got, unescape(function[:slash+1])) {
			t.Errorf("namespace is %q", got)
		}
	})
}

// here is the namespace of the call of here.
//
//go:noinline
func here() string {
	var pcs [1]uintptr
	runtime.Callers(2, pcs[:])
	return new(Cache).Lookup(pcs[0]).Namespace
}

type (
	value          struct{}
	pointer        struct{}
	generic[T any] struct{}
	embedding      struct{ value }
)

func (value) method() string { return here() }

// Put into their callers, these two have names that could mean something else as well.
//
//go:noinline
func (value) closure() string   { return func() string { return here() }() }
func (*pointer) method() string { return here() }

func (*pointer) closure() string {
	return func() string { return func() string { return here() }() }()
}

func (*pointer) deferred() (s string) {
	defer func() { s = here() }()
	return ""
}

func (*pointer) goroutine(out chan<- string) { out <- here() }

func (*pointer) ranged() (s string) {
	for range func(yield func() bool) { yield() } {
		s = here()
	}
	return s
}

func (generic[T]) method() string          { return here() }
func (*generic[T]) pointerMethod() string  { return here() }
func (*generic[T]) pointerClosure() string { return func() string { return here() }() }

func function() string { return here() }

//go:noinline
func closure() string                { return func() string { return here() }() }
func genericFunction[T any]() string { return here() }

//go:noinline
func genericClosure[T any]() string { return func() string { return here() }() }

var (
	variable     = here()
	variableFunc = func() string { return here() }
	fromInit     []string
)

func init() {
	fromInit = append(fromInit, here(), func() string { return here() }())
}

// TestNamespaceOfCalls asks from real functions, whatever the compiler makes of them.
func TestNamespaceOfCalls(t *testing.T) {
	const pkg = "github.com/spilelog/spile/internal/callsite"
	p := &pointer{}
	out := make(chan string)
	go p.goroutine(out)
	methodValue, methodExpr := p.method, value.method
	var inner interface{ method() string } = embedding{}
	tests := []struct{ name, got, want string }{
		{"value", value{}.method(), ".value"},
		{"value-closure", value{}.closure(), ".value"},
		{"value-embedded", embedding{}.method(), ".value"},
		{"value-in-interface", inner.method(), ".value"},
		{"value-expression", methodExpr(value{}), ".value"},
		{"pointer", p.method(), ".pointer"},
		{"pointer-closure", p.closure(), ".pointer"},
		{"pointer-deferred", p.deferred(), ".pointer"},
		{"pointer-goroutine", <-out, ".pointer"},
		{"pointer-range", p.ranged(), ".pointer"},
		{"pointer-method-value", methodValue(), ".pointer"},
		{"generic", generic[int]{}.method(), ".generic"},
		{"generic-pointer", (&generic[struct{ A int }]{}).pointerMethod(), ".generic"},
		{"generic-closure", (&generic[[]string]{}).pointerClosure(), ".generic"},
		{"function", function(), ""},
		{"closure", closure(), ""},
		{"generic-function", genericFunction[map[string]int](), ""},
		{"generic-function-closure", genericClosure[int](), ""},
		{"variable", variable, ""},
		{"variable-function", variableFunc(), ""},
		{"init", fromInit[0], ""},
		{"init-closure", fromInit[1], ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.got != pkg+tt.want {
				t.Errorf("namespace is %s, want %s", tt.got, pkg+tt.want)
			}
		})
	}
}
