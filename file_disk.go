package spile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// fileMode is the mode of each file made here: records are for nobody else to read until its owner says so.
const fileMode = 0o600

// disk is one open log file.
type disk struct {
	file *os.File
	info fs.FileInfo
	// path is the name by which the file is known.
	path string
	// size is how many bytes it has.
	size int64
	// since is when the file got its first record, or for one that was there before, its last; zero while it is empty.
	since time.Time
	// torn says that the file ends within a line that somebody else left there.
	torn bool
}

// openDisk opens the file at path, or creates it.
func openDisk(path string) (disk, error) {
	d := disk{path: path}
	if err := d.open(); err != nil {
		if d.file != nil {
			d.file.Close()
		}
		return disk{}, fmt.Errorf("open log file %s: %w", path, err)
	}
	return d, nil
}

// open does what openDisk does; the file may be open after an error.
func (d *disk) open() error {
	// To open some devices does something, so look before. What comes in between is caught below.
	if info, err := os.Lstat(d.path); err == nil {
		if err := regular(info.Mode()); err != nil {
			return err
		}
	}
	var err error
	if d.file, err = os.OpenFile(d.path, os.O_RDWR|os.O_APPEND|os.O_CREATE|openFlags, fileMode); err != nil {
		return openError(d.path, err)
	}
	if d.info, err = d.file.Stat(); err != nil {
		return bare(err)
	}
	if err := regular(d.info.Mode()); err != nil {
		return err
	}
	// Where there is no flag that refuses links, the name must still be this very file.
	if named, err := os.Lstat(d.path); err == nil && named.Mode()&fs.ModeSymlink != 0 {
		return regular(named.Mode())
	}
	if d.size = d.info.Size(); d.size == 0 {
		return nil
	}
	d.since = d.info.ModTime()
	last := make([]byte, 1)
	if _, err := d.file.ReadAt(last, d.size-1); err != nil {
		return fmt.Errorf("read its last byte: %w", bare(err))
	}
	d.torn = last[0] != '\n'
	return nil
}

// Write appends p, which consists of whole records or continues one.
func (d *disk) Write(p []byte) (int, error) {
	if d.torn {
		if _, err := d.file.Write([]byte{'\n'}); err != nil {
			return 0, bare(err)
		}
		d.torn = false
		d.size++
	}
	n, err := d.file.Write(p)
	d.size += int64(n)
	return n, bare(err)
}

// Close closes the file.
func (d *disk) Close() error {
	if err := d.file.Close(); err != nil {
		return fmt.Errorf("close log file %s: %w", d.path, bare(err))
	}
	return nil
}

// isAt says whether the open file is the one of that name.
func (d *disk) isAt(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && os.SameFile(info, d.info)
}

// regular says what is wrong with a file of this mode.
func regular(mode fs.FileMode) error {
	kind := "no regular file"
	switch {
	case mode.IsRegular():
		return nil
	case mode&fs.ModeSymlink != 0:
		kind = "a symbolic link"
	case mode.IsDir():
		kind = "a folder"
	case mode&fs.ModeNamedPipe != 0:
		kind = "a named pipe"
	case mode&fs.ModeSocket != 0:
		kind = "a socket"
	case mode&fs.ModeDevice != 0:
		kind = "a device"
	}
	return fmt.Errorf("it is %s, it must be a regular file", kind)
}

// openError says why a file could not be opened.
func openError(path string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the folder %s does not exist", filepath.Dir(path))
	}
	if info, lerr := os.Lstat(path); lerr == nil {
		if why := regular(info.Mode()); why != nil {
			return why
		}
	}
	return bare(err)
}

// bare is err without the operation and path that package os puts before it, where both are told already.
func bare(err error) error {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return path.Err
	}
	if link, ok := errors.AsType[*os.LinkError](err); ok {
		return link.Err
	}
	return err
}
