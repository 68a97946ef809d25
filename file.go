package spile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spilelog/spile/event"
	"github.com/spilelog/spile/format"
)

// fileBuffer is how many bytes of records a [File] holds back, where the options do not say.
const fileBuffer = 64 << 10

// FileOptions are the options of [OpenFile].
type FileOptions struct {
	BaseOptions // A nil Formatter is [format.JSON].
	// Name is the name of the backend; empty is file.
	Name string
	// Path is where the file is; it must be set. It is taken from the working folder of the moment.
	Path string
	// MaxSize is how many bytes the file may have before it is rotated; a record is never divided, so a file has more
	// than that if its only record has. 0 is no limit.
	MaxSize int64
	// MaxAge divides time into periods, counted in UTC from a Monday: 24 * time.Hour makes days, time.Hour full hours.
	// A file has records of one period only, also over restarts; the first record of the next one rotates it. 0 is no
	// limit.
	MaxAge time.Duration
	// MaxFiles is how many rotated files are kept, those of earlier runs included; the oldest are removed. 0 keeps all.
	MaxFiles int
	// Compress makes rotated files smaller with gzip.
	Compress bool
	// BufferSize is how many bytes of records may wait to be written together; 0 is 64 KiB, a negative one lets none
	// wait.
	BufferSize int
	// FlushEvery is how long a record waits at most; 0 is one second. A negative one sets no time: then a record waits
	// for a full buffer, a record at error or above, or Flush.
	FlushEvery time.Duration
}

// File is a [Backend] that writes records to a file.
//
// # The file
//
// A new file has the mode 0600 from its first moment. One that exists is appended to and keeps its mode; if it ends
// within a line, as after a crash, that line is ended first. Symbolic links and whatever is not a regular file are
// refused, at the opening, at each rotation and at [File.Reopen]. One process, and one File in it, writes a path.
//
// # Rotation
//
// The file is renamed to its name and the time in UTC, app.log.20240115T100000.123Z, with .gz when it is compressed,
// and a new one is begun. That happens between two records: none is divided, lost or written twice. Compression and
// removal go on in a goroutine that Close waits for; a compressed file appears whole or not at all. What a crash left
// undone is done at the next rotation. For rotation by logrotate see [File.ReopenOn].
//
// # Failure
//
// An error of Log means that the record is lost. Records that cannot be written, as on a full disk, wait in the buffer
// and are tried again; only when it is full, further ones are lost. A file that cannot be rotated is written on, and
// rotation is tried again a second later. All that goes wrong outside of Log is told by [File.Err], Flush and Close.
//
// Written means given to the operating system: a record survives the end of the process, not a power failure.
type File struct {
	*Base
	lines lines
	limit FileOptions
	// out has the lock that guards the fields below, and the buffer.
	out  output
	disk disk
	// retry is the time before which no rotation is tried again.
	retry    time.Time
	troubles troubles
	tidy     tidy
	// closing is closed when Close begins, closed when it has ended.
	closing, closed chan struct{}
}

// troubles are what went wrong last, by what it was; nil where it went right since.
type troubles struct{ rotate, reopen, tidy error }

// OpenFile opens or creates the file at o.Path. The folder must exist. The error names the path and what is wrong.
func OpenFile(o FileOptions) (*File, error) {
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("open log file: %w", err)
	}
	path, err := filepath.Abs(o.Path)
	if err != nil {
		return nil, fmt.Errorf("open log file %s: %w", o.Path, err)
	}
	o.Path = path
	if o.Formatter == nil {
		o.Formatter = &format.JSON{}
	}
	f := &File{
		Base:    NewBase(cmp.Or(o.Name, "file"), o.BaseOptions),
		limit:   o,
		closing: make(chan struct{}),
		closed:  make(chan struct{}),
	}
	if f.disk, err = openDisk(path); err != nil {
		return nil, err
	}
	f.lines.base, f.lines.standard = f.Base, &format.JSON{}
	f.out.w = &f.disk
	f.out.size, f.out.every = max(cmp.Or(o.BufferSize, fileBuffer), 0), cmp.Or(o.FlushEvery, flushEvery)
	f.tidy.abort = make(chan struct{})
	return f, nil
}

// check says which option cannot be.
func (o *FileOptions) check() error {
	switch {
	case o.Path == "":
		return errors.New("Path is empty, it must be set")
	case o.MaxSize < 0:
		return fmt.Errorf("MaxSize is %d, it must be 0 or more", o.MaxSize)
	case o.MaxAge < 0:
		return fmt.Errorf("MaxAge is %s, it must be 0 or more", o.MaxAge)
	case o.MaxFiles < 0:
		return fmt.Errorf("MaxFiles is %d, it must be 0 or more", o.MaxFiles)
	}
	return nil
}

// Path is where the file is, as an absolute path.
func (f *File) Path() string { return f.limit.Path }

// Log buffers e, and writes it at once at error or above; see [File].
func (f *File) Log(_ context.Context, e *event.Event) error {
	line := f.lines.text(e)
	defer f.lines.free(line)
	f.out.mu.Lock()
	defer f.out.mu.Unlock()
	if f.out.closed {
		return ErrClosed
	}
	f.rotateIfDueLocked(int64(len(*line)))
	return f.out.takeLocked(*line, e.Level >= event.Error)
}

// Flush writes what is waiting. Its error is that of [File.Err].
func (f *File) Flush(context.Context) error {
	f.out.mu.Lock()
	defer f.out.mu.Unlock()
	if f.out.closed {
		return nil
	}
	_ = f.out.writeLocked() // What it says is part of errLocked.
	return f.errLocked()
}

// Err is what went wrong outside of Log and has not gone right since: a write of buffered records, which are kept and
// tried again; a rotation, after which the old file is written on; a reopening, likewise; the removal or compression of
// a rotated file. Nil if there is none.
func (f *File) Err() error {
	f.out.mu.Lock()
	defer f.out.mu.Unlock()
	return f.errLocked()
}

// errLocked is Err.
func (f *File) errLocked() error {
	write := f.out.failed
	if write != nil {
		write = fmt.Errorf("write log file %s: %w", f.limit.Path, write)
	}
	return errors.Join(write, f.troubles.rotate, f.troubles.reopen, f.troubles.tidy)
}

// Close writes what is waiting, waits for the compression of rotated files, which it breaks off when ctx is done, and
// closes the file. Its error is that of [File.Err], and says how many records could not be written; [Base.Failed]
// counts them. A second call waits for the first, at most until ctx is done.
func (f *File) Close(ctx context.Context) error {
	f.out.mu.Lock()
	if f.out.closed {
		f.out.mu.Unlock()
		select {
		case <-f.closed:
		case <-ctx.Done():
		}
		return nil
	}
	lost, err := f.out.closeLocked()
	f.failed.Add(uint64(lost))
	f.out.failed = err
	close(f.closing)
	tidied := f.tidy.done
	f.out.mu.Unlock()
	f.out.ticks.Wait()
	var cut error
	if tidied != nil {
		select {
		case <-tidied:
		case <-ctx.Done():
			cut = ctx.Err()
			close(f.tidy.abort)
			<-tidied
		}
	}
	f.out.mu.Lock()
	defer f.out.mu.Unlock()
	defer close(f.closed)
	return errors.Join(f.errLocked(), cut, f.disk.Close())
}
