package wire_test

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/spilelog/spile/wire"
)

// body takes the header off a link message.
func body(t interface {
	Fatalf(format string, args ...any)
}, message []byte, want wire.LinkKind,
) []byte {
	kind, rest, err := wire.SplitLink(message)
	if err != nil {
		t.Fatalf("split link message: %v", err)
	}
	if kind != want {
		t.Fatalf("kind = %d, want %d", kind, want)
	}
	return rest
}

func TestSplitLink(t *testing.T) {
	for _, test := range []struct {
		name    string
		data    []byte
		wantErr string
	}{
		{"empty", nil, "message too short"},
		{"version-only", []byte{wire.LinkVersion}, "message too short"},
		{"other-version", []byte{9, 1}, "version 9, want 1"},
		{"no-body", []byte{wire.LinkVersion, byte(wire.LinkAck)}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, _, err := wire.SplitLink(test.data)
			if test.wantErr == "" && err == nil {
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.wantErr) {
				t.Errorf("SplitLink(%v) error = %v, want %q", test.data, err, test.wantErr)
			}
		})
	}
}

func TestAppendLinkRefusesWhatJSONCannotHold(t *testing.T) {
	if _, err := wire.AppendLink(nil, wire.LinkHello, math.NaN()); err == nil {
		t.Error("AppendLink(NaN) succeeded, want an error")
	}
}

func TestBatchRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		raw := rapid.Uint64Range(1, wire.MaxBatchBytes).Draw(t, "raw")
		want := wire.Batch{
			Session: rapid.String().Draw(t, "session"),
			Epoch:   rapid.Uint64().Draw(t, "epoch"),
			Item:    rapid.Uint64().Draw(t, "item"),
			First:   rapid.Uint64().Draw(t, "first"),
			Count:   rapid.Uint64Range(1, raw).Draw(t, "count"),
			RawSize: raw,
			Block:   rapid.SliceOf(rapid.Byte()).Draw(t, "block"),
		}
		got, err := wire.ParseBatch(body(t, wire.AppendBatch(nil, &want), wire.LinkBatch))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("batch (-want +got):\n%s", diff)
		}
	})
}

func TestParseBatchRefuses(t *testing.T) {
	whole := wire.Batch{Session: "sess_a", Epoch: 1, Item: 1, First: 1, Count: 2, RawSize: 10}
	for _, test := range []struct {
		name   string
		change func(*wire.Batch)
		want   string
	}{
		{"no-frames", func(b *wire.Batch) { b.Count = 0 }, "0 frames in 10 bytes"},
		{"more-frames-than-bytes", func(b *wire.Batch) { b.Count = 11 }, "11 frames in 10 bytes"},
		{"too-large", func(b *wire.Batch) { b.RawSize = wire.MaxBatchBytes + 1 }, "bytes of frames, at most"},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := whole
			test.change(&b)
			_, err := wire.ParseBatch(body(t, wire.AppendBatch(nil, &b), wire.LinkBatch))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("ParseBatch error = %v, want %q", err, test.want)
			}
		})
	}
	message := wire.AppendBatch(nil, &whole)
	for cut := 2; cut < len(message); cut++ {
		if _, err := wire.ParseBatch(message[2:cut]); err == nil {
			t.Errorf("ParseBatch of the first %d of %d bytes succeeded", cut, len(message))
		}
	}
}

func FuzzParseBatch(f *testing.F) {
	f.Add(wire.AppendBatch(nil, &wire.Batch{Session: "sess_a", Epoch: 1, Item: 2, First: 3, Count: 4, RawSize: 5}))
	f.Add([]byte{1, 6, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := wire.ParseBatch(data)
		if err != nil {
			return
		}
		again, err := wire.ParseBatch(body(t, wire.AppendBatch(nil, &b), wire.LinkBatch))
		if err != nil {
			t.Fatalf("parse what was just encoded: %v", err)
		}
		if diff := cmp.Diff(b, again); diff != "" {
			t.Errorf("batch (-first +second):\n%s", diff)
		}
	})
}

// busyMetrics is a report of n sources that all wrote at every level, at the rates of a busy machine.
func busyMetrics(n int) wire.Metrics {
	m := wire.Metrics{IntervalMS: 60_000, CPUPermille: 215, MemoryKiB: 45_000, DiskPermille: 730}
	for i := range n {
		s := wire.SourceCount{Index: uint64(i), Lines: 120_000, Bytes: 24_000_000}
		for level := range s.Levels {
			s.Levels[level] = 13_333
		}
		m.Sources = append(m.Sources, s)
	}
	return m
}

func TestMetricsAreSmall(t *testing.T) {
	const limit = 120
	m := busyMetrics(3)
	if size := len(wire.AppendMetrics(nil, &m)); size > limit {
		t.Errorf("a report of 3 busy sources has %d bytes, want at most %d", size, limit)
	}
	idle := wire.Metrics{IntervalMS: 60_000, CPUPermille: 1, MemoryKiB: 20_000, DiskPermille: 730}
	if size := len(wire.AppendMetrics(nil, &idle)); size > 16 {
		t.Errorf("a report without a line has %d bytes, want at most 16", size)
	}
}

func TestMetricsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := wire.Metrics{
			IntervalMS:   rapid.Uint64().Draw(t, "interval"),
			CPUPermille:  rapid.Uint64().Draw(t, "cpu"),
			MemoryKiB:    rapid.Uint64().Draw(t, "memory"),
			DiskPermille: rapid.Uint64().Draw(t, "disk"),
		}
		for range rapid.IntRange(0, 5).Draw(t, "sources") {
			s := wire.SourceCount{
				Index: rapid.Uint64().Draw(t, "index"),
				Lines: rapid.Uint64().Draw(t, "lines"),
				Bytes: rapid.Uint64().Draw(t, "bytes"),
			}
			for level := range s.Levels {
				s.Levels[level] = rapid.OneOf(rapid.Just(uint64(0)), rapid.Uint64()).Draw(t, "count")
			}
			want.Sources = append(want.Sources, s)
		}
		got, err := wire.ParseMetrics(body(t, wire.AppendMetrics(nil, &want), wire.LinkMetrics))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("metrics (-want +got):\n%s", diff)
		}
	})
}

func TestParseMetricsRefuses(t *testing.T) {
	for _, test := range []struct {
		name string
		body []byte
		want string
	}{
		{"empty", nil, "message too short"},
		{"cut-in-source", []byte{1, 1, 1, 1, 0, 5}, "message too short"},
		{"missing-level", []byte{1, 1, 1, 1, 0, 5, 5, 3, 1}, "message too short"},
		{"unknown-level", []byte{1, 1, 1, 1, 0, 5, 5, 0x80, 4, 1}, "level set 0x200"},
		{"endless-number", bytes.Repeat([]byte{0xff}, 11), "message too short"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := wire.ParseMetrics(test.body)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("ParseMetrics(%v) error = %v, want %q", test.body, err, test.want)
			}
		})
	}
}

func FuzzParseMetrics(f *testing.F) {
	m := busyMetrics(3)
	f.Add(wire.AppendMetrics(nil, &m)[2:])
	f.Add([]byte{1, 1, 1, 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := wire.ParseMetrics(data)
		if err != nil {
			return
		}
		again, err := wire.ParseMetrics(body(t, wire.AppendMetrics(nil, &m), wire.LinkMetrics))
		if err != nil {
			t.Fatalf("parse what was just encoded: %v", err)
		}
		if diff := cmp.Diff(m, again); diff != "" {
			t.Errorf("metrics (-first +second):\n%s", diff)
		}
	})
}
