// Package file reads log files where they are written: it follows globs through every kind of rotation, and gives each
// reader whole lines from positions of its own.
//
// Polling is the truth and inotify only a wake-up. A generation is one life of one file, from its creation or
// truncation to its rotation; what readers hold are generations, so a file that is renamed, deleted, copied and
// truncated or overwritten is read to its end wherever its bytes still exist, and what exists nowhere is told as a gap.
//
// How much a truncation destroyed is known where the writer does not append: the hole that it leaves is as long as all
// that it wrote. What of that was not read, in the file or in its copy, is a gap of exact size, if there is any. Where
// the writer appends, what was seen and not read is of exact size too, but what was written after the last look, or
// after the copy, leaves no trace, neither in times nor in events nor in what follows: the gap is then of at least the
// bytes that were seen and not read, which may be none. Only where the file was quiet before it was copied or cut for
// so long that a line in the moment before the cut is unlikely, there is no gap but for them.
//
// What nobody can know is not told: a file that is made and deleted before it can be opened, which takes a wake-up by
// inotify, or one poll without; after a death, lives whose beginnings, sizes and times are the same. A file system
// that keeps no times of birth cannot tell a reused inode of a file that was empty at the death.
//
// There may be very many files. Of those that have names only so many are open at once (Options.MaxOpen), and what is
// kept of a quiet one is small. A file that was closed is found again by its identity: under its name, or in its folder
// under whatever name it was rotated to. Where that cannot be, what may have been written since the last look is told
// as a gap of unknown size, unless the events of its folder show that nothing was. A file of which a descriptor is held
// is read to its end whatever becomes of its name.
//
// History lies in the live files and in their rotated siblings, compressed ones (gzip and zstd) included. A reader
// opens at its beginning all that its history may need, so that no later rotation takes anything away or brings it
// twice. A compressed file is unpacked as a stream, never as a whole: an open one needs its window (at most 8 MiB for
// zstd, 32 KiB for gzip) and 256 KiB, all of a reader together 12 MiB or one file. One that unpacks to more than 200
// bytes for each of its own (after 16 MiB), or to more than 8 GiB, is read no further, and that is a gap.
package file

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/spilelog/spile/agent/source"
	"github.com/spilelog/spile/wire"
)

// Spec is one glob and the name of what it finds.
type Spec struct {
	// Source is the name of the source; empty derives it for each file from its base name without ".log".
	Source string
	// Glob is an absolute path in the syntax of doublestar v4.
	Glob string
}

// Options says what a [Set] reads. The zero value of all but Specs is the default.
type Options struct {
	Specs []Spec
	// Poll is the period of polling, 250 ms by default. A file that was written lately is looked at in each period, a
	// quiet one after an eighth of the time for which it was quiet, up to 40 periods (10 s). Where inotify works a write
	// is noticed at once all the same. The period stretches by itself where the looks take more than a twentieth of it.
	Poll time.Duration
	// RotateWait is how long a rotated file must be quiet before it counts as finished, 5 s by default.
	RotateWait time.Duration
	// MaxOpen is how many files that have a name are held open at once. The others are opened when they are needed: when
	// they were written, or when somebody reads them. The default is half of the process's limit, 1,000 at most.
	MaxOpen int
	// Log takes the set's own events; nil discards them.
	Log *slog.Logger
}

const (
	defaultPoll       = 250 * time.Millisecond
	defaultRotateWait = 5 * time.Second
)

// errNotRunning is what Open and ReadRange return while Run does not run.
var errNotRunning = errors.New("file source is not running")

// Set is the files that the globs of its options find. It implements [source.Source].
type Set struct {
	globs      []*glob
	poll       time.Duration
	rotateWait time.Duration
	log        *slog.Logger
	changed    chan struct{} // capacity one, never closed
	ready      chan struct{} // closed by Run when it has taken stock
	buffers    sync.Pool     // of *[]byte with blockSize and more
	limits     limits        // of each compressed file
	narrow     int           // as the constant of that name
	replay     replay
	// openFiles are the open files; its lock is taken last.
	openFiles *openFiles
	catches   catches

	// mu guards everything below, the tracker's fields of generations included.
	mu       sync.Mutex
	running  bool
	first    bool // the first scan goes on: what it finds was there before
	started  time.Time
	watcher  *fsnotify.Watcher
	tracks   map[string]*track
	links    map[string]*track // by the file that a linked path leads to
	folders  map[string]*folder
	draining map[*generation]struct{}
	// seeking are those of them that were closed when they lost their names, and were not found by another one yet, and
	// since when they are sought.
	seeking map[*generation]time.Time
	// doubtful are those that wait for their next life to tell what of them is lost, and since when.
	doubtful map[*generation]time.Time
	// held are the generations that are followed or drained, by identity; further ones of an identity follow in twin.
	held    map[fileID]*generation
	readers map[*reader]struct{}
	lastID  uint64
	sums    map[string]*sum // by source
	recount bool            // Sources may tell something new
	told    []wire.Source   // as Sources told it last
	// tick counts the turns of polling; looks and visits say in which of them tracks and folders are due.
	tick   uint32
	looks  agenda[*track]
	visits agenda[*folder]
	missed uint32    // the last tick in which events were lost
	found  []*folder // to be searched, but not listed yet
	// listBuffer and scratch are for the listing of folders.
	listBuffer, scratch []byte
	// unseen and live are generations, retained, that the readers have not been told of yet, grown those that have
	// more, rotated the folders to be looked at again; all are empty between passes.
	unseen, live, grown []*generation
	rotated             map[string]bool
}

var _ source.Source = (*Set)(nil)

// New checks the options and makes a set. It starts nothing and touches no file.
func New(o Options) (*Set, error) {
	s := &Set{
		poll:       o.Poll,
		rotateWait: o.RotateWait,
		log:        o.Log,
		changed:    make(chan struct{}, 1),
		ready:      make(chan struct{}),
		tracks:     map[string]*track{},
		links:      map[string]*track{},
		rotated:    map[string]bool{},
		folders:    map[string]*folder{},
		draining:   map[*generation]struct{}{},
		readers:    map[*reader]struct{}{},
		seeking:    map[*generation]time.Time{},
		doubtful:   map[*generation]time.Time{},
		held:       map[fileID]*generation{},
		sums:       map[string]*sum{},
		recount:    true,
		narrow:     narrow,
		limits:     unpackLimits,
	}
	if o.MaxOpen <= 0 {
		o.MaxOpen = openLimit()
	}
	s.openFiles = newDescriptors(o.MaxOpen, s.openFile)
	if s.poll <= 0 {
		s.poll = defaultPoll
	}
	if s.rotateWait <= 0 {
		s.rotateWait = defaultRotateWait
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if len(o.Specs) == 0 {
		return nil, errors.New("check specs: at least one glob is needed")
	}
	for i, spec := range o.Specs {
		g, err := newGlob(spec)
		if err != nil {
			return nil, fmt.Errorf("check specs[%d]: %w", i, err)
		}
		s.globs = append(s.globs, g)
		if g.source != "" {
			s.sumLocked(g.source).named++
		}
	}
	return s, nil
}

// Open implements [source.Source]. It waits until Run has taken stock of what exists.
func (s *Set) Open(ctx context.Context, start source.Start) (source.Reader, error) {
	select {
	case <-ctx.Done():
		return nil, fmt.Errorf("open reader: %w", ctx.Err())
	case <-s.ready:
	}
	return s.open(ctx, start)
}

// Sources implements [source.Source]: sorted by name, and only sources that have a file or a problem.
func (s *Set) Sources() []wire.Source {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sourcesLocked()
}

// Changed implements [source.Source].
func (s *Set) Changed() <-chan struct{} { return s.changed }
