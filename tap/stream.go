package tap

// stream is one viewer's place on a tape.
type stream struct {
	tape *tape
	// release ends the leases on levels outside the handler.
	release func()

	// wake tells the viewer that there is something to read, urgent that half of the tape is. Both hold one token and
	// are never closed.
	wake, urgent chan struct{}
	// over is closed by Tap.end or Tap.shut, once, after ending is set.
	over   chan struct{}
	ending ending

	// origin is the number of the first event that the stream takes; it does not change any more.
	origin uint64
	// next is the number of the first event that was not read, offset where it is in its chunk if that has earlier
	// ones, read what the tape's total was then. The tape's mu guards them, and the memory for a batch.
	next, read uint64
	offset     int
	pieces     []piece
	// woken and urged say that the viewer was told since it last read, which need not be said again.
	woken, urged bool
}

// ending is why a stream is over.
type ending string

// The endings.
const (
	endGone    ending = "gone"    // the viewer left
	endSlow    ending = "slow"    // the viewer took nothing for too long
	endTimeout ending = "timeout" // its time was over
	endStopped ending = "stopped" // the tap was closed
)

// newStream returns a stream that reads the tape from here on.
func newStream(tp *tape) *stream {
	s := &stream{
		tape: tp, wake: make(chan struct{}, 1), urgent: make(chan struct{}, 1), over: make(chan struct{}),
	}
	tp.join(s)
	return s
}

// isOver says whether the stream has ended.
func (s *stream) isOver() bool {
	select {
	case <-s.over:
		return true
	default:
		return false
	}
}

// signal puts the token into a channel that holds one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
