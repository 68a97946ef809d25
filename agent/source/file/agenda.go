package file

// agendaSlots is more than the longest wait of an agenda, in ticks, and a power of two.
const agendaSlots = 64

// spareSlot bounds the room that a slot keeps, in entries for each that it last had.
const spareSlot = 4

// agenda says what is to be looked at in which tick. It holds entries that were moved too, which take finds stale.
type agenda[T any] struct {
	slots [agendaSlots][]T
}

// put enters x for a tick that is later than the one taken last, and not by agendaSlots or more.
func (a *agenda[T]) put(x T, tick uint32) {
	slot := &a.slots[tick%agendaSlots]
	*slot = append(*slot, x)
}

// take empties a tick. The slice is good until the tick is put to again, which is not before the next one is taken.
func (a *agenda[T]) take(tick uint32) []T {
	slot := &a.slots[tick%agendaSlots]
	out := *slot
	if cap(out) > spareSlot*(len(out)+spareSlot) {
		*slot = nil // it was a busy time
	} else {
		*slot = out[:0]
	}
	return out
}

const (
	// quietShare and quietTicks say how rarely a quiet place is looked at: after an eighth of the time for which it was
	// quiet, and after 40 ticks (10 s at the default period) at the latest.
	quietShare = 8
	quietTicks = 40
)

// wait is how many ticks may pass until a place is looked at again that changed so many ticks ago.
func wait(quiet uint32) uint32 { return max(1, min(quiet/quietShare, quietTicks)) }
