package file

import (
	"errors"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/spilelog/spile/agent/source"
)

// knownSince is when a resumed reader knew all files, 0 where that is not told or where it has positions, which tell
// more: what was written later, under a path of which it has none, appeared since. Files are stamped by a coarse clock.
func (r *reader) knownSince(positions []source.Position) int64 {
	if r.start.Known.IsZero() || len(positions) > 0 {
		return 0
	}
	return r.start.Known.Add(-dirSlack).UnixNano()
}

// appeared says whether a file that was last written at mtime and made at born, 0 where the file system does not say,
// appeared since a time. Somebody may still write to one that was there before.
func appeared(since, mtime, born int64) bool { return mtime > since && (born == 0 || born > since) }

// appearedLocked follows the paths whose files appeared since a time and were all rotated away before this process
// looked: nothing but their siblings tells of them.
func (s *Set) appearedLocked(since int64) {
	if s.listBuffer == nil {
		s.listBuffer = make([]byte, listBuffer)
	}
	found := map[string]*glob{}
	for dir, f := range s.folders {
		if !f.search {
			continue
		}
		path := append([]byte(dir), '/')
		prefix := len(path)
		_ = list(dir, s.listBuffer, func(e entry) { // what cannot be listed is told by whoever follows it
			path = append(path[:prefix], e.name...)
			if s.tracks[string(path)] != nil || s.kinLocked(path) != nil || !e.mode.IsRegular() && e.mode != fs.ModeIrregular {
				return
			}
			base, g := s.rotatedFrom(string(path))
			if g == nil || found[base] != nil {
				return
			}
			if st, err := lookAt(string(path)); err == nil && appeared(since, st.mtime, st.born) {
				found[base] = g
			}
		})
	}
	for base, g := range found {
		if s.tracks[base] == nil {
			s.missingTrackLocked(base, g)
		}
	}
}

// rotatedFrom is the path that a file may be rotated away from, and the glob that allows it; nil where none does.
func (s *Set) rotatedFrom(path string) (string, *glob) {
	stem, _ := formatOf(path)
	for _, base := range bases(stem) {
		if g := s.globFor(base); g != nil {
			return base, g
		}
	}
	return "", nil
}

// missingTrackLocked follows a path that leads nowhere now.
func (s *Set) missingTrackLocked(path string, g *glob) {
	t := s.newTrackLocked(path, g.name(path))
	t.missing(time.Now())
	_, _, err := s.resolve(path)
	t.denied = errors.Is(err, fs.ErrPermission)
	s.knowLocked(t)
}

// knowLocked collects the siblings of a path that nobody followed before: what is there is not new.
func (s *Set) knowLocked(t *track) {
	f := s.folderLocked(filepath.Dir(t.path))
	s.collectLocked(f)
	for _, b := range f.siblings {
		if s.familyLocked(b.path) == t {
			b.fresh = false
			b.close()
		}
	}
}
