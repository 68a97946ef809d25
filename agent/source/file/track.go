package file

import (
	"errors"
	"io/fs"
	"path/filepath"
	"time"
)

// track is one path that a glob allows.
type track struct {
	path, source string
	folder       *folder
	gen          *generation // what the path names now, nil where nothing can be read
	plight       *plight     // nil where all is as usual
	entry        uint64      // the inode by the last listing, which need not be that of a look
	// changed is the tick of the last change, due that of the next look, looked that of the last one, listed the number
	// of the last listing that showed it, at its place in folder.tracks.
	changed, due, looked, listed, at uint32
	denied                           bool // problem is that the rights are missing
	written                          bool // an event told of a write since the last look
	counted, troubled                bool // what its sum knows
}

// plight is what is out of the usual with a path.
type plight struct {
	link    string // the file that the path led to at the last look, if it is a link
	problem string
	gone    time.Time // when the path was first found missing
}

// unusual returns the plight to be read.
func (t *track) unusual() plight {
	if t.plight == nil {
		return plight{}
	}
	return *t.plight
}

// suffer sets the plight.
func (t *track) suffer(p plight) {
	switch {
	case p == plight{}:
		t.plight = nil
	case t.plight == nil:
		t.plight = &p
	default:
		*t.plight = p
	}
}

// missing sets since when the path is missing; the zero time says that it is not.
func (t *track) missing(since time.Time) {
	p := t.unusual()
	p.gone = since
	t.suffer(p)
}

// ails sets what keeps the file from being read, nil where nothing does.
func (t *track) ails(err error) {
	p := t.unusual()
	p.problem = ""
	if err != nil {
		p.problem = err.Error()
	}
	t.denied = errors.Is(err, fs.ErrPermission)
	t.suffer(p)
}

// newTrackLocked follows a path from now on.
func (s *Set) newTrackLocked(path, source string) *track {
	f := s.folderLocked(filepath.Dir(path))
	t := &track{path: path, source: source, folder: f, at: uint32(len(f.tracks)), listed: f.round}
	f.tracks = append(f.tracks, t)
	s.tracks[path] = t
	s.tracedLocked(t)
	return t
}

// forgetLocked follows a path no longer.
func (s *Set) forgetLocked(t *track) {
	f := t.folder
	last := f.tracks[len(f.tracks)-1]
	f.tracks[t.at], last.at = last, t.at
	f.tracks[len(f.tracks)-1] = nil
	f.tracks = f.tracks[:len(f.tracks)-1]
	delete(s.tracks, t.path)
	delete(s.links, t.unusual().link)
	s.untracedLocked(t)
	t.due = 0
}
