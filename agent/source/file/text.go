package file

import "bytes"

// What a file that is no text looks like in its first bytes.
const (
	// minNULs is how many NUL bytes tell more than that a line has some.
	minNULs = 4
	// binaryShare is the part of the bytes, one in so many, that are NUL in what is binary.
	binaryShare = 16
)

// oddity is why what a file begins with is no text.
type oddity uint8

const (
	noOddity oddity = iota
	markedWide
	seemsWide
	seemsBinary
)

// strangeness says in words why what a file begins with is no text, empty where it may be. Such a file is read all the
// same: what looks strange here may be what somebody searches.
func (h *head) strangeness() string {
	switch h.odd {
	case markedWide:
		return "is written in UTF-16, not in UTF-8: its lines cannot be told apart well"
	case seemsWide:
		return "seems to be written in UTF-16, not in UTF-8: its lines cannot be told apart well"
	case seemsBinary:
		return "seems to be binary: it has no lines"
	}
	return ""
}

func oddityOf(mark []byte) oddity {
	// A hole at the beginning is what a truncation under a writer leaves.
	text := bytes.TrimLeft(mark, "\x00")
	var nuls [2]int // at even and at odd places
	for i, c := range text {
		if c == 0 {
			nuls[i%2]++
		}
	}
	all := nuls[0] + nuls[1]
	switch {
	case bytes.HasPrefix(mark, []byte("\xff\xfe")), bytes.HasPrefix(mark, []byte("\xfe\xff")):
		return markedWide
	case all < minNULs || all*binaryShare < len(text):
		return noOddity
	case all*3 >= len(text) && (nuls[0] == 0 || nuls[1] == 0):
		return seemsWide
	}
	return seemsBinary
}

// trouble says what keeps the track's file from being read, or from being read as lines; empty when nothing does.
func (t *track) trouble() string {
	if problem := t.unusual().problem; problem != "" || t.gen == nil {
		return problem
	}
	if strange := t.gen.head.Load().strangeness(); strange != "" {
		return t.path + " " + strange
	}
	return ""
}
