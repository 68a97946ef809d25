package spile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/spilelog/spile/event"
)

// ErrClosed is what a backend answers after its Close.
var ErrClosed = errors.New("backend is closed")

// Handler is a [slog.Handler] that gives each record to those of its backends that take it. Handlers derived by
// WithAttrs and WithGroup share the backends, whenever those were added.
type Handler struct {
	core *core
	// carry is what the logger carries: its namespace, attributes and open groups. It never changes.
	carry carry
	// verdict is what the current routes say to all that is carried, if that makes a difference.
	verdict atomic.Pointer[verdict]
	// begun is what the records begin with, and records how many there were before that was known; see prefix.
	begun   atomic.Pointer[event.Prefix]
	records atomic.Uint32
}

// New returns a handler with the given backends, called in this order. It panics if two of them have one name, which is
// a mistake in the program; [Handler.Add] returns that as an error.
func New(backends ...Backend) *Handler {
	return &Handler{core: newCore(backends)}
}

// Enabled says whether some backend might take a record of this level. Attributes and caller are not known yet, so it
// goes by the lowest level that could count; [Handler.Handle] decides exactly.
func (h *Handler) Enabled(_ context.Context, level slog.Level) bool {
	if int64(level) < h.core.threshold.Load() {
		return false
	}
	return h.wanted(event.Level(level))
}

// wanted is the second question: whether the backends want the level from this very logger.
func (h *Handler) wanted(level event.Level) bool {
	r := h.core.routes.Load()
	carried, place := &h.carry, &h.verdict
	if !r.tells(carried) {
		carried, place = &carry{}, &r.general
	}
	// Every change of a backend's settings is followed by new routes, so a verdict on the same routes is up to date.
	v := place.Load()
	if v == nil || v.routes != r {
		v = r.judge(carried)
		place.Store(v)
	}
	return v.takes(level)
}

// Handle gives r to every backend that takes it. The error joins what the backends answered.
func (h *Handler) Handle(ctx context.Context, r slog.Record) error {
	routes := h.core.routes.Load()
	namespace := ""
	if routes.bound {
		namespace = h.namespace(&r)
	}
	var rec *record
	var errs []error
	for _, b := range routes.backends {
		if !routes.take(b.Settings(), r.Level, namespace) {
			continue
		}
		if rec == nil {
			rec = h.core.newRecord()
			rec.fill(ctx, &h.carry, &r)
			rec.event.Prefix = h.prefix()
			if rec.event.Source == "" {
				rec.event.Source = h.core.sites.Lookup(r.PC).Namespace
			}
		}
		if err := h.log(ctx, b, &rec.event); err != nil {
			errs = append(errs, err)
		}
	}
	if rec != nil {
		rec.free()
	}
	return errors.Join(errs...)
}

// firstRecords is after how many records of a logger it is looked at what they have in common. That costs as much as it
// spares in some six more, and loggers that are made for one request often make fewer.
const firstRecords = 8

// prefix is what the records of the logger begin with, nil for the first ones.
func (h *Handler) prefix() *event.Prefix {
	p := h.begun.Load()
	if p != nil || len(h.carry.levels) == 0 || h.records.Add(1) <= firstRecords {
		return p
	}
	h.begun.CompareAndSwap(nil, event.NewPrefix(h.carry.levels[0].known()))
	return h.begun.Load()
}

// namespace is what the call says, else what the logger carries, else the package and type of the caller. It goes
// through the attributes, which is spared where no backend has bindings.
func (h *Handler) namespace(r *slog.Record) string {
	name := h.carry.namespace
	r.Attrs(func(a slog.Attr) bool {
		if given, ok := namespaceOf(&a); ok {
			name = given
		}
		return true
	})
	if name == "" {
		name = h.core.sites.Lookup(r.PC).Namespace
	}
	return name
}

// log gives e to one backend, makes a panic an error, and counts and reports it.
func (h *Handler) log(ctx context.Context, b Backend, e *event.Event) error {
	err := logGuarded(ctx, b, e)
	if err == nil {
		return nil
	}
	base := b.Settings()
	base.failed.Add(1)
	name := base.Name()
	err = errorOf("log to "+name, err)
	if report := h.core.onError.Load(); report != nil {
		return errors.Join(err, tell(*report, name, err))
	}
	return err
}

// logGuarded makes a panic of b an error.
func logGuarded(ctx context.Context, b Backend, e *event.Event) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = errorOf("panic", p)
		}
	}()
	return b.Log(ctx, e)
}

// errorOf is an error of what failed and why, which is an error or what somebody panicked with. Both come from
// elsewhere, and their methods may panic when they are asked for a text.
func errorOf(what string, why any) (err error) {
	defer func() {
		if recover() != nil {
			err = fmt.Errorf("%s: a %T without a text", what, why)
		}
	}()
	if cause, ok := why.(error); ok {
		return fmt.Errorf("%s: %w", what, cause)
	}
	return fmt.Errorf("%s: %v", what, why)
}

// tell calls report, and makes a panic of it an error.
func tell(report func(backend string, err error), name string, lost error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = errorOf("report a lost record: panic", p)
		}
	}()
	report(name, lost)
	return nil
}

// WithAttrs returns a handler whose records carry attrs too.
func (h *Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	if len(attrs) == 0 {
		return h
	}
	return &Handler{core: h.core, carry: h.carry.withAttrs(attrs)}
}

// WithGroup returns a handler whose further attributes are in a group; an empty name changes nothing.
func (h *Handler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	return &Handler{core: h.core, carry: h.carry.withGroup(name)}
}

// Add makes b the last of the backends, for all derived handlers. The error says that its name is in use.
func (h *Handler) Add(b Backend) error { return h.core.add(b) }

// Remove takes the backend of that name away and returns it, so that the caller may close it; nil if there is none,
// which changes nothing.
func (h *Handler) Remove(name string) Backend { return h.core.remove(name) }

// Rename changes the name of a backend, in each handler that has it. The error says that there is none of that name or
// that the new one is in use in this handler.
func (h *Handler) Rename(from, to string) error { return h.core.rename(from, to) }

// Backend is the backend of that name, nil if there is none.
func (h *Handler) Backend(name string) Backend {
	r := h.core.routes.Load()
	if i := r.find(name); i >= 0 {
		return r.backends[i]
	}
	return nil
}

// Backends lists the backends in the order in which they are called. The caller owns the list.
func (h *Handler) Backends() []Backend {
	return append([]Backend(nil), h.core.routes.Load().backends...)
}

// OnError makes report the one that is told of each record that a backend lost, in the goroutine that logged it; nil
// ends that. slog itself drops such errors. Report must not log to this handler.
func (h *Handler) OnError(report func(backend string, err error)) {
	if report == nil {
		h.core.onError.Store(nil)
		return
	}
	h.core.onError.Store(&report)
}

// Flush flushes every backend. One that fails or panics does not stop the others; the errors are joined.
func (h *Handler) Flush(ctx context.Context) error {
	return h.each("flush", func(b Backend) error { return b.Flush(ctx) })
}

// Close closes every backend. One that fails or panics does not stop the others; the errors are joined. The backends
// stay in place and answer further records with [ErrClosed].
func (h *Handler) Close(ctx context.Context) error {
	return h.each("close", func(b Backend) error { return b.Close(ctx) })
}

// each does something with every backend.
func (h *Handler) each(verb string, do func(Backend) error) error {
	var errs []error
	for _, b := range h.core.routes.Load().backends {
		if err := guarded(b, do); err != nil {
			errs = append(errs, errorOf(verb+" backend "+b.Settings().Name(), err))
		}
	}
	return errors.Join(errs...)
}

// guarded makes a panic of do an error.
func guarded(b Backend, do func(Backend) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = errorOf("panic", p)
		}
	}()
	return do(b)
}
