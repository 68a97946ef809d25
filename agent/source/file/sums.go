package file

import (
	"sort"

	"github.com/spilelog/spile/wire"
)

// sum is what is told of one source, kept up to date by the looks: there may be very many files.
type sum struct {
	tracks   int                 // of it, those of paths that are gone but not forgotten included
	files    int                 // that are followed
	troubled map[*track]struct{} // those of its tracks that have trouble
	problem  string              // of its glob
	named    int                 // globs that give it its name, so that it is told without a file
}

func (s *Set) sumLocked(name string) *sum {
	one := s.sums[name]
	if one == nil {
		one = &sum{}
		s.sums[name] = one
	}
	return one
}

// countLocked notes what a look found.
func (s *Set) countLocked(t *track) {
	follows := s.tracks[t.path] == t
	counted, trouble := follows && t.gen != nil, ""
	if follows {
		trouble = t.trouble()
	}
	if counted == t.counted && trouble == "" && !t.troubled {
		return
	}
	one := s.sumLocked(t.source)
	if counted != t.counted {
		if t.counted = counted; counted {
			one.files++
		} else {
			one.files--
		}
	}
	if t.troubled = trouble != ""; t.troubled {
		if one.troubled == nil {
			one.troubled = map[*track]struct{}{}
		}
		one.troubled[t] = struct{}{}
	} else {
		delete(one.troubled, t)
	}
	s.recount = true
}

// tracedLocked notes a new track.
func (s *Set) tracedLocked(t *track) {
	s.sumLocked(t.source).tracks++
	s.recount = true
}

// untracedLocked notes that a track is forgotten.
func (s *Set) untracedLocked(t *track) {
	s.countLocked(t)
	one := s.sumLocked(t.source)
	s.recount = true
	if one.tracks--; one.tracks == 0 && one.problem == "" && one.named == 0 {
		delete(s.sums, t.source)
	}
}

// problemLocked notes what keeps a glob from being searched; empty where nothing does.
func (s *Set) problemLocked(name, problem string) {
	if one := s.sums[name]; one == nil && problem == "" || one != nil && one.problem == problem {
		return
	}
	s.sumLocked(name).problem = problem
	s.recount = true
}

func (s *Set) sourcesLocked() []wire.Source {
	out := make([]wire.Source, 0, len(s.sums))
	for name, one := range s.sums {
		src := wire.Source{Name: name, Kind: "file", Files: one.files, Problem: one.problem}
		var first *track
		for t := range one.troubled {
			if first == nil || t.path < first.path {
				first = t
			}
		}
		if first != nil && src.Problem == "" {
			src.Problem = first.trouble()
		}
		if one.tracks > 0 || one.problem != "" || one.named > 0 {
			out = append(out, src)
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}

// tellChangesLocked signals Changed when Sources would tell something new.
func (s *Set) tellChangesLocked() {
	if !s.recount {
		return
	}
	s.recount = false
	now := s.sourcesLocked()
	same := len(now) == len(s.told)
	for i := 0; same && i < len(now); i++ {
		same = now[i] == s.told[i]
	}
	if same {
		return
	}
	s.told = now
	select {
	case s.changed <- struct{}{}:
	default:
	}
}
