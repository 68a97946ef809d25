package agent

import (
	"bytes"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/spilelog/spile/wire"
)

const (
	permille = 1000
	kibi     = 1024
)

// usage measures what the agent itself takes. It belongs to one goroutine.
type usage struct {
	folder string
	at     time.Time
	cpu    time.Duration
}

// newUsage begins to measure; folder is where the disk is looked at.
func newUsage(folder string) *usage {
	return &usage{folder: folder, at: time.Now(), cpu: processCPU()}
}

// metrics is what was taken since the last call, without the sources.
func (u *usage) metrics() wire.Metrics {
	now, cpu := time.Now(), processCPU()
	elapsed := max(now.Sub(u.at), time.Millisecond)
	m := wire.Metrics{
		IntervalMS:   uint64(elapsed.Milliseconds()),
		CPUPermille:  uint64(permille * (cpu - u.cpu) / elapsed),
		MemoryKiB:    residentKiB(),
		DiskPermille: diskPermille(u.folder),
	}
	u.at, u.cpu = now, cpu
	return m
}

// processCPU is the processor time of this process, user and system.
func processCPU() time.Duration {
	var r unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &r); err != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// residentKiB is the resident memory of this process, 0 where the system does not tell.
func residentKiB() uint64 {
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := bytes.Fields(data)
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseUint(string(fields[1]), 10, 64)
	if err != nil {
		return 0
	}
	return pages * uint64(os.Getpagesize()) / kibi
}

// diskPermille is how full the file system of folder is, 0 where the system does not tell.
func diskPermille(folder string) uint64 {
	var s unix.Statfs_t
	if err := unix.Statfs(folder, &s); err != nil || s.Blocks == 0 {
		return 0
	}
	return permille * (s.Blocks - s.Bavail) / s.Blocks
}
