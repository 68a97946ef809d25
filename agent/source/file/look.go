package file

import (
	"errors"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// status is what a name leads to.
type status struct {
	id    fileID
	mode  fs.FileMode // the type alone
	size  int64
	mtime int64 // in nanoseconds of Unix time
	born  int64 // likewise; 0 where the file system does not say
}

// lookAt looks at a name without following a link.
func lookAt(path string) (status, error) {
	var st unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, path, unix.AT_SYMLINK_NOFOLLOW, unix.STATX_BASIC_STATS|unix.STATX_BTIME, &st)
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) { // an old kernel, or a filter that knows no statx
		return lookOld(path)
	}
	if err != nil {
		return status{}, &fs.PathError{Op: "look at", Path: path, Err: err}
	}
	out := status{
		id:    fileID{unix.Mkdev(st.Dev_major, st.Dev_minor), st.Ino},
		mode:  entryMode(byte(st.Mode >> modeShift & modeMask)),
		size:  int64(st.Size),
		mtime: st.Mtime.Sec*int64(time.Second) + int64(st.Mtime.Nsec),
	}
	if st.Mask&unix.STATX_BTIME != 0 {
		out.born = st.Btime.Sec*int64(time.Second) + int64(st.Btime.Nsec)
	}
	return out, nil
}

// The type in st_mode is the one in a listing, shifted.
const (
	modeShift = 12
	modeMask  = 0xf
)

func lookOld(path string) (status, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return status{}, err
	}
	dev, ino := identity(info)
	return status{
		id: fileID{dev, ino}, mode: info.Mode().Type(), size: info.Size(), mtime: info.ModTime().UnixNano(),
	}, nil
}

// is says whether a look shows the file that a generation is of.
func (st *status) is(g *generation) bool {
	if g.dev != st.id.dev || g.ino != st.id.ino {
		return false
	}
	if h := g.handle.Load(); st.born == 0 || g.born == 0 || h != nil && h.f.isOpen() {
		return true
	}
	return g.born == st.born
}

// bornWith says whether an open file, which has the identity of a generation, can be its file: while that is closed,
// its inode may be used again.
func (g *generation) bornWith(file contents) bool {
	if h := g.handle.Load(); g.born == 0 || h != nil && h.f.isOpen() {
		return true
	}
	since := bornOf(file)
	return since == 0 || since == g.born
}

// bornOf is when an open file was made, as far as the file system says.
func bornOf(file contents) (since int64) {
	look := func(f *os.File) error {
		since = born(f)
		return nil
	}
	switch f := file.(type) {
	case *os.File:
		_ = look(f)
	case *lazyFile:
		_ = f.with(look)
	}
	return since
}

// unchanged says whether a look shows nothing new.
func (st *status) unchanged(g *generation) bool {
	return st.size == g.seen && st.mtime == g.mtime && st.is(g)
}
