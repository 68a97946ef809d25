package file

import (
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
		if rotationSuffix(suffix) {
			out = append(out, dir+name[:i])
		}
		if stem, ok := strings.CutSuffix(suffix, ".log"); ok && rotationSuffix(stem) {
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
	for _, base := range bases(path) {
		if t := s.tracks[base]; t != nil {
			return t
		}
	}
	return nil
}

// rotationSuffix says whether s looks like what a rotation appends.
func rotationSuffix(s string) bool {
	s = strings.TrimSuffix(s, ".backup") // of logrotate, where a writer made the file again before it did
	switch s {
	case "":
		return false
	case "old", "bak", "prev", "orig":
		return true
	}
	if s[0] < '0' || s[0] > '9' {
		return false
	}
	return strings.Trim(s, "0123456789-_.:TZ") == ""
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
