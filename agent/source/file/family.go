package file

import (
	"bytes"
	"cmp"
	"path/filepath"
	"strconv"
	"strings"
)

// compressed are the endings of siblings that are not read live; history reads the first two.
var compressed = [...]string{".gz", ".zst", ".bz2", ".xz"}

// bases lists the paths whose rotated sibling a file may be by its name: NAME.SUFFIX, NAME-SUFFIX, and the same before
// ".log", with the most specific first. A suffix is a number, a date or a time, or a word that says old.
func bases(path string) []string {
	if _, packed := formatOf(path); packed != "" {
		return nil
	}
	dir, name := filepath.Split(path)
	var out []string
	for i := len(name) - 1; i > 0; i-- {
		if name[i] != '.' && name[i] != '-' {
			continue
		}
		suffix := name[i+1:]
		if rotationSuffix([]byte(suffix)) {
			out = append(out, dir+name[:i])
		}
		if stem, ok := strings.CutSuffix(suffix, ".log"); ok && rotationSuffix([]byte(stem)) {
			out = append(out, dir+name[:i]+".log")
		}
	}
	return out
}

// shadow says whether path is matched by a glob only because the glob takes rotated siblings along: it is then read
// as a generation of the file that it was, not as a file of its own. A compressed one is read for history alone.
func (s *Set) shadow(path string) bool {
	stem, _ := formatOf(path)
	for _, base := range bases(stem) {
		if strings.HasPrefix(path, base) && s.globFor(base) != nil {
			return true
		}
	}
	return false
}

// familyLocked returns the track whose rotated sibling path may be, nil where there is none.
func (s *Set) familyLocked(path string) *track {
	if _, packed := formatOf(path); packed != "" {
		return nil
	}
	return s.kinLocked([]byte(path))
}

// kinLocked does it for a name that is not compressed, without allocating for it.
func (s *Set) kinLocked(path []byte) *track {
	dir := bytes.LastIndexByte(path, '/') + 1
	for i := len(path) - 1; i > dir; i-- {
		if path[i] != '.' && path[i] != '-' {
			continue
		}
		suffix := path[i+1:]
		if rotationSuffix(suffix) {
			if t := s.tracks[string(path[:i])]; t != nil {
				return t
			}
		}
		if stem, ok := bytes.CutSuffix(suffix, []byte(".log")); ok && rotationSuffix(stem) {
			s.scratch = append(append(s.scratch[:0], path[:i]...), ".log"...)
			if t := s.tracks[string(s.scratch)]; t != nil {
				return t
			}
		}
	}
	return nil
}

func isPacked(path []byte) bool {
	for _, end := range compressed {
		if len(path) >= len(end) && string(path[len(path)-len(end):]) == end {
			return true
		}
	}
	return false
}

// rotationSuffix says whether s looks like what a rotation appends.
func rotationSuffix(s []byte) bool {
	s = bytes.TrimSuffix(s, []byte(".backup")) // of logrotate, where a writer made the file again before it did
	switch string(s) {
	case "":
		return false
	case "old", "bak", "prev", "orig":
		return true
	}
	if s[0] < '0' || s[0] > '9' {
		return false
	}
	return len(bytes.Trim(s, "0123456789-_.:TZ")) == 0
}

// rotationNumber is N of NAME.N, 0 for any other name.
func rotationNumber(name string) int {
	name, _ = formatOf(name)
	n, err := strconv.Atoi(name[strings.LastIndexByte(name, '.')+1:])
	if err != nil || n >= 1_000_000 { // a date is no number of rotations
		return 0
	}
	return n
}

// olderName compares the ages of two siblings of one path by what a rotation appended to their names: a higher number
// is older, a later date is younger. It is false where the names do not tell.
func olderName(a, b string) (int, bool) {
	a, _ = formatOf(a)
	b, _ = formatOf(b)
	if m, n := rotationNumber(a), rotationNumber(b); m > 0 && n > 0 {
		return cmp.Compare(n, m), true
	}
	return cmp.Compare(a, b), len(a) == len(b) && a != "" && rotationNumber(a) == 0 && rotationNumber(b) == 0
}
