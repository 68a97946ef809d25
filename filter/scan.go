package filter

import "bytes"

// Candidates walks the lines of block that may match the pattern, in order and each once, and calls yield with the
// bounds of the line without its line feed, until yield returns false. It yields too much, never too little: with a
// required text it searches the block for that and cuts lines only around the hits, without one it yields every line.
// Block holds whole lines; the last one may lack its line feed. Nothing is allocated.
func (m *Matcher) Candidates(block []byte, yield func(start, end int) bool) {
	switch {
	case len(m.needles) == 0:
		everyLine(block, yield)
	case len(m.needles) == 1:
		m.oneNeedle(block, yield)
	default:
		m.manyNeedles(block, yield)
	}
}

// everyLine yields all lines.
func everyLine(block []byte, yield func(start, end int) bool) {
	for start := 0; start < len(block); {
		end := lineEnd(block, start)
		if !yield(start, end) {
			return
		}
		start = end + 1
	}
}

// oneNeedle yields the lines that hold the only needle.
func (m *Matcher) oneNeedle(block []byte, yield func(start, end int) bool) {
	n := &m.needles[0]
	for from := 0; from < len(block); {
		hit := n.next(block, from)
		if hit < 0 {
			return
		}
		end := lineEnd(block, hit)
		if !yield(lineStart(block, from, hit), end) {
			return
		}
		from = end + 1
	}
}

// window is how much of a block is searched for every needle before the next part, so that it is still in the
// processor's cache for the later ones.
const window = 128 << 10

// manyNeedles yields the lines that hold one of several needles, one window of whole lines after the other.
func (m *Matcher) manyNeedles(block []byte, yield func(start, end int) bool) {
	for start := 0; start < len(block); {
		end := len(block)
		if end-start > window {
			end = min(lineEnd(block, start+window)+1, len(block))
		}
		if !m.scanWindow(block[:end], start, yield) {
			return
		}
		start = end
	}
}

// scanWindow keeps the next hit of each needle and takes the smallest; a hit in a line that was yielded is searched
// anew from the next line on. It returns false once yield did.
func (m *Matcher) scanWindow(block []byte, from int, yield func(start, end int) bool) bool {
	var hits [maxNeedles]int
	live := hits[:len(m.needles)]
	for i := range live {
		live[i] = m.needles[i].next(block, from)
	}
	for {
		first := -1
		for i, hit := range live {
			if hit >= 0 && hit < from {
				hit = m.needles[i].next(block, from)
				live[i] = hit
			}
			if hit >= 0 && (first < 0 || hit < first) {
				first = hit
			}
		}
		if first < 0 {
			return true
		}
		end := lineEnd(block, first)
		if !yield(lineStart(block, from, first), end) {
			return false
		}
		from = end + 1
	}
}

// lineEnd is where the line around at ends: its line feed or the end of the block.
func lineEnd(block []byte, at int) int {
	if i := bytes.IndexByte(block[at:], '\n'); i >= 0 {
		return at + i
	}
	return len(block)
}

// lineStart is where the line around at starts, which is not before from.
func lineStart(block []byte, from, at int) int {
	return from + bytes.LastIndexByte(block[from:at], '\n') + 1
}
