// Package shop is a small web shop that does nothing but write logs as a real one would: nginx access and error
// logs rotated by rename, an application's JSON log rotated by copying and truncating, and a worker's logfmt log. It
// gives the demonstration files to read whose texts, levels and rotations are those of production.
package shop

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"
)

// Defaults of [Config].
const (
	defaultMaxBytes = 256 << 10
	defaultPace     = 150 * time.Millisecond
)

// Config says where and how fast the shop writes. The zero value of each field but Dir is its default.
type Config struct {
	// Dir is the folder of the logs; it must exist.
	Dir string
	// MaxBytes is the size at which a file is rotated; 0 means 256 KiB.
	MaxBytes int64
	// Pace is the mean time between two visitors, each of whom causes one to four lines; 0 means 150 ms.
	Pace time.Duration
	// Seed makes the order of events repeatable; 0 means another one each time.
	Seed uint64
}

// Source is one log of the shop as an agent reads it.
type Source struct {
	// Name is the name of the source, Glob the files that belong to it.
	Name, Glob string
}

// Sources lists the logs that a shop in dir writes.
func Sources(dir string) []Source {
	return []Source{
		{Name: "nginx", Glob: filepath.Join(dir, "nginx", "*.log")},
		{Name: "orders", Glob: filepath.Join(dir, "orders", "orders.log")},
		{Name: "worker", Glob: filepath.Join(dir, "worker", "worker.log")},
	}
}

// Shop writes the logs. It is used by one goroutine.
type Shop struct {
	cfg    Config
	rng    *rand.Rand
	access *logFile
	fault  *logFile
	files  []*logFile
	orders *slog.Logger
	worker *slog.Logger
	// visits numbers the visitors, for the connection and order numbers in the lines.
	visits int
}

// New makes a shop and opens its files. The caller closes it.
func New(cfg Config) (*Shop, error) {
	if cfg.MaxBytes == 0 {
		cfg.MaxBytes = defaultMaxBytes
	}
	if cfg.Pace == 0 {
		cfg.Pace = defaultPace
	}
	if cfg.Seed == 0 {
		cfg.Seed = rand.Uint64()
	}
	s := &Shop{cfg: cfg, rng: rand.New(rand.NewPCG(cfg.Seed, 1))}
	if err := s.open(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// open opens the four files.
func (s *Shop) open() error {
	var made [4]*logFile
	for i, row := range []struct {
		path   string
		rotate rotation
	}{
		{"nginx/access.log", byRename},
		{"nginx/error.log", byRename},
		{"orders/orders.log", byCopy},
		{"worker/worker.log", byRename},
	} {
		path := filepath.Join(s.cfg.Dir, filepath.FromSlash(row.path))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("make log folder: %w", err)
		}
		f, err := openLog(path, s.cfg.MaxBytes, row.rotate)
		if err != nil {
			return err
		}
		made[i] = f
		s.files = append(s.files, f)
	}
	s.access, s.fault = made[0], made[1]
	s.orders = slog.New(slog.NewJSONHandler(made[2], &slog.HandlerOptions{Level: slog.LevelDebug}))
	s.worker = slog.New(slog.NewTextHandler(made[3], &slog.HandlerOptions{Level: slog.LevelDebug}))
	return nil
}

// Run writes until ctx ends, and returns nil then; an error is one of writing.
func (s *Shop) Run(ctx context.Context) error {
	for {
		if err := s.Visit(ctx, time.Now()); err != nil {
			return err
		}
		// A pause between half and one and a half of the pace, so that the lines do not tick like a clock.
		pause := time.NewTimer(s.cfg.Pace/2 + rand.N(s.cfg.Pace))
		select {
		case <-ctx.Done():
			pause.Stop()
			return nil
		case <-pause.C:
		}
	}
}

// Visit writes the lines of one visitor at the given time.
func (s *Shop) Visit(ctx context.Context, now time.Time) error {
	s.visits++
	v := newVisit(s.rng, s.visits, now)
	if _, err := s.access.Write(v.accessLine()); err != nil {
		return err
	}
	if line := v.errorLine(); line != nil {
		if _, err := s.fault.Write(line); err != nil {
			return err
		}
	}
	s.logOrder(ctx, v)
	s.logWork(ctx, v)
	return s.failure()
}

// failure is the first error of a write through a logger, which drops it.
func (s *Shop) failure() error {
	for _, f := range s.files {
		if f.err != nil {
			return f.err
		}
	}
	return nil
}

// Close closes the files; a second call does nothing.
func (s *Shop) Close() error {
	var errs []error
	for _, f := range s.files {
		errs = append(errs, f.close())
	}
	s.files = nil
	return errors.Join(errs...)
}
