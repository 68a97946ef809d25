package file

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// identity is a file's device and inode.
func identity(info fs.FileInfo) (dev, ino uint64) {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(st.Dev), st.Ino
	}
	return 0, 0
}

// born is when a file was made, in nanoseconds of Unix time; 0 where the file system does not say.
func born(f *os.File) int64 {
	var st unix.Statx_t
	err := unix.Statx(int(f.Fd()), "", unix.AT_EMPTY_PATH|unix.AT_STATX_DONT_SYNC, unix.STATX_BTIME, &st)
	if err != nil || st.Mask&unix.STATX_BTIME == 0 {
		return 0
	}
	return st.Btime.Sec*int64(time.Second) + int64(st.Btime.Nsec)
}

// resolve says which file a path names. Only a last link is followed, and only within its folder or to a file that a
// glob allows.
func (s *Set) resolve(path string) (string, status, error) {
	st, err := lookAt(path)
	if err != nil {
		return "", st, problem("look at", path, err)
	}
	real := path
	if st.mode == fs.ModeSymlink {
		if real, err = filepath.EvalSymlinks(path); err != nil {
			return "", st, problem("follow", path, err)
		}
		folder, err := filepath.EvalSymlinks(filepath.Dir(path))
		if err != nil {
			return "", st, problem("follow", path, err)
		}
		if filepath.Dir(real) != folder && s.globFor(real) == nil {
			return "", st, fmt.Errorf("refuse %s: it links to %s, out of its folder", path, real)
		}
		if st, err = lookAt(real); err != nil {
			return "", st, problem("look at", real, err)
		}
	}
	if !st.mode.IsRegular() {
		return "", st, fmt.Errorf("skip %s: %s is not a regular file", path, kind(st.mode))
	}
	return real, st, nil
}

// openFile opens a resolved path without following a link at its end or out of its folder, and without waiting for
// anybody.
func (s *Set) openFile(path string) (*os.File, fs.FileInfo, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, problem("open", path, err)
	}
	f := os.NewFile(uintptr(fd), path)
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", kind(info.Mode()))
	}
	if err == nil {
		err = s.confine(f, path)
	}
	if err != nil {
		_ = f.Close()
		return nil, nil, problem("open", path, err)
	}
	return f, info, nil
}

// problem words an error of the file system once, without the operation that the standard library repeats.
func problem(verb, path string, err error) error {
	if pe := (*fs.PathError)(nil); errors.As(err, &pe) {
		err = pe.Err
	}
	return fmt.Errorf("%s %s: %w", verb, path, err)
}

func kind(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "a directory"
	case m&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case m&fs.ModeSocket != 0:
		return "a socket"
	case m&fs.ModeDevice != 0:
		return "a device"
	}
	return "a " + strings.TrimSpace(m.Type().String())
}
