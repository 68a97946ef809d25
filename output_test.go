package spile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/spilelog/spile/event"
	"github.com/spilelog/spile/format"
)

// messageOnly prints the message and a line end.
var messageOnly = BaseOptions{Formatter: format.Func(func(dst []byte, e *event.Event) []byte {
	return append(append(dst, e.Message...), '\n')
})}

// logText logs a message at info.
func logText(b Backend, text string) error {
	return b.Log(context.Background(), &event.Event{Message: text})
}

// lockedBuffer is a choosy writer that may be looked at while it is written.
type lockedBuffer struct {
	mu sync.Mutex
	choosy
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.choosy.Write(p)
}

func (b *lockedBuffer) text() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.String()
}

func (b *lockedBuffer) let(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.allow = n
}

// pass lets time pass in a synctest bubble.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestWriterUnbuffered(t *testing.T) {
	w := &lockedBuffer{}
	b := NewWriter(WriterOptions{BaseOptions: messageOnly, Writer: w, FlushEvery: -1})
	step := func(allow int, text string, want error) {
		t.Helper()
		w.let(allow)
		if err := logText(b, text); !errors.Is(err, want) {
			t.Errorf("log %s to a writer that takes %d: %v, want %v", text, allow, err, want)
		}
	}
	step(100, "one", nil)
	step(0, "lost", errRefused)
	step(2, "half", nil) // Its rest waits.
	step(0, "lost", errRefused)
	step(1, "lost", errRefused)
	step(100, "two", nil)
	if got := w.text(); got != "one\nhalf\ntwo\n" {
		t.Errorf("written %q", got)
	}
	step(1, "rest", nil)
	w.let(0)
	if err := b.Flush(t.Context()); !errors.Is(err, errRefused) {
		t.Errorf("flush says %v", err)
	}
	if err := b.Close(t.Context()); !errors.Is(err, errRefused) || !strings.HasPrefix(err.Error(), "1 records lost: ") {
		t.Errorf("close says %v", err)
	}
	if b.Failed() != 1 {
		t.Errorf("%d failed, want the one that Close lost", b.Failed())
	}
	if err := b.Close(t.Context()); err != nil {
		t.Errorf("second close says %v", err)
	}
	if err := logText(b, "late"); !errors.Is(err, ErrClosed) {
		t.Errorf("log after close says %v", err)
	}
}

func TestWriterBuffered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &lockedBuffer{}
		b := NewWriter(WriterOptions{BaseOptions: messageOnly, Writer: w, BufferSize: 10})
		w.let(100)
		must := func(text string) {
			t.Helper()
			if err := logText(b, text); err != nil {
				t.Errorf("log %s: %v", text, err)
			}
		}
		is := func(when, want string) {
			t.Helper()
			if got := w.text(); got != want {
				t.Errorf("%s: written %q, want %q", when, got, want)
			}
			w.mu.Lock()
			w.Reset()
			w.mu.Unlock()
		}
		must("aaaa")
		pass(flushEvery - 1)
		is("before the time", "")
		pass(1)
		is("at the time", "aaaa\n")

		must("bbbb")
		must("cccc")
		is("full to the brim", "")
		must("d")
		is("more than fits", "bbbb\ncccc\n")
		must("longer than the buffer")
		is("too long to wait", "d\nlonger than the buffer\n")
		if err := b.Log(t.Context(), &event.Event{Message: "bad", Level: event.Error}); err != nil {
			t.Error(err)
		}
		is("an error does not wait", "bad\n")
		must("e")
		if err := b.Flush(t.Context()); err != nil {
			t.Error(err)
		}
		is("after flush", "e\n")

		w.let(3)
		must("ffff")
		must("gggg")
		if err := logText(b, "too much"); !errors.Is(err, errRefused) {
			t.Errorf("a full buffer that nobody takes says %v", err)
		}
		w.let(0)
		if err := b.Log(t.Context(), &event.Event{Message: "", Level: event.Error}); !errors.Is(err, errRefused) {
			t.Errorf("an error into a full buffer says %v", err)
		}
		pass(3 * flushEvery)
		w.let(100)
		pass(flushEvery)
		is("once there is room, without another record", "ffff\ngggg\n")
		must("h")
		if err := b.Close(t.Context()); err != nil {
			t.Error(err)
		}
		is("after close", "h\n")
	})
}

// TestWriterErrorIsKept logs at error while the writer refuses: the record waits, so it is not lost.
func TestWriterErrorIsKept(t *testing.T) {
	w := &lockedBuffer{}
	b := NewWriter(WriterOptions{BaseOptions: messageOnly, Writer: w, BufferSize: 100, FlushEvery: -1})
	if err := b.Log(t.Context(), &event.Event{Message: "bad", Level: event.Error}); err != nil {
		t.Errorf("log says %v, though the record waits", err)
	}
	if err := b.Flush(t.Context()); !errors.Is(err, errRefused) {
		t.Errorf("flush says %v", err)
	}
	w.let(100)
	if err := b.Flush(t.Context()); err != nil || w.text() != "bad\n" {
		t.Errorf("flush says %v, written %q", err, w.text())
	}
}

// TestCloseDuringLog closes while others log: what was taken is written once, and everything else was refused.
func TestCloseDuringLog(t *testing.T) {
	defer goleak.VerifyNone(t)
	for _, size := range []int{0, 1 << 10} {
		t.Run(strconv.Itoa(size), func(t *testing.T) {
			w := &lockedBuffer{choosy: choosy{allow: 1 << 30}}
			b := NewWriter(WriterOptions{BaseOptions: messageOnly, Writer: w, BufferSize: size, FlushEvery: time.Microsecond})
			taken := logUntilClosed(t, b, func() {
				for range 20 {
					_ = b.Flush(t.Context())
				}
			})
			onlyTheseLines(t, strings.NewReader(w.text()), taken)
		})
	}
}

// logUntilClosed logs numbered lines from several goroutines, closes b when ready returns and lists the lines taken.
func logUntilClosed(t *testing.T, b Backend, ready func()) []string {
	t.Helper()
	var mu sync.Mutex
	var taken []string
	var wg, begun sync.WaitGroup
	for g := range 8 {
		begun.Add(1)
		wg.Go(func() {
			var mine []string
			for n := 0; ; n++ {
				if n == 1 {
					begun.Done()
				}
				text := fmt.Sprintf("line %d %d", g, n)
				err := logText(b, text)
				if errors.Is(err, ErrClosed) {
					break
				}
				if err != nil {
					t.Error(err)
					break
				}
				mine = append(mine, text)
			}
			mu.Lock()
			taken = append(taken, mine...)
			mu.Unlock()
		})
	}
	begun.Wait()
	ready()
	for range 3 {
		wg.Go(func() {
			if err := b.Close(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	return taken
}

// onlyTheseLines checks that r has each of the lines once and no other.
func onlyTheseLines(t *testing.T, r io.Reader, lines []string) {
	t.Helper()
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for line := range strings.Lines(string(text)) {
		seen[line]++
	}
	var missing, doubled int
	for _, line := range lines {
		switch n := seen[line+"\n"]; {
		case n == 0:
			missing++
		case n > 1:
			doubled++
		}
		delete(seen, line+"\n")
	}
	if missing+doubled+len(seen) > 0 || len(lines) == 0 {
		t.Errorf("of %d lines %d missing, %d doubled, and %d that nobody logged", len(lines), missing, doubled, len(seen))
	}
}

// TestValueThatLogs logs within the logging of a record.
func TestValueThatLogs(t *testing.T) {
	w := &lockedBuffer{choosy: choosy{allow: 1 << 20}}
	o := BaseOptions{Formatter: format.Func(func(dst []byte, e *event.Event) []byte {
		if v, ok := e.Metadata.Get("v"); ok {
			dst = v.AppendText(dst)
		}
		return append(append(dst, e.Message...), '\n')
	})}
	b := NewWriter(WriterOptions{BaseOptions: o, Writer: w})
	e := &event.Event{Message: "outer", Metadata: event.Metadata{{Key: "v", Value: event.Any(loggingValue{b})}}}
	if err := b.Log(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	if got := w.text(); got != "inner\nvalue outer\n" {
		t.Errorf("written %q", got)
	}
}

// loggingValue logs when it is printed.
type loggingValue struct{ b Backend }

func (v loggingValue) String() string {
	if err := logText(v.b, "inner"); err != nil {
		return err.Error()
	}
	return "value "
}

// stuck is a writer that blocks until it is let go.
type stuck struct {
	begun, free chan struct{}
	once        sync.Once
}

func (s *stuck) Write(p []byte) (int, error) {
	s.once.Do(func() { close(s.begun) })
	<-s.free
	return len(p), nil
}

// TestFlushAndCloseGoByTheContext has a writer that blocks while somebody logs, or when the flush itself writes.
func TestFlushAndCloseGoByTheContext(t *testing.T) {
	ends := map[string]func(Backend, context.Context) error{"flush": Backend.Flush, "close": Backend.Close}
	for name, end := range ends {
		for _, who := range []string{"a-log-blocks", "it-blocks-itself"} {
			t.Run(name+"/"+who, func(t *testing.T) {
				// In real time: to wait for a mutex is nothing that synctest sees.
				w := &stuck{begun: make(chan struct{}), free: make(chan struct{})}
				o := WriterOptions{BaseOptions: messageOnly, Writer: w, BufferSize: 100, FlushEvery: -1}
				if who == "a-log-blocks" {
					o.BufferSize = 0
				}
				b := NewWriter(o)
				logged := make(chan error, 1)
				go func() { logged <- logText(b, "x") }()
				if o.BufferSize == 0 {
					<-w.begun
				} else if err := <-logged; err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
				defer cancel()
				if err := end(b, ctx); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("got %v", err)
				}
				close(w.free)
				if o.BufferSize == 0 {
					if err := <-logged; err != nil {
						t.Error(err)
					}
				}
				if err := b.Close(context.Background()); err != nil || b.Failed() != 0 {
					t.Errorf("close: %v, failed %d", err, b.Failed())
				}
			})
		}
	}
}

// TestCloseWritesAfterTheContext is the end of a program whose context was cancelled to end it.
func TestCloseWritesAfterTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 100 {
		var out bytes.Buffer
		b := NewWriter(WriterOptions{BaseOptions: messageOnly, Writer: &out, BufferSize: 100})
		mustLog(t, b, "x")
		if err := b.Close(ctx); err != nil || out.String() != "x\n" {
			t.Fatalf("wrote %q: %v", out.String(), err)
		}
	}
}
