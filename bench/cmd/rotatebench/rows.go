package main

import "time"

// The lines of the usual rows, and the rate of those that are paced.
const (
	usual     = 100_000
	often     = 5000
	perSecond = 20_000
)

// row is one way to rotate.
type row struct {
	name string
	// lines are written, with a rotation after each so many.
	lines, every int
	// rate is how many lines a second are written, 0 as fast as it goes; rest is waited before a rotation, pause after.
	rate        int
	rest, pause time.Duration
	// rotate rotates the writer's file; nil never does.
	rotate func(*writer) error
	// stale makes a writer that does not append, and so leaves a hole where the file was cut.
	stale bool
	// refill lets the reader come to the end, then writes beyond where it stands before it can look.
	refill bool
	// overwrites says that no copy is left of what was written before a rotation, destroys that nobody could read it in
	// time either.
	overwrites, destroys bool
}

// rows are those of the table.
func rows() []row {
	return []row{
		{name: "plain, no rotation, 200,000 lines", lines: 2 * usual, every: 2 * usual},
		{name: "rename every 5,000, no pause", lines: usual, every: often, rotate: (*writer).rename},
		{
			name: "rename every 5,000, 100 ms pause", lines: usual, every: often, pause: 100 * time.Millisecond,
			rotate: (*writer).rename,
		},
		{name: "rename every 5,000, 20,000/s", lines: usual, every: often, rate: perSecond, rotate: (*writer).rename},
		{name: "copytruncate every 5,000, no pause", lines: usual, every: often, rotate: (*writer).copyTruncate},
		{
			name: "copytruncate every 5,000, 100 ms pause", lines: usual, every: often, pause: 100 * time.Millisecond,
			rotate: (*writer).copyTruncate,
		},
		{
			name: "copytruncate every 5,000, 1 s pause", lines: usual, every: often, pause: time.Second,
			rotate: (*writer).copyTruncate,
		},
		{
			name: "copytruncate every 5,000, 20,000/s", lines: usual, every: often, rate: perSecond,
			rotate: (*writer).copyTruncate,
		},
		{
			name: "copytruncate every 50,000, 20,000/s", lines: usual, every: 10 * often, rate: perSecond,
			rotate: (*writer).copyTruncate,
		},
		{
			name: "copytruncate, refilled beyond the old offset", lines: usual, every: often, refill: true,
			rotate: (*writer).copyTruncate,
		},
		{
			name: "copytruncate, writer that does not append, 20,000/s", lines: usual, every: often, rate: perSecond,
			rotate: (*writer).copyTruncate, stale: true,
		},
		{
			name: "delete and recreate every 5,000, 20,000/s", lines: usual, every: often, rate: perSecond,
			rotate: (*writer).recreate, overwrites: true,
		},
		{
			name: "overwrite: 50 lines, truncated every 10", lines: 50, every: 10, rotate: (*writer).truncate,
			overwrites: true, destroys: true,
		},
		{
			name: "overwrite: the same, 500 ms before each", lines: 50, every: 10, rest: 500 * time.Millisecond,
			rotate: (*writer).truncate, overwrites: true,
		},
	}
}

// few is how many lines a row may have that a short run leaves as it is.
const few = 1000

// shrink divides the lines of a row.
func (r *row) shrink(scale int) {
	if r.lines > few {
		r.lines, r.every = max(1, r.lines/scale), max(1, r.every/scale)
	}
}

// settleIn is how long a reader has to come to the end of the file before a refill.
const settleIn = 300 * time.Millisecond

// play writes the lines and rotates in between; line 0 was written before.
func (r *row) play(w *writer) error {
	for w.next < r.lines {
		left := r.lines - w.next
		if r.refill {
			// After the wait a few more lines, unread when the file is cut, and then more than there were.
			if err := w.write(w.next+min(r.every/10, left), r.rate); err != nil {
				return err
			}
			if err := r.rotate(w); err != nil {
				return err
			}
			left = r.lines - w.next
		}
		if err := w.write(w.next+min(r.every+r.grow(w), left), r.rate); err != nil {
			return err
		}
		switch {
		case r.refill:
			time.Sleep(settleIn)
		case r.rotate != nil && w.next < r.lines:
			time.Sleep(r.rest)
			if err := r.rotate(w); err != nil {
				return err
			}
			time.Sleep(r.pause)
		}
	}
	return nil
}

// grow is by how many lines this life of a file is longer than the one before, and the lines that were added to that
// before it was cut.
func (r *row) grow(w *writer) int {
	if !r.refill {
		return 0
	}
	return w.kept * (r.every/10 + 1)
}
