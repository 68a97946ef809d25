package filter

import (
	"bytes"
	"slices"
)

const (
	// maxNeedles bounds the passes over a block.
	maxNeedles = 32
	// anchorBytes bounds the anchor that is handed to bytes.Index, which is fast for short texts.
	anchorBytes = 24
	// foldAnchor is the length of the anchor of a folded text, of which every case variant is searched for.
	foldAnchor = 3
	// caseBit tells an upper-case ASCII letter from a lower-case one.
	caseBit = 0x20
)

// needle is one text to search for: an anchor in its exact case, and the whole text around it to compare.
type needle struct {
	// text is what must stand at a hit, in lower case if mask is set.
	text []byte
	// mask, for a folded text, holds caseBit where text has a letter; nil for a text in its exact case.
	mask []byte
	// anchor is the part that is searched for, offset its place in text.
	anchor []byte
	offset int
	// rare is the place in anchor of its least common byte.
	rare int
}

// compileNeedles turns a required set into what is searched for, nil when that would not be worth it.
func compileNeedles(set []literal) []needle {
	for variants := 1 << foldAnchor; variants >= 2; variants /= 2 {
		var out []needle
		for i := range set {
			out = append(out, set[i].needles(variants)...)
		}
		if len(out) <= maxNeedles {
			return out
		}
	}
	return nil
}

// needles is one needle for a literal in its exact case, or one for each of at most so many variants of a folded one.
func (l *literal) needles(variants int) []needle {
	if !l.fold {
		n := needle{text: []byte(l.text)}
		n.setAnchor(rarest(n.text))
		return []needle{n}
	}
	text := []byte(bestPiece(l.text))
	mask := make([]byte, len(text))
	for i, b := range text {
		if isLower(b) {
			mask[i] = caseBit
		}
	}
	from, to := foldWindow(text, variants)
	anchors := [][]byte{slices.Clone(text[from:to])}
	for i := from; i < to; i++ {
		if mask[i] == 0 {
			continue
		}
		for _, a := range slices.Clone(anchors) {
			upper := slices.Clone(a)
			upper[i-from] ^= caseBit
			anchors = append(anchors, upper)
		}
	}
	out := make([]needle, 0, len(anchors))
	for _, a := range anchors {
		out = append(out, needle{text: text, mask: mask, anchor: a, offset: from, rare: rarest(a)})
	}
	return out
}

// setAnchor chooses the stretch of the text around its rarest byte.
func (n *needle) setAnchor(rare int) {
	from := max(0, min(rare-anchorBytes/2, len(n.text)-anchorBytes))
	n.anchor = n.text[from:min(len(n.text), from+anchorBytes)]
	n.offset, n.rare = from, rare-from
}

// foldWindow chooses the anchor of a folded text: few variants and rare bytes.
func foldWindow(text []byte, variants int) (int, int) {
	best, from, to := -1<<30, 0, 1
	for size := 1; size <= foldAnchor; size++ {
		for i := 0; i+size <= len(text); i++ {
			count, score := 1, 0
			for _, b := range text[i : i+size] {
				score += rarity(b)
				if isLower(b) {
					count *= 2
				}
			}
			if score -= passBits * count; count <= variants && score > best {
				best, from, to = score, i, i+size
			}
		}
	}
	return from, to
}

// rarest is the place of the least common byte of a text.
func rarest(text []byte) int {
	best := 0
	for i, b := range text {
		if byteGap[b] > byteGap[text[best]] {
			best = i
		}
	}
	return best
}

// Where a byte turns up more often than every commonGap bytes, looking at each costs more than comparing the whole
// anchor at every place; graceBytes is how long a search looks before it judges.
const (
	commonGap  = 20
	graceBytes = 320
)

// next is the place of the first text at or after from, -1 if there is none. It follows the anchor's rarest byte as
// long as that is rare here, and then the anchor as a whole.
func (n *needle) next(block []byte, from int) int {
	begin := from + n.offset + n.rare
	b := n.anchor[n.rare]
	misses := 0
	pos := begin
	for pos < len(block) {
		i := bytes.IndexByte(block[pos:], b)
		if i < 0 {
			return -1
		}
		pos += i
		if start := pos - n.rare - n.offset; n.at(block, start) {
			return start
		}
		pos++
		misses++
		if misses*commonGap > pos-begin+graceBytes {
			return n.nextAnchor(block, pos-n.rare)
		}
	}
	return -1
}

// nextAnchor is next by the whole anchor, which is searched for from pos on.
func (n *needle) nextAnchor(block []byte, pos int) int {
	for pos < len(block) {
		i := bytes.Index(block[pos:], n.anchor)
		if i < 0 {
			return -1
		}
		pos += i
		if start := pos - n.offset; n.at(block, start) {
			return start
		}
		pos++
	}
	return -1
}

// at says whether the text stands at start.
func (n *needle) at(block []byte, start int) bool {
	if start < 0 || start+len(n.text) > len(block) {
		return false
	}
	part := block[start : start+len(n.text)]
	if n.mask == nil {
		return string(part) == string(n.text)
	}
	for i, b := range part {
		if b|n.mask[i] != n.text[i] {
			return false
		}
	}
	return true
}

// isLower says whether b is a lower-case ASCII letter.
func isLower(b byte) bool { return 'a' <= b && b <= 'z' }

// plainText is a text whose occurrence in a line is a match.
type plainText struct {
	text []byte
	// fold makes the case of ASCII letters not count; text is in lower case then.
	fold bool
}

// plainTexts is the set for exact verdicts on lines.
func plainTexts(set []literal) []plainText {
	out := make([]plainText, len(set))
	for i := range set {
		out[i] = plainText{[]byte(set[i].text), set[i].fold}
	}
	return out
}

// in says whether the line contains p.
func (p *plainText) in(line []byte) bool {
	if !p.fold {
		return bytes.Contains(line, p.text)
	}
	for i := 0; i+len(p.text) <= len(line); i++ {
		if equalFold(line[i:i+len(p.text)], p.text) {
			return true
		}
	}
	return false
}

// equalFold compares with a text in lower case, only ASCII letters in either case. The lengths are equal.
func equalFold(part, lower []byte) bool {
	for i, b := range part {
		if b != lower[i] && (b|caseBit != lower[i] || !isLower(lower[i])) {
			return false
		}
	}
	return true
}
