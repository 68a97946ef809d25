package file

import (
	"sort"
	"time"

	"github.com/spilelog/spile/agent/source"
)

// A copy takes no longer than copyTime and its size at copySpeed, in bytes a second.
const (
	copyTime  = 2 * time.Second
	copySpeed = 32 << 20
)

// locateLocked finds where the bytes of a position lie now: in the live file, in one that is being drained, or in a
// sibling, by identity before content alone.
func (s *Set) locateLocked(t *track, f *folder, p source.Position, taken map[*sibling]bool) (place, *sibling, bool) {
	if t.gen != nil && t.gen.holds(p) {
		if at, b := s.movedLocked(t, f, p, taken); b != nil {
			return at, b, true
		}
		return place{gen: t.gen, off: p.Offset, live: true}, nil, true
	}
	for g := range s.draining {
		if g.holds(p) {
			b := f.siblings[fileID{g.dev, g.ino}]
			at := place{gen: g, off: p.Offset, mtime: g.written()}
			if b != nil {
				at.number, at.path = rotationNumber(b.path), b.path
			}
			return at, b, true
		}
	}
	return s.locateSiblingLocked(t, f, p)
}

// locateSiblingLocked finds where the bytes of a position lie among the siblings.
func (s *Set) locateSiblingLocked(t *track, f *folder, p source.Position) (place, *sibling, bool) {
	family := s.familyOfLocked(t, f)
	for _, byID := range []bool{true, false} {
		if !byID && p.PrintLen == 0 {
			break
		}
		for _, b := range family {
			if byID != b.is(p) || !byID && (b.mtime.UnixNano() < p.Modified || t.aLife(b, p)) {
				continue
			}
			if g := s.siblingGenerationLocked(t, b, p); g != nil {
				at := b.age()
				at.gen, at.off = g, p.Offset
				return at, b, true
			}
		}
	}
	return place{}, nil, false
}

// familyOfLocked lists the siblings of a track, the oldest first.
func (s *Set) familyOfLocked(t *track, f *folder) []*sibling {
	if f.families == nil || f.known != len(s.tracks) {
		f.families, f.known = map[*track][]*sibling{}, len(s.tracks)
		for _, b := range f.siblings {
			if t := s.familyLocked(b.path); t != nil {
				f.families[t] = append(f.families[t], b)
			}
		}
		for _, family := range f.families {
			sort.Slice(family, func(i, j int) bool { return family[i].before(family[j]) })
		}
	}
	return f.families[t]
}

// aLife says whether a sibling that only begins like the place of p is no copy of it but the life of another file, of a
// program that writes the same at each of its starts: it was written for longer than a copy takes, and the file of p,
// which would have been truncated then, is gone altogether.
func (t *track) aLife(b *sibling, p source.Position) bool {
	if p.Born == 0 || b.born == 0 || p.PrintLen == headSize || t.gen != nil && t.gen.is(p) {
		return false
	}
	return time.Duration(b.mtime.UnixNano()-b.born) > copyTime+time.Duration(b.size/copySpeed)*time.Second
}

// movedLocked finds the place of p in a copy, where the live file that p names was truncated and has begun anew in the
// same way, or p knows nothing of how it began. Of several copies the oldest is the one that no other position has
// taken.
func (s *Set) movedLocked(t *track, f *folder, p source.Position, taken map[*sibling]bool) (place, *sibling) {
	if p.Modified == 0 {
		return place{}, nil
	}
	family := s.familyOfLocked(t, f)
	var copies map[*sibling]bool
	for _, b := range family {
		if b.mtime.UnixNano() <= p.Modified || b.size < p.Size || taken[b] || b.is(p) {
			continue
		}
		if copies == nil {
			copies = s.copiesLocked(t, family, taken)
		}
		if copies[b] {
			continue
		}
		if g := s.siblingGenerationLocked(t, b, p); g != nil {
			at := b.age()
			at.gen, at.off = g, p.Offset
			return at, b
		}
	}
	return place{}, nil
}

// is says whether the generation lies in the file that p names.
func (g *generation) is(p source.Position) bool {
	return g.dev == p.Device && g.ino == p.Inode && sameBirth(g.born, p.Born)
}

// is says whether the sibling is the file that p names.
func (b *sibling) is(p source.Position) bool {
	return b.id == fileID{p.Device, p.Inode} && sameBirth(b.born, p.Born)
}

// sameBirth says whether two times when a file was made may be one; 0 is any.
func sameBirth(a, b int64) bool { return a == b || a == 0 || b == 0 }

// holds says whether the generation is the one that p names and still has its offset.
func (g *generation) holds(p source.Position) bool {
	h := g.handle.Load()
	if h == nil || p.Packed != "" || !g.is(p) || g.size.Load() < p.Offset {
		return false
	}
	if head := g.head.Load(); head.from == p.PrintAt && head.len() == p.PrintLen {
		return head.crc == p.Print // the file need not be opened
	}
	return printMatches(h.f, &p)
}
