package spile

import (
	"cmp"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// How rotated files are named: the path, a dot and the time of the rotation in this layout, in UTC.
const (
	stampLayout = "20060102T150405.000Z"
	stampStep   = time.Millisecond
)

// Ends of the names of rotated files.
const (
	gzipEnd  = ".gz"
	draftEnd = ".gz.tmp" // not yet complete
)

// tidy is the state of the goroutine that removes and compresses rotated files. The lock of the file guards it.
type tidy struct {
	// done is closed when the goroutine that runs, or ran last, has ended; nil before the first.
	done chan struct{}
	// running says that it runs, again that there is more to do for it.
	running, again bool
	// abort is closed to break off a compression.
	abort chan struct{}
}

// rotated is one file that was moved aside, in whatever forms it is there.
type rotated struct {
	path string // without an end
	at   time.Time
	// plain says that it is there uncompressed, and thus whole.
	plain bool
}

// errAborted ends a compression when the file is closed.
var errAborted = errors.New("broken off")

// tidyLocked has the rotated files looked after.
func (f *File) tidyLocked() {
	if f.limit.MaxFiles == 0 && !f.limit.Compress {
		return
	}
	f.tidy.again = true
	if f.tidy.running {
		return
	}
	f.tidy.running = true
	f.tidy.done = make(chan struct{})
	go f.runTidy(f.tidy.done)
}

// runTidy looks after the rotated files until nothing is left to do. Close waits for it.
func (f *File) runTidy(done chan<- struct{}) {
	defer close(done)
	f.out.mu.Lock()
	defer f.out.mu.Unlock()
	for f.tidy.again {
		f.tidy.again = false
		current := f.disk.path
		f.out.mu.Unlock()
		err := f.tidyOnce(current)
		f.out.mu.Lock()
		f.troubles.tidy = nil
		if err != nil {
			f.troubles.tidy = fmt.Errorf("tidy rotated files of %s: %w", f.limit.Path, err)
		}
	}
	f.tidy.running = false
}

// tidyOnce removes the oldest files beyond the limit and compresses the rest, all but the one of the name current.
func (f *File) tidyOnce(current string) error {
	list, err := listRotated(f.limit.Path)
	if err != nil {
		return err
	}
	list = slices.DeleteFunc(list, func(r rotated) bool { return r.path == current })
	var errs []error
	if extra := len(list) - f.limit.MaxFiles; f.limit.MaxFiles > 0 && extra > 0 {
		for _, r := range list[:extra] {
			errs = append(errs, r.remove())
		}
		list = list[extra:]
	}
	for _, r := range list {
		if f.limit.Compress && r.plain {
			errs = append(errs, r.compress(f.tidy.abort))
		}
	}
	return errors.Join(errs...)
}

// listRotated lists the rotated files of path, oldest first.
func listRotated(path string) ([]rotated, error) {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("list rotated files: %w", err)
	}
	found := map[string]*rotated{}
	for _, entry := range entries {
		rest, ours := strings.CutPrefix(entry.Name(), filepath.Base(path)+".")
		if !ours || !entry.Type().IsRegular() {
			continue
		}
		stamp, _, _ := strings.Cut(rest, "Z")
		stamp += "Z"
		at, err := time.Parse(stampLayout, stamp)
		end := strings.TrimPrefix(rest, stamp)
		if err != nil || end != "" && end != gzipEnd && end != draftEnd {
			continue
		}
		r := found[stamp]
		if r == nil {
			r = &rotated{path: path + "." + stamp, at: at}
			found[stamp] = r
		}
		r.plain = r.plain || end == ""
	}
	list := make([]rotated, 0, len(found))
	for _, r := range found {
		list = append(list, *r)
	}
	slices.SortFunc(list, func(a, b rotated) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.path, b.path)) })
	return list, nil
}

// remove removes all forms of r.
func (r rotated) remove() error {
	var errs []error
	for _, end := range []string{draftEnd, gzipEnd, ""} {
		if err := os.Remove(r.path + end); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("remove: %w", err))
		}
	}
	return errors.Join(errs...)
}

// compress puts a compressed file in the place of the plain one. At each moment one of the two is there whole.
func (r rotated) compress(abort <-chan struct{}) error {
	draft := r.path + draftEnd
	if err := os.Remove(draft); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("compress: %w", err)
	}
	err := r.compressTo(draft, abort)
	if err == nil {
		err = os.Rename(draft, r.path+gzipEnd)
	}
	if err != nil {
		_ = os.Remove(draft) // It is of no use; the next rotation tries both again.
		return fmt.Errorf("compress %s: %w", filepath.Base(r.path), err)
	}
	if err := os.Remove(r.path); err != nil {
		return fmt.Errorf("compress: %w", err)
	}
	return nil
}

// compressTo writes the compressed file of the name draft, down to the disk, so that the plain one may go.
func (r rotated) compressTo(draft string, abort <-chan struct{}) error {
	in, err := os.OpenFile(r.path, os.O_RDONLY|openFlags, 0)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(draft, os.O_WRONLY|os.O_CREATE|os.O_EXCL|openFlags, fileMode)
	if err != nil {
		return err
	}
	defer out.Close()
	zip := gzip.NewWriter(out)
	if info, err := in.Stat(); err == nil {
		zip.Name, zip.ModTime = filepath.Base(r.path), info.ModTime()
	}
	if _, err := io.Copy(zip, &abortable{in, abort}); err != nil {
		return err
	}
	return errors.Join(zip.Close(), out.Sync(), out.Close())
}

// abortable reads until it is told to stop.
type abortable struct {
	r     io.Reader
	abort <-chan struct{}
}

// Read reads, or says that it was told to stop.
func (a *abortable) Read(p []byte) (int, error) {
	select {
	case <-a.abort:
		return 0, errAborted
	default:
		return a.r.Read(p)
	}
}
