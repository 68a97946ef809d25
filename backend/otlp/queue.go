package otlp

import (
	"errors"
	"sync"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/spilelog/spile"
)

// ErrQueueFull is what Log returns for a record that found the queue full.
var ErrQueueFull = errors.New("queue is full")

// batchBytes is the size above which a batch takes no further record, well below what collectors accept (20 MiB).
const batchBytes = 1 << 20

// Stats counts records since the backend was made: Logged = Sent + Pending + Dropped.Queue + Dropped.Rejected +
// Dropped.Failed at each moment. Records logged after Close are not among them.
type Stats struct {
	// Logged are those that were given to Log.
	Logged uint64
	// Sent are those that the collector took.
	Sent uint64
	// Pending are those that wait or are being sent.
	Pending uint64
	// Dropped are those that were lost.
	Dropped Dropped
}

// Dropped counts lost records by reason.
type Dropped struct {
	// Queue are those that found the queue full.
	Queue uint64
	// Rejected are those that the collector refused for good.
	Rejected uint64
	// Failed are those that could not be delivered in time, or before the end.
	Failed uint64
}

// batch is encoded records, each with the tag and length that it has within a ScopeLogs.
type batch struct {
	buf   []byte
	n     int
	first time.Time
}

// outcome is what became of the records of a batch.
type outcome struct {
	rejected, failed int
	// err is why some were lost, or the collector's warning.
	err error
}

// queue is the bounded store between those who log and the sender.
type queue struct {
	maxRecords, maxBytes, batchSize int
	every                           time.Duration
	// wake has room for one signal: that the sender should look again. Nobody closes it.
	wake chan struct{}
	// closing is closed by close.
	closing chan struct{}

	// mu guards all below. It is never held during input or output.
	mu     sync.Mutex
	stats  Stats
	bytes  int
	open   batch
	sealed []batch
	// spare is a buffer to use again.
	spare   []byte
	started bool
	closed  bool
	// finished counts the accepted records whose fate is known. They end in the order of the queue.
	finished uint64
	// lost counts those of them that were lost, and lostErr is why the last was.
	lost    uint64
	lostErr error
	// progress is closed, and replaced, whenever finished grows.
	progress chan struct{}
}

// put adds one record, the content of a LogRecord. Start says that it was the first one and nobody sends yet.
func (q *queue) put(record []byte) (start bool, err error) {
	size := protowire.SizeTag(scopeLogsRecords) + protowire.SizeBytes(len(record))
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false, spile.ErrClosed
	}
	q.stats.Logged++
	if q.stats.Pending >= uint64(q.maxRecords) || q.bytes+size > q.maxBytes {
		q.stats.Dropped.Queue++
		return false, ErrQueueFull
	}
	if q.open.n > 0 && len(q.open.buf)+size > batchBytes {
		q.sealLocked()
	}
	if q.open.n == 0 {
		q.open = batch{buf: q.spare[:0], first: time.Now()}
		q.spare = nil
		q.signal()
	}
	q.open.buf = protowire.AppendTag(q.open.buf, scopeLogsRecords, protowire.BytesType)
	q.open.buf = protowire.AppendBytes(q.open.buf, record)
	q.open.n++
	q.bytes += size
	q.stats.Pending++
	if q.open.n >= q.batchSize {
		q.sealLocked()
	}
	start = !q.started
	q.started = true
	return start, nil
}

// sealLocked makes the open batch one to be sent.
func (q *queue) sealLocked() {
	if q.open.n == 0 {
		return
	}
	q.sealed = append(q.sealed, q.open)
	q.open = batch{}
	q.signal()
}

// signal wakes the sender, now or when it next looks.
func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// take is the next batch to send. Without one it says after how long to look again, 0 for when woken, and whether
// there will never be one.
func (q *queue) take() (b batch, wait time.Duration, end bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.open.n > 0 && len(q.sealed) == 0 {
		if wait = q.every - time.Since(q.open.first); wait > 0 && !q.closed {
			return batch{}, wait, false
		}
		q.sealLocked()
	}
	if len(q.sealed) == 0 {
		return batch{}, 0, q.closed
	}
	b = q.sealed[0]
	q.sealed[0] = batch{}
	q.sealed = q.sealed[1:]
	return b, 0, false
}

// finish counts a batch that was taken, and takes its memory back.
func (q *queue) finish(b batch, o outcome) {
	q.mu.Lock()
	defer q.mu.Unlock()
	lost := o.rejected + o.failed
	q.stats.Pending -= uint64(b.n)
	q.stats.Sent += uint64(b.n - lost)
	q.stats.Dropped.Rejected += uint64(o.rejected)
	q.stats.Dropped.Failed += uint64(o.failed)
	q.bytes -= len(b.buf)
	if lost > 0 {
		q.lost += uint64(lost)
		q.lostErr = o.err
	}
	q.finished += uint64(b.n)
	close(q.progress)
	q.progress = make(chan struct{})
	q.spare = b.buf
}

// seal asks for all that is waiting to be sent, and returns up to which record that is and what was lost by now.
func (q *queue) seal() (target, lost uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.sealLocked()
	return q.stats.Logged - q.stats.Dropped.Queue, q.lost
}

// reached says whether the fate of target records is known, else when to look again; and what was lost, and why.
func (q *queue) reached(target uint64) (done bool, progress <-chan struct{}, lost uint64, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.finished >= target, q.progress, q.lost, q.lostErr
}

// close takes no further record. It says whether the queue was open, and whether somebody sends.
func (q *queue) close() (first, started bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if first = !q.closed; first {
		q.closed = true
		close(q.closing)
	}
	q.sealLocked()
	q.signal()
	return first, q.started
}

// snapshot is the counters of one moment.
func (q *queue) snapshot() Stats {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.stats
}
