package file

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// entry is one name in a folder; it is valid until the next one is read.
type entry struct {
	name []byte
	ino  uint64
	mode fs.FileMode // the type alone, fs.ModeIrregular where the file system does not tell
}

// The layout of struct linux_dirent64.
const (
	direntLen  = 16
	direntType = 18
	direntName = 19
	// listBuffer is how much of a listing is read at a time.
	listBuffer = 64 << 10
)

// list reads the names in a folder, in no order and without allocating for them.
func list(dir string, buf []byte, do func(e entry)) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	for {
		n, err := unix.ReadDirent(int(f.Fd()), buf)
		if err == unix.EINTR {
			continue
		}
		if n <= 0 || err != nil {
			return err
		}
		for rest := buf[:n]; len(rest) > direntName; {
			size := int(binary.NativeEndian.Uint16(rest[direntLen:]))
			one := rest[:size]
			rest = rest[size:]
			name := one[direntName:]
			for i, c := range name {
				if c == 0 {
					name = name[:i]
					break
				}
			}
			if string(name) != "." && string(name) != ".." {
				do(entry{name: name, ino: binary.NativeEndian.Uint64(one), mode: entryMode(one[direntType])})
			}
		}
	}
}

func entryMode(t byte) fs.FileMode {
	switch t {
	case unix.DT_REG:
		return 0
	case unix.DT_DIR:
		return fs.ModeDir
	case unix.DT_LNK:
		return fs.ModeSymlink
	case unix.DT_FIFO:
		return fs.ModeNamedPipe
	case unix.DT_SOCK:
		return fs.ModeSocket
	case unix.DT_UNKNOWN:
		return fs.ModeIrregular
	}
	return fs.ModeDevice
}

// namesLocked goes through the names in a folder: what is followed and what may be, siblings, and folders to search. It
// is false where the folder cannot be listed.
func (s *Set) namesLocked(f *folder) bool {
	f.round++
	if s.listBuffer == nil {
		s.listBuffer = make([]byte, listBuffer)
	}
	path := append([]byte(f.dir), '/')
	if f.dir == "/" {
		path = path[:1]
	}
	dir := len(path)
	for known := -1; known < len(f.tracks); { // once more where a sibling may come before what it is a sibling of
		known = len(f.tracks)
		err := list(f.dir, s.listBuffer, func(e entry) {
			path = append(path[:dir], e.name...)
			s.entryLocked(f, path, e)
		})
		if err != nil {
			f.again = !errors.Is(err, fs.ErrNotExist)
			return false
		}
	}
	for _, t := range f.tracks {
		if t.listed != f.round && t.gen != nil {
			f.differ = append(f.differ, t)
		}
	}
	return true
}

// entryLocked goes over one name.
func (s *Set) entryLocked(f *folder, path []byte, e entry) {
	t := s.tracks[string(path)]
	sibling := s.kinLocked(path) != nil && !isPacked(path)
	if t == nil && (f.search || sibling || len(s.seeking) > 0) {
		t = s.strangerLocked(f, string(path), &e)
	}
	if t != nil {
		if t.entry != e.ino || t.gen == nil {
			t.entry = e.ino
			f.differ = append(f.differ, t)
		}
		t.listed = f.round
	}
	if sibling && (e.mode.IsRegular() || e.mode == fs.ModeIrregular) {
		name := string(path)
		if info, err := os.Lstat(name); err == nil && info.Mode().IsRegular() {
			s.siblingLocked(f, name, info)
		}
	}
}

// strangerLocked goes over a name that is not followed, and returns the track where it is from now on.
func (s *Set) strangerLocked(f *folder, name string, e *entry) (t *track) {
	if e.mode == fs.ModeIrregular {
		e.mode = modeOf(name)
	}
	if f.search {
		if g := s.globFor(name); g != nil {
			t = s.admitLocked(g, name)
		}
		if e.mode == fs.ModeDir {
			s.descendLocked(name, e.mode)
		}
	}
	if len(s.seeking) > 0 && e.mode.IsRegular() {
		s.foundLocked(fileID{f.dev, e.ino}, name)
	}
	return t
}

func modeOf(path string) fs.FileMode {
	st, err := lookAt(path)
	if err != nil {
		return fs.ModeIrregular
	}
	return st.mode
}

// descendLocked searches a folder that was found, if a glob leads into it.
func (s *Set) descendLocked(dir string, mode fs.FileMode) {
	if f := s.folders[dir]; f != nil && f.search {
		return
	}
	for i := range s.globs {
		if !s.globs[i].leads(dir) {
			continue
		}
		if mode == fs.ModeIrregular {
			mode = modeOf(dir)
		}
		if mode == fs.ModeDir {
			f := s.folderLocked(dir)
			f.search = true
			s.watchLocked(dir)
			s.found = append(s.found, f)
		}
		return
	}
}

// foundLocked gives a file that is sought its name.
func (s *Set) foundLocked(id fileID, path string) {
	for g := s.held[id]; g != nil; g = g.twin() {
		if _, ok := s.seeking[g]; ok {
			g.handle.Load().f.name(path, id, g.born)
		}
	}
}
