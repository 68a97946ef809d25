package file

import (
	"cmp"
	"iter"
	"slices"
	"sort"

	"github.com/spilelog/spile/agent/source"
)

// shelf is positions by path. It keeps no copy of them: there may be very many, most of them the only one of their
// path.
type shelf struct {
	all   []source.Position
	order []int32 // of those that a reader accepts, by path, those of one path in the order in which they were given
	taken []source.Position
}

func newShelf(all []source.Position, accepts func(string) bool) *shelf {
	s := &shelf{all: all, order: make([]int32, 0, len(all))}
	for i := range all {
		if accepts(all[i].Source) {
			s.order = append(s.order, int32(i))
		}
	}
	slices.SortFunc(s.order, func(a, b int32) int {
		return cmp.Or(cmp.Compare(all[a].Path, all[b].Path), cmp.Compare(a, b))
	})
	return s
}

// of returns the positions of a path, which are valid until the next call.
func (s *shelf) of(path string) []source.Position {
	s.taken = s.taken[:0]
	first := sort.Search(len(s.order), func(i int) bool { return s.all[s.order[i]].Path >= path })
	for _, i := range s.order[first:] {
		p := s.all[i]
		if p.Path != path {
			break
		}
		if p.Over { // as what was read to its end
			p.Device, p.Inode, p.Over = 0, 0, false
		}
		s.taken = append(s.taken, p)
	}
	return s.taken
}

// paths yields each path once.
func (s *shelf) paths() iter.Seq[string] {
	return func(yield func(string) bool) {
		for i, at := range s.order {
			path := s.all[at].Path
			if (i == 0 || path != s.all[s.order[i-1]].Path) && !yield(path) {
				return
			}
		}
	}
}
