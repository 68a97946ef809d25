package wire

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

// NumLevels is the number of levels; a level's index is its place in the order of severity, trace being 0.
const NumLevels = 9

// Metrics is what an agent counted since its last report, as it crosses the link: one small binary message a minute.
type Metrics struct {
	// IntervalMS is the time that the counts cover.
	IntervalMS uint64
	// CPUPermille is the agent's own processor time in that interval, a whole core being 1000.
	CPUPermille uint64
	// MemoryKiB is the agent's resident memory.
	MemoryKiB uint64
	// DiskPermille is how full the file system of the agent's data folder is.
	DiskPermille uint64
	// Sources counts by source; sources without a new line are left out.
	Sources []SourceCount
}

// SourceCount is what one source wrote.
type SourceCount struct {
	// Index is the source's place in the list that the agent's last hello or status carried.
	Index  uint64
	Lines  uint64
	Bytes  uint64
	Levels [NumLevels]uint64
}

// AppendMetrics appends the link message of m. Levels without a line cost nothing: a bit set says which follow.
func AppendMetrics(dst []byte, m *Metrics) []byte {
	dst = append(dst, LinkVersion, byte(LinkMetrics))
	for _, n := range []uint64{m.IntervalMS, m.CPUPermille, m.MemoryKiB, m.DiskPermille} {
		dst = binary.AppendUvarint(dst, n)
	}
	for i := range m.Sources {
		s := &m.Sources[i]
		var set uint64
		for level, n := range s.Levels {
			if n > 0 {
				set |= 1 << level
			}
		}
		for _, n := range []uint64{s.Index, s.Lines, s.Bytes, set} {
			dst = binary.AppendUvarint(dst, n)
		}
		for _, n := range s.Levels {
			if n > 0 {
				dst = binary.AppendUvarint(dst, n)
			}
		}
	}
	return dst
}

// ParseMetrics reads the body of a metrics message.
func ParseMetrics(body []byte) (Metrics, error) {
	var m Metrics
	r := reader{data: body}
	for _, field := range []*uint64{&m.IntervalMS, &m.CPUPermille, &m.MemoryKiB, &m.DiskPermille} {
		*field = r.uvarint()
	}
	for r.err == nil && len(r.data) > 0 {
		var s SourceCount
		s.Index, s.Lines, s.Bytes = r.uvarint(), r.uvarint(), r.uvarint()
		set := r.uvarint()
		if set >= 1<<NumLevels {
			return Metrics{}, fmt.Errorf("parse metrics: level set %#x", set)
		}
		for ; set != 0 && r.err == nil; set &= set - 1 {
			s.Levels[bits.TrailingZeros64(set)] = r.uvarint()
		}
		m.Sources = append(m.Sources, s)
	}
	if r.err != nil {
		return Metrics{}, fmt.Errorf("parse metrics: %w", r.err)
	}
	return m, nil
}
