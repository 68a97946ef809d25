package file

import "bytes"

// What a file that is no text looks like in its first bytes.
const (
	// minNULs is how many NUL bytes tell more than that a line has some.
	minNULs = 4
	// binaryShare is the part of the bytes, one in so many, that are NUL in what is binary.
	binaryShare = 16
)

// strangeness says in words why what a file begins with is no text, empty where it may be. Such a file is read all the
// same: what looks strange here may be what somebody searches.
func (h *head) strangeness() string {
	mark := h.bytes
	// A hole at the beginning is what a truncation under a writer leaves.
	text := bytes.TrimLeft(h.bytes, "\x00")
	var nuls [2]int // at even and at odd places
	for i, c := range text {
		if c == 0 {
			nuls[i%2]++
		}
	}
	all := nuls[0] + nuls[1]
	switch {
	case bytes.HasPrefix(mark, []byte("\xff\xfe")), bytes.HasPrefix(mark, []byte("\xfe\xff")):
		return "is written in UTF-16, not in UTF-8: its lines cannot be told apart well"
	case all < minNULs || all*binaryShare < len(text):
		return ""
	case all*3 >= len(text) && (nuls[0] == 0 || nuls[1] == 0):
		return "seems to be written in UTF-16, not in UTF-8: its lines cannot be told apart well"
	}
	return "seems to be binary: it has no lines"
}

// trouble says what keeps the track's file from being read, or from being read as lines; empty when nothing does.
func (t *track) trouble() string {
	if t.problem != "" || t.gen == nil {
		return t.problem
	}
	if strange := t.gen.head.Load().strangeness(); strange != "" {
		return t.path + " " + strange
	}
	return ""
}
