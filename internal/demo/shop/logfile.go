package shop

import (
	"fmt"
	"io"
	"os"
)

// rotation is how a file that grew too large makes room.
type rotation int

const (
	// byRename moves the file away and begins a new one, as logrotate does with nginx.
	byRename rotation = iota
	// byCopy copies the file away and truncates it, as logrotate's copytruncate does.
	byCopy
)

// rotatedSuffix names the one older file that is kept.
const rotatedSuffix = ".1"

// logFile is one log that rotates itself. It is used by one goroutine.
type logFile struct {
	path   string
	max    int64
	rotate rotation
	file   *os.File
	size   int64
	// err is the first failure of Write, kept because a logger drops it.
	err error
}

// openLog opens or creates the file at path for appending.
func openLog(path string, maxBytes int64, rotate rotation) (*logFile, error) {
	l := &logFile{path: path, max: maxBytes, rotate: rotate}
	if err := l.open(); err != nil {
		return nil, err
	}
	return l, nil
}

// open opens the file and learns its size.
func (l *logFile) open() error {
	f, err := os.OpenFile(l.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	l.file, l.size = f, info.Size()
	return nil
}

// Write appends whole lines and rotates first when they would not fit any more.
func (l *logFile) Write(lines []byte) (int, error) {
	if l.size > 0 && l.size+int64(len(lines)) > l.max {
		if err := l.roll(); err != nil {
			l.err = err
			return 0, err
		}
	}
	n, err := l.file.Write(lines)
	l.size += int64(n)
	if err != nil {
		l.err = fmt.Errorf("write log: %w", err)
		return n, l.err
	}
	return n, nil
}

// roll makes room.
func (l *logFile) roll() error {
	if l.rotate == byCopy {
		return l.copyTruncate()
	}
	if err := os.Rename(l.path, l.path+rotatedSuffix); err != nil {
		return fmt.Errorf("rotate log: %w", err)
	}
	if err := l.file.Close(); err != nil {
		return fmt.Errorf("rotate log: %w", err)
	}
	return l.open()
}

// copyTruncate copies the file and empties it; the file keeps its inode.
func (l *logFile) copyTruncate() error {
	from, err := os.Open(l.path)
	if err != nil {
		return fmt.Errorf("copy log: %w", err)
	}
	defer from.Close()
	to, err := os.Create(l.path + rotatedSuffix)
	if err != nil {
		return fmt.Errorf("copy log: %w", err)
	}
	if _, err := io.Copy(to, from); err != nil {
		_ = to.Close()
		return fmt.Errorf("copy log: %w", err)
	}
	if err := to.Close(); err != nil {
		return fmt.Errorf("copy log: %w", err)
	}
	if err := l.file.Truncate(0); err != nil {
		return fmt.Errorf("truncate log: %w", err)
	}
	l.size = 0
	return nil
}

// close closes the file.
func (l *logFile) close() error {
	if err := l.file.Close(); err != nil {
		return fmt.Errorf("close log: %w", err)
	}
	return nil
}
