package spile

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestWriterToAFullDevice has the operating system refuse.
func TestWriterToAFullDevice(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	b := NewWriter(WriterOptions{BaseOptions: messageOnly, Writer: full})
	if err := logText(b, "x"); err == nil || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("log says %v", err)
	}
}

// limitedFile names the file of the child process of TestFileOnAFullDisk.
const limitedFile = "SPILE_TEST_LIMITED_FILE"

// TestFileOnAFullDisk logs in a process whose files may not grow beyond a limit, which takes a part of a write as a
// full disk does. Lines taken are written once and whole when there is room again; others were refused.
func TestFileOnAFullDisk(t *testing.T) {
	if path := os.Getenv(limitedFile); path != "" {
		logToALimitedFile(t, path)
		return
	}
	for _, size := range []string{"-1", "512", "65536"} {
		t.Run("buffer-of-"+size, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "app.log")
			child := exec.Command(os.Args[0], "-test.run=^TestFileOnAFullDisk$")
			child.Env = append(os.Environ(), limitedFile+"="+path, limitedFile+"_BUFFER="+size)
			if out, err := child.CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}

// logToALimitedFile is the child process.
func logToALimitedFile(t *testing.T, path string) {
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	limit := func(bytes uint64) {
		t.Helper()
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: bytes, Max: old.Max}); err != nil {
			t.Fatal(err)
		}
	}
	var size int
	if _, err := fmt.Sscan(os.Getenv(limitedFile+"_BUFFER"), &size); err != nil {
		t.Fatal(err)
	}
	f, err := OpenFile(FileOptions{BaseOptions: messageOnly, Path: path, BufferSize: size, FlushEvery: -1})
	if err != nil {
		t.Fatal(err)
	}
	var taken []string
	refused := 0
	for n := range 20_000 {
		switch n {
		case 1000:
			limit(4999)
		case 15_000:
			limit(old.Max)
		}
		text := fmt.Sprintf("line %d", n)
		if err := logText(f, text); err != nil {
			refused++
			continue
		}
		taken = append(taken, text)
	}
	if refused == 0 {
		t.Error("nothing was refused, so this shows nothing")
	}
	if err := f.Close(t.Context()); err != nil {
		t.Error(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	onlyTheseLines(t, file, taken)
}
