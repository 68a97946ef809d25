package tap

import (
	"log/slog"
	"slices"
	"sync"
)

// Dial is a level outside the handler that can be read and set: of another logger, or of the program's own. Levels it
// does not know are taken as near ones; but what Level gives, SetLevel must be able to put back. Both may be called by
// any goroutine.
type Dial interface {
	Level() slog.Level
	SetLevel(level slog.Level)
}

// LevelVar is a [slog.LevelVar] as a [Dial].
func LevelVar(v *slog.LevelVar) Dial { return levelVar{v} }

// levelVar gives a slog.LevelVar the names of a Dial.
type levelVar struct{ *slog.LevelVar }

// SetLevel sets the level.
func (v levelVar) SetLevel(level slog.Level) { v.Set(level) }

// Leaser lowers a [Dial] while somebody needs it lower than the operator has it. The dial is at the lower of the
// operator's level and the lowest lease, and at the operator's when there is no lease.
//
// An operator who turns the dial itself is noticed when the next lease begins or ends: what it was turned to is then
// the operator's level. [Leaser.SetLevel] takes effect at once, and also where it is the very level that a lease has
// set.
type Leaser struct {
	dial Dial

	// mu guards what follows, and every call of the dial.
	mu     sync.Mutex
	leases []*slog.Level
	// base is the operator's level as far as it is known, set what the dial showed after the leaser set it; both only
	// while there are leases.
	base, set slog.Level
}

// NewLeaser returns a leaser for d. There should be one for each dial.
func NewLeaser(d Dial) *Leaser { return &Leaser{dial: d} }

// Lease asks for the level until release is called, once or more. Several leases may be open at once.
func (l *Leaser) Lease(level slog.Level) (release func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.noticeLocked()
	lease := &level
	l.leases = append(l.leases, lease)
	l.turnLocked()
	return func() { l.release(lease) }
}

// release ends a lease; a second time it does nothing.
func (l *Leaser) release(lease *slog.Level) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.Index(l.leases, lease)
	if i < 0 {
		return
	}
	l.noticeLocked()
	l.leases = slices.Delete(l.leases, i, i+1)
	l.turnLocked()
}

// SetLevel is how an operator sets the level: it is the dial's whenever no lease is lower.
func (l *Leaser) SetLevel(level slog.Level) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.base = level
	if len(l.leases) == 0 {
		l.dial.SetLevel(level)
		return
	}
	l.turnLocked()
}

// Level is the operator's level: what the dial is at when there is no lease.
func (l *Leaser) Level() slog.Level {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.noticeLocked()
	return l.base
}

// noticeLocked takes over what the operator has turned the dial to.
func (l *Leaser) noticeLocked() {
	if level := l.dial.Level(); len(l.leases) == 0 || level != l.set {
		l.base, l.set = level, level
	}
}

// turnLocked turns the dial to where base and leases want it. What it shows then is remembered rather than what was
// asked for, since a dial may know fewer levels.
func (l *Leaser) turnLocked() {
	want := l.base
	for _, lease := range l.leases {
		want = min(want, *lease)
	}
	if want != l.dial.Level() {
		l.dial.SetLevel(want)
	}
	l.set = l.dial.Level()
}
