package pipetest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spilelog/spile/client"
	"github.com/spilelog/spile/wire"
)

// books are what one viewer got, at one moment.
type books struct {
	name    string
	texts   []string
	gaps    []wire.Control
	verdict client.Verdict
}

// books takes a copy.
func (v *viewer) books() books {
	v.mu.Lock()
	defer v.mu.Unlock()
	return books{v.name, slices.Clone(v.texts), slices.Clone(v.gaps), v.check.Verdict()}
}

// allowed are the reasons why events and bytes may be lost to a viewer.
type allowed struct {
	events, bytes map[string]bool
}

// sound checks what must hold at every moment: the stream is whole, no line comes twice or is none that was written,
// the lines of a place come in order, and nothing is lost for a reason that there was not.
func (d *disk) sound(b *books, may allowed) error {
	if !b.verdict.Closes() {
		return fmt.Errorf("%s: the stream is not whole: %+v", b.name, b.verdict)
	}
	seen := map[*unit]bool{}
	last := map[*place]*unit{}
	for _, text := range b.texts {
		u := d.byText[text]
		switch {
		case u == nil:
			return fmt.Errorf("%s: got %.80q, which nobody wrote", b.name, text)
		case u.session != d.session && !u.open: // what no line end follows is read when its file is done with
			return fmt.Errorf("%s: got %.40q, which was written before the session", b.name, text)
		case !u.keep:
			return fmt.Errorf("%s: got %.40q, which does not match", b.name, text)
		}
		if seen[u] {
			return fmt.Errorf("%s: got %.40q twice", b.name, text)
		}
		seen[u] = true
		if before := last[u.place]; before != nil && before.order > u.order {
			return fmt.Errorf("%s: %.40q came after %.40q", b.name, text, before.text)
		}
		last[u.place] = u
	}
	for i := range b.gaps {
		g := &b.gaps[i]
		reasons := may.events
		if g.Unit == wire.UnitBytes {
			reasons = may.bytes
		}
		// That something may have been torn away at a truncation is said without a size.
		if g.Count == 0 && g.AtLeast && g.Unit == wire.UnitBytes && d.cut {
			continue
		}
		if !reasons[g.Reason] {
			return fmt.Errorf("%s: a gap for no reason: %+v", b.name, *g)
		}
	}
	return nil
}

// balance checks that everything is accounted for: what matches came, or is announced as lost, exactly.
func (d *disk) balance(b *books, account wire.AgentAccounts) error {
	got := map[string]bool{}
	for _, text := range b.texts {
		got[text] = true
	}
	var missing []int // sizes
	var safe, skipped, halves, sure int
	var example string
	for _, u := range d.units {
		switch {
		case u.session != d.session && u.open && u.place.lost && !got[u.text]:
			skipped += u.size() // a reader begins before a last line that is not whole
		case u.session != d.session || got[u.text]:
		case u.open:
			halves++
			skipped += u.size()
		case !u.keep:
			if u.place.lost {
				skipped += u.size()
			}
		default:
			missing = append(missing, u.size())
			if !u.place.lost {
				safe++
				example = u.text
			}
			if u.place.unseen() {
				sure++ // nobody can announce what came and went unseen
			}
		}
	}
	var gapped int
	blind := sure > 0
	byLag := false
	for i := range b.gaps {
		g := &b.gaps[i]
		blind = blind || g.AtLeast
		byLag = byLag || g.Reason == wire.ReasonLagging
		if g.Unit == wire.UnitEvents {
			gapped += int(g.Count)
		}
	}
	var lost int
	for _, n := range account.LostBytes {
		lost += int(n)
	}
	slices.Sort(missing)
	rest := max(len(missing)-gapped, 0)
	low, high := sum(missing[:rest]), sum(missing[len(missing)-rest:])+skipped
	switch {
	case safe > gapped && !byLag:
		return fmt.Errorf("%s: %d lines that exist did not come, %d announced; such as %.60q", b.name, safe, gapped, example)
	case gapped > len(missing)+halves:
		return fmt.Errorf("%s: %d events announced as lost, but %d did not come", b.name, gapped, len(missing))
	case lost < low && !blind:
		return fmt.Errorf("%s: %d lines did not come, %d of them announced, the others have %d bytes, of which %d are announced",
			b.name, len(missing), gapped, low, lost)
	case lost > high+d.unknown(byLag):
		return fmt.Errorf("%s: %d bytes are announced as lost, but only %d are", b.name, lost, high)
	}
	return nil
}

// unseen says that nobody can announce what is lost of a place: it was destroyed, and came and went unseen.
func (p *place) unseen() bool { return p.lost && p.held == 0 && (p.path == "" || !p.vague) }

// unknown is how many bytes more than the model knows of may be announced: lines that do not match count when they
// were passed over unread.
func (d *disk) unknown(byLag bool) int {
	if !byLag {
		return 0
	}
	n := 0
	for _, u := range d.units {
		if !u.keep {
			n += u.size()
		}
	}
	return n
}

// exact checks the agent's own account where nothing was destroyed and every line is whole.
func (d *disk) exact(account wire.AgentAccounts, mode wire.Mode) error {
	if !account.Closes() {
		return fmt.Errorf("the agent's account does not close: %+v", account)
	}
	var all, skipped, late uint64
	for _, u := range d.units {
		if u.session != d.session {
			if u.open {
				late++ // read as the last line of its place in this session, in an earlier one, or never
			}
			continue
		}
		if u.place.lost || u.open {
			return nil
		}
		all++
		if !strings.Contains(u.text, "keep") {
			skipped++
		}
	}
	if mode == wire.ModeLive && len(account.LostBytes) > 0 {
		return nil
	}
	if account.Seen < all || account.Seen > all+late || account.Filtered != skipped {
		return fmt.Errorf("%d lines were written, %d of them do not match; the agent: %+v", all, skipped, account)
	}
	return nil
}

// sum adds.
func sum(list []int) int {
	n := 0
	for _, v := range list {
		n += v
	}
	return n
}
