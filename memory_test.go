package spile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/spilelog/spile/event"
)

func TestNull(t *testing.T) {
	b := NewNull()
	if b.Name() != "null" || b.ShouldLogLevel(1<<20, "") {
		t.Errorf("name %q, and it would take a record", b.Name())
	}
	for what, err := range map[string]error{"log": logText(b, "x"), "flush": b.Flush(t.Context()), "close": b.Close(t.Context())} {
		if err != nil {
			t.Errorf("%s says %v", what, err)
		}
	}
}

// messagesOf lists what is kept.
func messagesOf(m *Memory) []string {
	var out []string
	for _, e := range m.Events() {
		out = append(out, e.Message)
	}
	return out
}

func TestMemory(t *testing.T) {
	m := NewMemory(MemoryOptions{BaseOptions: messageOnly, Max: 3})
	is := func(dropped uint64, want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, messagesOf(m)); diff != "" || m.Len() != len(want) || m.Dropped() != dropped {
			t.Errorf("dropped %d, want %d; len %d; %s", m.Dropped(), dropped, m.Len(), diff)
		}
	}
	is(0)
	mustLog(t, m, "a", "b", "c")
	is(0, "a", "b", "c")
	mustLog(t, m, "d", "e")
	is(2, "c", "d", "e")
	mustLog(t, m, "f", "g")
	is(4, "e", "f", "g")
	if got := m.Text(); got != "e\nf\ng\n" {
		t.Errorf("text %q", got)
	}
	m.Reset()
	is(0)
	mustLog(t, m, "h", "i", "j", "k")
	is(1, "i", "j", "k")
	for range 2 {
		if err := m.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if err := logText(m, "late"); !errors.Is(err, ErrClosed) {
		t.Errorf("log after close says %v", err)
	}
	is(1, "i", "j", "k")
}

func TestMemoryIsBoundedByDefault(t *testing.T) {
	m := NewMemory(MemoryOptions{})
	for range memoryMax + 5 {
		mustLog(t, m, "x")
	}
	if m.Len() != memoryMax || m.Dropped() != 5 {
		t.Errorf("kept %d, dropped %d", m.Len(), m.Dropped())
	}
}

// TestMemoryShares nothing with those who log and those who read.
func TestMemoryShares(t *testing.T) {
	m := NewMemory(MemoryOptions{})
	value := []int{1}
	text := []byte("before")
	e := &event.Event{Message: "x", Metadata: event.Metadata{
		{Key: "list", Value: event.Any(value)},
		{Key: "group", Value: event.Group(&event.Metadata{{Key: "k", Value: event.String(string(text))}})},
	}}
	if err := m.Log(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	value[0] = 2
	e.Metadata[1].Value.Fields()[0].Value = event.String("after")
	read := m.Events()[0]
	read.Metadata[1].Value.Fields()[0].Value = event.String("read")
	read.Metadata[0].Key = "read"
	got := m.Events()[0].Metadata
	if list, _ := got.Get("list"); list.Text() != "[1]" {
		t.Errorf("the list is %s", list.Text())
	}
	if k, _ := got.Get("group.k"); k.Text() != "before" {
		t.Errorf("the field of the group is %s", k.Text())
	}
}

func TestMemoryWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMemory(MemoryOptions{Max: 5})
		answers := make(chan error, 3)
		for n := range 3 {
			go func() { answers <- m.Wait(t.Context(), n) }()
		}
		synctest.Wait()
		if len(answers) != 1 {
			t.Errorf("%d waits ended before there was a record, want that for none", len(answers))
		}
		mustLog(t, m, "a")
		synctest.Wait()
		if len(answers) != 2 {
			t.Errorf("%d waits ended with one record", len(answers))
		}
		mustLog(t, m, "b")
		for range 3 {
			if err := <-answers; err != nil {
				t.Error(err)
			}
		}
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := m.Wait(short, 3); !errors.Is(err, context.DeadlineExceeded) || !strings.HasPrefix(err.Error(), "wait for 3 events, 2 are there: ") {
			t.Errorf("without a third record: %v", err)
		}
		if err := m.Wait(t.Context(), 6); err == nil || err.Error() != "wait for 6 events: at most 5 are kept" {
			t.Errorf("for more than fit: %v", err)
		}
		go func() { answers <- m.Wait(t.Context(), 3) }()
		synctest.Wait()
		_ = m.Close(t.Context())
		if err := <-answers; !errors.Is(err, ErrClosed) {
			t.Errorf("closed: %v", err)
		}
	})
}

func TestMemoryHammer(t *testing.T) {
	defer goleak.VerifyNone(t)
	const goroutines, each = 8, 500
	m := NewMemory(MemoryOptions{Max: goroutines * each})
	var wg sync.WaitGroup
	var lines []string
	for g := range goroutines {
		for n := range each {
			lines = append(lines, fmt.Sprint(g, " ", n))
		}
		mine := lines[g*each:]
		wg.Go(func() { mustLog(t, m, mine...) })
		wg.Go(func() {
			if err := m.Wait(t.Context(), g*each); err != nil {
				t.Error(err)
			}
			_ = m.Events()
			_ = m.Text()
		})
	}
	wg.Wait()
	onlyTheseLines(t, strings.NewReader(strings.Join(messagesOf(m), "\n")+"\n"), lines)
}

func TestMemoryKeepsWhatCannotBeRead(t *testing.T) {
	m := NewMemory(MemoryOptions{})
	slog.New(New(m)).Info("m", "k", Lazy(func() slog.Value { panic("boom") }), "other", 1)
	events := m.Events()
	if len(events) != 1 || m.Failed() != 0 {
		t.Fatalf("kept %d, failed %d", len(events), m.Failed())
	}
	got := string(event.AppendMetadata(nil, events[0].Metadata))
	if want := `{"what":"log_format_failed","reason":"panic: boom"}`; events[0].Message != "m" || got != want {
		t.Errorf("got %s %s, want m %s", events[0].Message, got, want)
	}
}
