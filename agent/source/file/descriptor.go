package file

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

const (
	// mostOpen bounds the openFiles of files that could be opened again by their names.
	mostOpen = 1000
	// descriptorShare is the part of the process's openFiles, one in so many, that these files may take. The rest is
	// for files that lost their names, for history, for copies in the making, and for everything else.
	descriptorShare = 2
	// maxReopens bounds how often one operation opens its file again because it was closed meanwhile.
	maxReopens = 16
)

var (
	// errShut is the error of a file that was closed for good.
	errShut = errors.New("file is closed")
	// errMoved is the error of a name that leads to another file by now.
	errMoved = errors.New("name leads to another file")
)

// openLimit is how many files a set keeps open by default.
func openLimit() int {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r); err != nil {
		return mostOpen / descriptorShare
	}
	return int(min(r.Cur/descriptorShare, mostOpen))
}

// contents is an open file, for reading only.
type contents interface {
	io.ReaderAt
	Stat() (fs.FileInfo, error)
}

// openFiles bounds the files that are open although their names lead to them: beyond the limit the one that was used
// least lately is closed, and opened again when it is needed.
type openFiles struct {
	limit int
	open  func(path string) (*os.File, fs.FileInfo, error)

	mu   sync.Mutex // guards the rest, and what a lazyFile says of itself
	ring lazyFile   // of the open files with names, from the one that was used least lately on
	n    int        // of them
	kept int        // of open files that lost their names
}

func newDescriptors(limit int, open func(string) (*os.File, fs.FileInfo, error)) *openFiles {
	d := &openFiles{limit: limit, open: open}
	d.ring.newer, d.ring.older = &d.ring, &d.ring
	return d
}

// lazyFile is a file that is followed. While it has a name it may be closed between two uses. All fields but owner and
// those that are set before it is shared are guarded by owner.mu.
type lazyFile struct {
	owner        *openFiles
	f            *os.File // nil while closed
	path         string   // its name; empty where it has none, and must stay open
	id           fileID
	born         int64
	kept         bool  // it counts in owner.kept
	shut         bool  // closed for good
	pins         int32 // uses that it must stay open for
	newer, older *lazyFile
}

// add makes a lazy file of an open one, which has no name yet.
func (d *openFiles) add(f *os.File) *lazyFile { return &lazyFile{owner: d, f: f} }

// pushLocked puts an open file where the one used last is.
func (d *openFiles) pushLocked(l *lazyFile) {
	l.older, l.newer = d.ring.older, &d.ring
	l.older.newer, d.ring.older = l, l
	d.n++
}

func (d *openFiles) dropLocked(l *lazyFile) {
	l.older.newer, l.newer.older = l.newer, l.older
	l.newer, l.older = nil, nil
	d.n--
}

// surplusLocked takes out the files that are beyond the limit. The caller closes them without the lock.
func (d *openFiles) surplusLocked() []*os.File {
	var out []*os.File
	for l := d.ring.newer; d.n > d.limit && l != &d.ring; {
		next := l.newer
		if l.pins == 0 {
			d.dropLocked(l)
			out = append(out, l.f)
			l.f = nil
		}
		l = next
	}
	return out
}

func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close() // opened for reading only: nothing can be lost by a failing close
	}
}

// name says by what name the file can be opened again. It may be closed from now on.
func (l *lazyFile) name(path string, id fileID, born int64) {
	d := l.owner
	d.mu.Lock()
	l.unkeepLocked()
	fresh := l.path == "" && l.f != nil && !l.shut
	l.path, l.id, l.born = path, id, born
	if fresh {
		d.pushLocked(l)
	}
	surplus := d.surplusLocked()
	d.mu.Unlock()
	closeAll(surplus)
}

// keep says that the name does not lead to the file any more: it stays open if it is. Otherwise keep is false.
func (l *lazyFile) keep() bool {
	d := l.owner
	d.mu.Lock()
	defer d.mu.Unlock()
	if l.f == nil {
		return false
	}
	if l.path != "" {
		d.dropLocked(l)
		l.path, l.kept = "", true
		d.kept++
	}
	return true
}

func (l *lazyFile) unkeepLocked() {
	if l.kept {
		l.kept = false
		l.owner.kept--
	}
}

// crowded says that many files without names are open.
func (d *openFiles) crowded() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.kept >= d.limit
}

// isOpen says whether the file is open now, so that nothing can take its identity.
func (l *lazyFile) isOpen() bool {
	l.owner.mu.Lock()
	defer l.owner.mu.Unlock()
	return l.f != nil
}

// pin opens the file if it is closed, and keeps it open until unpin.
func (l *lazyFile) pin() error {
	l.owner.mu.Lock()
	l.pins++
	l.owner.mu.Unlock()
	_, err := l.file()
	if err != nil {
		l.unpin()
	}
	return err
}

func (l *lazyFile) unpin() {
	d := l.owner
	d.mu.Lock()
	l.pins--
	surplus := d.surplusLocked()
	d.mu.Unlock()
	closeAll(surplus)
}

// file returns the open file; it may be closed at any time unless it is pinned.
func (l *lazyFile) file() (*os.File, error) {
	d := l.owner
	d.mu.Lock()
	if l.f != nil {
		if l.path != "" {
			d.dropLocked(l)
			d.pushLocked(l)
		}
		defer d.mu.Unlock()
		return l.f, nil
	}
	path, id, since := l.path, l.id, l.born
	shut := l.shut || path == ""
	d.mu.Unlock()
	if shut {
		return nil, errShut
	}
	f, info, err := d.open(path)
	if err != nil {
		return nil, err
	}
	dev, ino := identity(info)
	if id != (fileID{dev, ino}) || since != 0 && born(f) != since {
		_ = f.Close()
		return nil, errMoved
	}
	d.mu.Lock()
	var surplus []*os.File
	switch {
	case l.f != nil: // another one was faster
		surplus = append(surplus, f)
		f = l.f
	case l.shut:
		surplus = append(surplus, f)
		f, err = nil, errShut
	default:
		l.f = f
		l.pins++ // not this one
		d.pushLocked(l)
		surplus = d.surplusLocked()
		l.pins--
	}
	d.mu.Unlock()
	closeAll(surplus)
	return f, err
}

// with calls do with the open file, and again where it was closed meanwhile.
func (l *lazyFile) with(do func(f *os.File) error) error {
	var err error
	for range maxReopens {
		var f *os.File
		if f, err = l.file(); err != nil {
			return err
		}
		if err = do(f); !errors.Is(err, os.ErrClosed) {
			return err
		}
	}
	return err
}

// ReadAt implements io.ReaderAt.
func (l *lazyFile) ReadAt(p []byte, off int64) (n int, err error) {
	for range maxReopens {
		f, err := l.file()
		if err != nil {
			return 0, err
		}
		if n, err = f.ReadAt(p, off); !errors.Is(err, os.ErrClosed) {
			return n, err
		}
	}
	return 0, errShut
}

// Stat is that of the file, whatever its name is.
func (l *lazyFile) Stat() (info fs.FileInfo, err error) {
	err = l.with(func(f *os.File) error {
		info, err = f.Stat()
		return err
	})
	return info, err
}

// data is the offset of the first data at or after off, as far as the file system knows.
func (l *lazyFile) data(off int64) (next int64, err error) {
	err = l.with(func(f *os.File) error {
		raw, err := f.SyscallConn()
		if err != nil {
			return err
		}
		var failed error
		if err := raw.Control(func(fd uintptr) { next, failed = unix.Seek(int(fd), off, unix.SEEK_DATA) }); err != nil {
			return err
		}
		return failed
	})
	return next, err
}

// close closes the file for good.
func (l *lazyFile) close() {
	d := l.owner
	d.mu.Lock()
	f := l.f
	if f != nil && l.path != "" {
		d.dropLocked(l)
	}
	l.unkeepLocked()
	l.f, l.shut = nil, true
	d.mu.Unlock()
	if f != nil {
		closeAll([]*os.File{f})
	}
}
