// Package ring keeps the newest entries of a stream within a bound of bytes. Each entry has a place that never
// changes, so that any number of readers need no more than a number each.
package ring

// Overhead is what an entry costs beside its own size, so that many small entries stay bounded too.
const Overhead = 128

// minSlots is the first capacity of a ring.
const minSlots = 16

// Ring holds entries by place. It has no lock of its own: its owner guards it. The zero value is not usable; see New.
type Ring[T any] struct {
	slots []slot[T] // circular; its length is a power of two
	first uint64
	next  uint64
	bytes int
	limit int
}

// slot is an entry with what it costs.
type slot[T any] struct {
	value T
	cost  int
}

// New returns a ring that holds at most limit bytes, but always the newest entry.
func New[T any](limit int) *Ring[T] { return &Ring[T]{limit: limit} }

// First is the place of the oldest entry; it equals Next when the ring is empty.
func (r *Ring[T]) First() uint64 { return r.first }

// Next is the place that the next entry will have.
func (r *Ring[T]) Next() uint64 { return r.next }

// Bytes is what all entries cost.
func (r *Ring[T]) Bytes() int { return r.bytes }

// At is the entry at a place from First to before Next; any other place is a mistake of the caller and panics.
func (r *Ring[T]) At(place uint64) T {
	if place < r.first || place >= r.next {
		panic("ring: no entry at this place")
	}
	return r.slots[place&uint64(len(r.slots)-1)].value
}

// Push appends an entry of size bytes and evicts the oldest ones until the bound holds. It calls evicted, which may
// be nil, for each of them, oldest first.
func (r *Ring[T]) Push(value T, size int, evicted func(place uint64, value T)) {
	cost := size + Overhead
	for r.next > r.first && r.bytes+cost > r.limit {
		place := r.first
		gone := r.pop()
		if evicted != nil {
			evicted(place, gone)
		}
	}
	if int(r.next-r.first) == len(r.slots) {
		r.grow()
	}
	r.slots[r.next&uint64(len(r.slots)-1)] = slot[T]{value, cost}
	r.next++
	r.bytes += cost
}

// pop takes the oldest entry off.
func (r *Ring[T]) pop() T {
	s := &r.slots[r.first&uint64(len(r.slots)-1)]
	value := s.value
	r.bytes -= s.cost
	*s = slot[T]{}
	r.first++
	return value
}

// grow doubles the slots; every entry keeps its place.
func (r *Ring[T]) grow() {
	slots := make([]slot[T], max(2*len(r.slots), minSlots))
	for place := r.first; place < r.next; place++ {
		slots[place&uint64(len(slots)-1)] = r.slots[place&uint64(len(r.slots)-1)]
	}
	r.slots = slots
}
