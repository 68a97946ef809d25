package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// lineBytes is the length of a line, its end included.
const lineBytes = 64

// lineMark is how a line begins; its number follows, and then what linePadding says.
const (
	lineMark    = "line "
	linePadding = "of a file that is rotated while it is read"
)

// lineText is line n.
func lineText(n int) []byte {
	return fmt.Appendf(nil, "%-*s\n", lineBytes-1, fmt.Sprintf("%s%08d %s", lineMark, n, linePadding))
}

// lineNumber is the number of the line that ends text, and whether it is there whole. What stands before it, such as
// the zeros of a hole, does not matter.
func lineNumber(text []byte) (int, bool) {
	at := bytes.LastIndex(text, []byte(lineMark))
	if at < 0 || len(text) < at+len(lineMark)+8 {
		return 0, false
	}
	n, err := strconv.Atoi(string(text[at+len(lineMark) : at+len(lineMark)+8]))
	if err != nil {
		return 0, false
	}
	return n, bytes.Equal(bytes.TrimRight(text[at:], " \r\n"), bytes.TrimRight(lineText(n), " \n"))
}

// writer writes numbered lines and rotates its file itself, so that no line is lost between a copy and a truncation.
type writer struct {
	dir, path string
	file      *os.File
	// stale says that the file is written at the writer's own offset, not at its end.
	stale bool
	next  int
	kept  int // files beside the one that is written
	holes int // bytes of the holes that truncations left before what a stale writer wrote
}

// newWriter makes the file in a folder of its own.
func newWriter(dir string, stale bool) (*writer, error) {
	w := &writer{dir: filepath.Join(dir, "logs"), stale: stale}
	w.path = filepath.Join(w.dir, "app.log")
	if err := os.Mkdir(w.dir, 0o755); err != nil {
		return nil, err
	}
	return w, w.open()
}

// open opens the file by its name.
func (w *writer) open() error {
	flags := os.O_CREATE | os.O_WRONLY
	if !w.stale {
		flags |= os.O_APPEND
	}
	var err error
	w.file, err = os.OpenFile(w.path, flags, 0o644)
	return err
}

// close closes the file.
func (w *writer) close() { _ = w.file.Close() }

// burst is how many lines one call writes where nothing is paced, as a program does that buffers its log.
const burst = 100

// write writes lines up to n: rate a second, each with a call of its own, or as fast as it goes if rate is 0.
func (w *writer) write(n, rate int) error {
	const perSecond = 200
	tick := time.NewTicker(time.Second / perSecond)
	defer tick.Stop()
	var buf []byte
	for i := 0; w.next < n; i++ {
		lines := min(burst, n-w.next)
		if rate > 0 {
			lines = 1
		}
		if rate > 0 && i%(rate/perSecond) == 0 {
			<-tick.C
		}
		buf = buf[:0]
		for range lines {
			buf = append(buf, lineText(w.next)...)
			w.next++
		}
		if _, err := w.file.Write(buf); err != nil {
			return err
		}
	}
	return nil
}

// shift makes room for a rotated file, as logrotate does: .2 becomes .3, .1 becomes .2.
func (w *writer) shift() (string, error) {
	for i := w.kept; i > 0; i-- {
		if err := os.Rename(w.rotated(i), w.rotated(i+1)); err != nil {
			return "", err
		}
	}
	w.kept++
	return w.rotated(1), nil
}

// rotated is the name of the i-th rotated file.
func (w *writer) rotated(i int) string { return w.path + "." + strconv.Itoa(i) }

// rename moves the file away and goes on in a new one.
func (w *writer) rename() error {
	to, err := w.shift()
	if err != nil {
		return err
	}
	if err := os.Rename(w.path, to); err != nil {
		return err
	}
	w.close()
	return w.open()
}

// copyTruncate copies the file and cuts it to nothing.
func (w *writer) copyTruncate() error {
	to, err := w.shift()
	if err != nil {
		return err
	}
	if err := copyFile(to, w.path); err != nil {
		return err
	}
	if w.stale {
		w.holes += w.next * lineBytes
	}
	return os.Truncate(w.path, 0)
}

// recreate removes the file and goes on in a new one.
func (w *writer) recreate() error {
	if err := os.Remove(w.path); err != nil {
		return err
	}
	w.close()
	return w.open()
}

// truncate cuts the file to nothing; what was in it is nowhere any more.
func (w *writer) truncate() error { return os.Truncate(w.path, 0) }

// copyFile copies a file.
func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return closeAfter(out, err)
}

// closeAfter closes what was written to; err goes before the error of that.
func closeAfter(c io.Closer, err error) error {
	if cerr := c.Close(); err == nil {
		err = cerr
	}
	return err
}

// onDisk is which lines are in the files of the folder, at the end.
func (w *writer) onDisk() ([]bool, error) {
	names, err := filepath.Glob(filepath.Join(w.dir, "*"))
	if err != nil {
		return nil, err
	}
	there := make([]bool, w.next)
	for _, name := range names {
		file, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		r := bufio.NewReader(file)
		for err == nil {
			var line []byte
			line, err = r.ReadBytes('\n')
			if n, whole := lineNumber(line); whole && n < len(there) {
				there[n] = true
			}
		}
		_ = file.Close()
		if !errors.Is(err, io.EOF) {
			return nil, err
		}
	}
	return there, nil
}
