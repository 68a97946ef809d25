package tap

import (
	"context"
	"log/slog"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/spilelog/spile"
	"github.com/spilelog/spile/event"
)

// anyLevel is one of the nine levels.
func anyLevel(t *rapid.T) slog.Level {
	return slog.Level(event.LevelAt(rapid.IntRange(0, event.NumLevels-1).Draw(t, "level")))
}

// openStream is a stream of the model.
type openStream struct {
	*visit
	level slog.Level
	// lease is the stream itself, to end it as its timers do.
	lease *stream
}

// TestLevelsUnderAnyInterleaving opens, closes and expires streams while an operator changes levels, in any order: the
// threshold is always the lowest of backends and streams, the level outside that of the operator or a lower lease, and
// in the end everything is where the operator put it last.
func TestLevelsUnderAnyInterleaving(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		outside := &slog.LevelVar{}
		leaser := NewLeaser(LevelVar(outside))
		r := newRig(t, Options{Lower: []*Leaser{leaser}, MaxDuration: time.Hour})
		second := newCounter("second", spile.LevelOff)
		if err := r.handler.Add(second); err != nil {
			rt.Fatal(err)
		}
		operator := map[*counter]slog.Level{r.console: slog.LevelInfo, second: spile.LevelOff}
		dial := slog.LevelInfo
		var open []openStream
		end := func(why ending) {
			if len(open) == 0 {
				return
			}
			i := rapid.IntRange(0, len(open)-1).Draw(rt, "stream")
			s := open[i]
			open = append(open[:i], open[i+1:]...)
			if why == endGone {
				s.leave()
				return
			}
			r.tap.end(s.lease, why)
			r.tap.end(s.lease, endGone) // Twice is once.
			<-s.done
		}
		rt.Repeat(map[string]func(*rapid.T){
			"open": func(*rapid.T) {
				level := anyLevel(rt)
				v := r.watchAt(t, query("level", event.Level(level).String()))
				open = append(open, openStream{v, level, r.tap.open[len(r.tap.open)-1]})
			},
			"close":  func(*rapid.T) { end(endGone) },
			"expire": func(*rapid.T) { end(endTimeout) },
			"cut":    func(*rapid.T) { end(endSlow) },
			"operator-sets-backend": func(*rapid.T) {
				for _, b := range []*counter{r.console, second} {
					operator[b] = anyLevel(rt)
					b.SetLevel(operator[b])
				}
			},
			"operator-sets-dial": func(*rapid.T) {
				dial = anyLevel(rt)
				leaser.SetLevel(dial)
			},
			"operator-turns-dial": func(*rapid.T) {
				// Turned to where it already is, a dial shows nothing to be noticed.
				if level := anyLevel(rt); level != outside.Level() {
					dial = level
					outside.Set(level)
					leaser.Lease(math.MaxInt)()
				}
			},
			"": func(rt *rapid.T) {
				want := min(operator[r.console], operator[second])
				lowest := dial
				for _, s := range open {
					want, lowest = min(want, s.level), min(lowest, s.level)
				}
				if got := r.lowest(); got != want {
					rt.Fatalf("threshold %v, want %v", got, want)
				}
				if outside.Level() != lowest || leaser.Level() != dial {
					rt.Fatalf("outside %v of operator's %v, want %v of %v", outside.Level(), leaser.Level(), lowest, dial)
				}
			},
		})
		for len(open) > 0 {
			end(endGone)
		}
		if got, want := r.lowest(), min(operator[r.console], operator[second]); got != want || outside.Level() != dial {
			rt.Fatalf("all closed: threshold %v, want %v; outside %v, want %v", got, want, outside.Level(), dial)
		}
		if err := r.tap.Close(context.Background()); err != nil {
			rt.Fatal(err)
		}
	})
}

// coarse is a dial that knows two levels.
type coarse struct{ verbose bool }

func (c *coarse) Level() slog.Level {
	if c.verbose {
		return slog.LevelDebug
	}
	return slog.LevelInfo
}

func (c *coarse) SetLevel(l slog.Level) { c.verbose = l < slog.LevelInfo }

func TestLeaserWithCoarseDial(t *testing.T) {
	c := &coarse{}
	l := NewLeaser(c)
	first := l.Lease(slog.Level(event.Trace))
	second := l.Lease(slog.LevelError)
	if !c.verbose || l.Level() != slog.LevelInfo {
		t.Errorf("leased: verbose %v, operator's %v", c.verbose, l.Level())
	}
	first()
	first()
	if c.verbose {
		t.Error("a lease that ended still counts")
	}
	third := l.Lease(slog.LevelDebug)
	second()
	if !c.verbose {
		t.Error("ending one lease ended another")
	}
	third()
	if c.verbose || l.Level() != slog.LevelInfo {
		t.Errorf("all ended: verbose %v, operator's %v", c.verbose, l.Level())
	}
}

// TestCarriedScope checks that a logger pays nothing for streams that its attributes rule out, whenever those opened.
func TestCarriedScope(t *testing.T) {
	r := newRig(t, Options{Metadata: []string{"uuid", "req"}})
	var asked int
	enabled := func(l *slog.Logger) bool {
		asked++
		return l.Enabled(context.Background(), slog.LevelDebug)
	}
	with41, with42 := r.logger.With("uuid", 41), r.logger.With("uuid", 42)
	grouped := r.logger.WithGroup("req").With("id", 7).WithGroup("more")
	v := r.watchAt(t, query("scope", "uuid:42"))
	if enabled(with41) || !enabled(with42) || !enabled(r.logger) || !enabled(grouped) {
		t.Error("scope uuid:42 is not told from what is carried")
	}
	w := r.watchAt(t, query("scope", "req.id:8", "scope", "uuid:41"))
	if !enabled(with41) || enabled(with41.WithGroup("req").With("id", 7)) {
		t.Error("a scope that came later is not seen")
	}
	v.leave()
	if enabled(with42) || !enabled(with41) || enabled(grouped) {
		t.Error("a scope that went is still seen")
	}
	w.leave()
	if enabled(with41) || enabled(r.logger) || asked == 0 {
		t.Error("closed streams are still seen")
	}
	r.watchAt(t, query("scope", "uuid:x"))
	if !enabled(r.logger.With("uuid", bomb{})) {
		t.Error("a value that panics is decided before it is logged")
	}
}
