package main

import (
	"fmt"
	"runtime"
	"syscall"
	"time"
)

// measurement is one thing to measure.
type measurement struct {
	what, who string
	// open makes what is measured, anew for each round.
	open  func() (*subject, error)
	goals []goal
	// calls is how many calls a round makes.
	calls int
	best  result
}

// subject is an open logger.
type subject struct {
	// log makes n calls.
	log func(n int)
	// finish waits until everything is where it belongs, which is part of what is measured, and says how many records
	// were dropped on the way, and how many not. It may be nil.
	finish func() (account, error)
	// close releases what is left; it may be nil.
	close func()
}

// account is what became of the records that were logged for viewers.
type account struct{ delivered, dropped uint64 }

// result is the outcome of the best round.
type result struct {
	ns, wall, allocs float64 // a call
	account          account
}

const (
	// warmUp is how many calls go before those that are counted, but for what finish counts.
	warmUp = 200
	// firstCalls is with how many calls it is found out how many a round takes.
	firstCalls = 2000
)

// measure runs m once, for about so long, and keeps the result if it is the best so far.
func (m *measurement) measure(long time.Duration) error {
	if m.calls == 0 {
		r, err := m.round(firstCalls)
		if err != nil {
			return err
		}
		m.calls = max(firstCalls, int(float64(long)/max(r.wall, 1)))
	}
	r, err := m.round(m.calls)
	if err != nil {
		return err
	}
	if m.best.ns == 0 || r.ns < m.best.ns {
		m.best = r
	}
	return nil
}

// round makes n calls.
func (m *measurement) round(n int) (result, error) {
	s, err := m.open()
	if err != nil {
		return result{}, fmt.Errorf("open: %w", err)
	}
	if s.close != nil {
		defer s.close()
	}
	s.log(warmUp)
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpu, start := cpuTime(), time.Now()
	s.log(n)
	var r result
	if s.finish != nil {
		if r.account, err = s.finish(); err != nil {
			return result{}, err
		}
		if sum := r.account.delivered + r.account.dropped; sum > 0 && sum != uint64(n+warmUp) {
			return result{}, fmt.Errorf("%d records are accounted for, %d were logged", sum, n+warmUp)
		}
	}
	wall := time.Since(start)
	r.ns, r.wall = float64(cpuTime()-cpu)/float64(n), float64(wall)/float64(n)
	runtime.ReadMemStats(&after)
	r.allocs = float64(after.Mallocs-before.Mallocs) / float64(n)
	return r, nil
}

// cpuTime is the processor time that this process has used.
func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
