package agent

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"golang.org/x/time/rate"

	"github.com/spilelog/spile/agent/source"
	"github.com/spilelog/spile/internal/uplink"
	"github.com/spilelog/spile/wire"
)

// Times of a session's loop.
const (
	// tickInterval is how often a session looks after what no signal tells of.
	tickInterval = 250 * time.Millisecond
	// retryDelay is how soon a session tries again when the link's queue was full.
	retryDelay = 20 * time.Millisecond
	// flushGap is the shortest time between two batches of a reader that runs dry again and again, so that a file
	// written line by line costs no batch a line.
	flushGap = 2 * time.Millisecond
	// lagSamples is how many ticks make wire.LagLimit.
	lagSamples = int(wire.LagLimit / tickInterval)
)

// sender is where a session sends to; [uplink.Link] is one.
type sender interface {
	uplink.Sender
	// SendJSON takes one message of the given kind and says whether it found room.
	SendJSON(kind wire.LinkKind, body any) bool
}

// session is one lease at this agent. It belongs to the goroutine of run.
type session struct {
	id     string
	desc   wire.DesiredSession
	link   sender
	box    *mailbox
	log    *slog.Logger
	reader source.Reader
	out    *uplink.Outbox
	pipe   *pipeline
	limit  *rate.Limiter // nil without a limit
	// ends is when the session is over here, by the monotonic clock; hardEnd is the agent's own limit.
	ends, hardEnd time.Time
	// announced says that the server knows of the session on the present connection; wanted, that it asked for it
	// there.
	announced, wanted bool
	lostEpoch         uint64
	// history says that the end of history is still to be told. A session that goes on from its journal tells it again:
	// the server passes it on once.
	history bool
	// asked is what the server wants to have again, nil if nothing.
	asked *wire.Replay

	block  *source.Block // what is being processed, nil between blocks
	began  time.Time     // when the batch in the making got its first event
	sealed time.Time     // when the last batch was sealed because the reader ran dry
	told   wire.AgentAccounts
	toldAt time.Time
	lag    lagMeter
	last   *wire.Report // the last word, nil until the session is over
}

// run serves the session until it ends or ctx does. It returns the last word on a session that is over for good, nil
// for one that a later process goes on with.
func (s *session) run(ctx context.Context) *wire.Report {
	defer func() { _ = s.reader.Close() }()
	tick := time.NewTicker(tickInterval)
	defer tick.Stop()
	timer := time.NewTimer(time.Until(s.ends))
	defer timer.Stop()
	s.wanted = true
	s.announce()
	for {
		if ctx.Err() != nil {
			s.pause()
			return nil
		}
		m := s.box.take()
		if m.stop {
			s.finish("stopped")
			return s.last
		}
		s.apply(m, timer)
		if !time.Now().Before(s.ends) {
			s.finish("timeout")
			return s.last
		}
		if s.step() {
			select {
			case <-tick.C:
				s.tick()
			default:
			}
			continue
		}
		s.wait(ctx, tick, timer)
	}
}

// wait sleeps until there may be something to do.
func (s *session) wait(ctx context.Context, tick *time.Ticker, timer *time.Timer) {
	ready := s.reader.Ready()
	if s.block != nil || !s.reading() {
		ready = nil
	}
	var retry <-chan time.Time
	switch {
	case s.asked != nil:
		retry = time.After(retryDelay)
	case !s.out.Attached():
	case !s.out.Pump(s.link):
		retry = time.After(retryDelay)
	case !s.out.Empty():
		retry = time.After(flushGap)
	case s.block != nil:
		// Only the limit holds the session up.
		retry = time.After(retryDelay)
	}
	select {
	case <-ctx.Done():
	case <-s.box.wake:
	case <-ready:
	case <-timer.C:
	case <-retry:
	case <-tick.C:
		s.tick()
	}
}

// apply acts on what the server said.
func (s *session) apply(m mail, timer *time.Timer) {
	if m.down {
		s.out.Detach()
		s.announced, s.wanted, s.asked = false, false, nil
	}
	if m.desired != nil {
		s.wanted = true
		s.desc.RemainingMS = m.desired.RemainingMS
		s.setEnd(m.desired.RemainingMS)
		timer.Reset(time.Until(s.ends))
	}
	if m.desired != nil && !s.announced {
		s.announce()
	}
	if m.ack != nil {
		was := s.out.Attached()
		s.out.Ack(*m.ack)
		if !was && s.out.Attached() {
			s.lag.reset()
		}
		s.out.Pump(s.link)
	}
	if m.replay != nil {
		s.asked = m.replay
	}
	s.replay()
}

// replay answers the server's question, if there is one; it is put off while the link's queue is full.
func (s *session) replay() {
	if s.asked == nil {
		return
	}
	msg, err := s.out.Replay(s.asked)
	if errors.Is(err, uplink.ErrLater) {
		return
	}
	if err != nil {
		s.log.Error("replay_failed", "session", s.id, "reason", err.Error())
	}
	if err != nil || s.link.Send(msg) {
		s.asked = nil
	}
}

// setEnd sets the session's end, within the agent's own limit.
func (s *session) setEnd(remainingMS int64) {
	s.ends = time.Now().Add(time.Duration(remainingMS) * time.Millisecond)
	if s.ends.After(s.hardEnd) {
		s.ends = s.hardEnd
	}
}

// announce tells the server that the session is open and where its items begin.
func (s *session) announce() {
	s.announced = s.link.SendJSON(wire.LinkReport, s.out.Open(s.lostEpoch))
	s.told, s.toldAt = wire.AgentAccounts{}, time.Time{}
}

// reading says whether lines may be read now: with nobody attached the session holds its positions.
func (s *session) reading() bool { return s.out.Attached() }

// step reads and processes one block, or what is left of it. It says whether there may be more to do at once.
func (s *session) step() bool {
	if !s.reading() {
		return false
	}
	if s.block == nil && !s.tellHistoryEnd() {
		return false
	}
	if s.block == nil {
		block, err := s.reader.Next()
		if errors.Is(err, source.ErrDry) {
			s.dry()
			s.tellHistoryEnd()
			return false
		}
		if err != nil {
			s.log.Warn("read_source_failed", "session", s.id, "reason", err.Error())
			return false
		}
		s.begin(block)
	}
	if !s.process() {
		// What the limit lets through of a long block must not wait for its end.
		s.flushOld()
		return false
	}
	s.block = nil
	s.flushOld()
	s.compact()
	return true
}

// flushOld flushes a batch that is full or has waited for long.
func (s *session) flushOld() {
	if !s.out.Empty() && (s.out.Full() || time.Since(s.began) >= wire.FlushDelay) {
		s.flush()
	}
}

// compact rewrites the journal when it is due. It may be called only between blocks, when all positions are known.
func (s *session) compact() {
	if s.out.Due() {
		s.out.Seal()
		s.out.Rewrite(s.marks())
	}
}

// dry flushes what is there: nothing more to read now.
func (s *session) dry() {
	if time.Since(s.sealed) < flushGap {
		return
	}
	s.sealed = time.Now()
	if s.out.Accepting() {
		s.out.CloseGap()
	}
	s.flush()
}

// tellHistoryEnd tells that all history was sent, before anything that came later is read. It says whether reading may
// go on: not while the history waits for credit or for room on the link.
func (s *session) tellHistoryEnd() bool {
	if !s.history || !s.reader.HistoryDone() {
		return true
	}
	s.flush()
	s.out.CloseGap()
	if s.out.Empty() && s.out.Pump(s.link) {
		s.history = !s.link.SendJSON(wire.LinkReport, s.reportOf(wire.ReportHistoryEnd))
	}
	return !s.history
}

// flush seals the batch in the making, unless one still waits for credit, and sends.
func (s *session) flush() {
	if s.out.Pump(s.link) && !s.out.Empty() {
		s.out.Seal()
		s.out.Pump(s.link)
	}
}

// tick does what has to be done from time to time: accounts, the journal, the open gap, lag.
func (s *session) tick() {
	if s.wanted && !s.announced {
		// The link's queue was full.
		s.announce()
	}
	s.pipe.shares.fade()
	if s.block == nil {
		s.compact()
		s.skipLag()
	}
	if s.block == nil && s.reading() {
		s.out.CloseGap()
		s.flush()
	}
	s.out.Checkpoint()
	s.tellStats()
}

// skipLag skips what a live session cannot match in time, and announces it.
func (s *session) skipLag() {
	backlog := s.reader.Backlog()
	lagging := s.lag.sample(s.pipe.bytes, backlog)
	if s.desc.Mode == wire.ModeComplete || !s.reading() || !s.reader.HistoryDone() || !lagging {
		return
	}
	if s.pipe.around != nil {
		s.pipe.around.fresh = false
	}
	for _, skipped := range s.reader.SkipToEnd() {
		s.enter(&skipped)
		s.pipe.place.near.left = 0 // what follows is not next to the last match
		s.lose(&skipped)
	}
	s.lag.reset()
	s.out.Pump(s.link)
}

// tellStats reports the accounts if they changed, at most once in wire.StatsInterval.
func (s *session) tellStats() {
	if time.Since(s.toldAt) < wire.StatsInterval || !s.announced {
		return
	}
	now := s.out.Accounts()
	if sameAccounts(now, s.told) {
		return
	}
	if s.link.SendJSON(wire.LinkReport, s.reportOf(wire.ReportStats)) {
		s.told, s.toldAt = now, time.Now()
	}
}

// reportOf is a report on the session as it stands.
func (s *session) reportOf(state wire.ReportState) wire.Report {
	r := s.out.Open(0)
	r.State = state
	return r
}

// pause leaves the session so that a later process can go on with it.
func (s *session) pause() {
	if s.block == nil && s.out.Empty() {
		s.out.Rewrite(s.marks())
	}
	if err := s.out.Close(); err != nil {
		s.log.Warn("journal_close_failed", "session", s.id, "reason", err.Error())
	}
}

// finish ends the session: what is matched goes out as far as credit allows, the rest is counted and announced. It
// leaves the last word on the session in s.last.
func (s *session) finish(why string) {
	s.letAllGo()
	r := s.reportOf(wire.ReportClosed)
	accounts, err := s.out.Finish(s.link)
	if err != nil {
		s.log.Warn("journal_remove_failed", "session", s.id, "reason", err.Error())
	}
	r.Accounts = accounts
	s.last = &r
	s.log.Info("session_closed", "session", s.id, "result", why, "seen", accounts.Seen, "sent", accounts.Sent)
}

// sameAccounts compares two states of an account.
func sameAccounts(a, b wire.AgentAccounts) bool {
	if a.Seen != b.Seen || a.Sent != b.Sent || a.Pending != b.Pending || a.TruncatedLines != b.TruncatedLines {
		return false
	}
	for reason, n := range a.LostBytes {
		if b.LostBytes[reason] != n {
			return false
		}
	}
	for reason, n := range a.Dropped {
		if b.Dropped[reason] != n {
			return false
		}
	}
	return true
}

// lagMeter tells when matching has fallen behind writing: when what is unread was written more than wire.LagLimit ago.
type lagMeter struct {
	// written are the last readings of everything written so far, oldest first.
	written []int64
}

// sample takes one reading, a tick after the last, and says whether the reader lags.
func (l *lagMeter) sample(read, backlog int64) bool {
	l.written = append(l.written, read+backlog)
	if len(l.written) <= lagSamples {
		return false
	}
	l.written = l.written[1:]
	return l.written[0] > read
}

// reset forgets the readings: lag that has an innocent reason is over.
func (l *lagMeter) reset() { l.written = l.written[:0] }
