// Package bridge is what the adapters share: scales of levels, values, and the way of a record to a handler.
package bridge

import (
	"context"
	"log/slog"
	"slices"
	"time"
)

const (
	// below and above are the steps by which levels go on below and above a scale.
	below = 4
	above = 2
	// flushWait is how long a record that ends the program waits for the backends.
	flushWait = 2 * time.Second
)

// Scale is the levels of a library as those of slog, least severe first. Beyond its ends it goes on in even steps, so
// that no level of the library is lost on the way to slog and back.
type Scale []slog.Level

// Level is the level at a position, which may lie outside.
func (s Scale) Level(i int) slog.Level {
	last := len(s) - 1
	switch {
	case i < 0:
		return s[0] + below*slog.Level(i)
	case i > last:
		return s[last] + above*slog.Level(i-last)
	}
	return s[i]
}

// Index is the position of the least severe level that is not below level: a threshold there lets through what one at
// level does.
func (s Scale) Index(level slog.Level) int {
	last := len(s) - 1
	switch {
	case level <= s[0]:
		return -int((s[0] - level) / below)
	case level > s[last]:
		return last + int((level-s[last]+above-1)/above)
	}
	i, _ := slices.BinarySearch(s, level)
	return i
}

// Value is v as slog has it; maps with texts as keys become groups, sorted.
func Value(v any) slog.Value {
	m, ok := v.(map[string]any)
	if !ok {
		return slog.AnyValue(v)
	}
	return slog.GroupValue(Attrs(m)...)
}

// Attrs is the attributes of m, sorted by key.
func Attrs(m map[string]any) []slog.Attr {
	attrs := make([]slog.Attr, 0, len(m))
	for key, v := range m {
		attrs = append(attrs, slog.Attr{Key: key, Value: Value(v)})
	}
	slices.SortFunc(attrs, func(a, b slog.Attr) int {
		switch {
		case a.Key < b.Key:
			return -1
		case a.Key > b.Key:
			return 1
		}
		return 0
	})
	return attrs
}

// PC is the counter that slog has for the counter of a frame, which stands at the call itself; 0 for 0.
func PC(frame uintptr) uintptr {
	if frame == 0 {
		return 0
	}
	return frame + 1
}

// Flush waits until h has its records where they belong, if it can tell, and not for long: it is called where the
// library ends the program.
func Flush(h slog.Handler) error {
	flusher, ok := h.(interface {
		Flush(ctx context.Context) error
	})
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), flushWait)
	defer cancel()
	return flusher.Flush(ctx)
}
