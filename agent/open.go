package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"golang.org/x/time/rate"

	"github.com/spilelog/spile/agent/source"
	"github.com/spilelog/spile/event"
	"github.com/spilelog/spile/filter"
	"github.com/spilelog/spile/internal/parse"
	"github.com/spilelog/spile/internal/uplink"
	"github.com/spilelog/spile/wire"
)

// sessionID is what a session's id must look like before it names a file.
var sessionID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// openSession prepares a session, going on from its journal if there is one.
func (a *Agent) openSession(ctx context.Context, d wire.DesiredSession, agentID string) (*session, error) {
	if !sessionID.MatchString(d.ID) {
		return nil, wire.Invalid("id", "%q: must be 1 to 64 letters, digits, dashes or underscores", d.ID)
	}
	if d.RemainingMS <= 0 {
		return nil, wire.Errorf(wire.CodeSessionEnded, "session is over")
	}
	// The agent's own limit counts from the session's start, so that no restart makes a session longer.
	left := a.cfg.MaxSession - time.Duration(d.AgeMS)*time.Millisecond
	if left <= 0 {
		return nil, wire.Errorf(wire.CodeSessionEnded, "session is older than the %v that this agent allows",
			a.cfg.MaxSession)
	}
	match, err := filter.Compile(d.Filters)
	if err != nil {
		return nil, err
	}
	s := &session{
		id: d.ID, desc: d, log: a.cfg.Log, hardEnd: time.Now().Add(left),
		pipe: &pipeline{match: match, frame: a.framer(&d), places: map[uint64]*place{}},
	}
	if d.Context != (wire.Context{}) {
		s.pipe.around = &around{Context: d.Context, read: a.files.ReadRange}
	}
	s.setEnd(d.RemainingMS)
	if a.cfg.MaxRate > 0 {
		s.limit = rate.NewLimiter(rate.Limit(a.cfg.MaxRate), a.cfg.MaxRate)
	}
	path := filepath.Join(a.cfg.Data, sessionFolder, d.ID+journalSuffix)
	journal, rec, err := uplink.OpenJournal(path, a.cfg.SyncJournal)
	if err != nil {
		return nil, err
	}
	known := time.Now().UnixMilli()
	if err := a.openReader(ctx, s, rec); err != nil {
		_ = journal.Close()
		return nil, err
	}
	if rec == nil {
		rec = &uplink.Recovered{
			Epoch: d.Epoch + 1, KnownMS: known, Marks: s.pipe.baseMarks(s.reader.Positions(), nil),
		}
		s.lostEpoch = d.Epoch
	}
	s.out, err = uplink.NewOutbox(uplink.OutboxOptions{
		Session: d.ID, AgentID: agentID, Journal: journal, Recovered: rec, Encoder: a.encoder,
		Rebuild: func(item *uplink.Item) ([][]byte, error) {
			members, err := a.rebuild(item, &d)
			if err != nil && ctx.Err() != nil {
				err = uplink.ErrLater // the files are let go of too
			}
			return members, err
		},
		Log:        a.cfg.Log,
		Journalled: func(err error) { a.trouble.journalled(d.ID, err) },
	})
	if err != nil {
		_ = s.reader.Close()
		_ = journal.Close()
		return nil, err
	}
	return s, nil
}

// openReader opens the session's reader, where the journal left off or at the session's origin.
func (a *Agent) openReader(ctx context.Context, s *session, rec *uplink.Recovered) error {
	d := &s.desc
	start := source.Start{Accept: s.pipe.match.Source}
	s.history = d.SinceMS > 0 || d.Tail > 0
	if s.history {
		start.Match, start.TimeOf = historyMatch(s.pipe.match), lineTime()
	}
	switch {
	case rec != nil:
		var owed map[standing]int
		var err error
		if start.Resume, owed, err = resumePositions(rec.Marks); err != nil {
			return fmt.Errorf("read journal: %w", err)
		}
		if rec.KnownMS > 0 {
			start.Known = time.UnixMilli(rec.KnownMS)
		}
		if s.pipe.around != nil {
			s.pipe.around.owed = owed
		}
		// The numbers of places are those of the process that died; this one gives them to other files.
		rec.Marks = s.pipe.baseMarks(slices.Values(start.Resume), nil)
	default:
		if d.SinceMS > 0 {
			start.Since = time.Now().Add(-time.Duration(d.AgeMS+d.SinceMS) * time.Millisecond)
		}
		start.Tail = d.Tail
		if s.pipe.around != nil {
			s.pipe.around.fresh = true
		}
	}
	reader, err := a.files.Open(ctx, start)
	if err != nil {
		return fmt.Errorf("open source: %w", err)
	}
	s.reader = reader
	return nil
}

// framer makes the frames of a session.
func (a *Agent) framer(d *wire.DesiredSession) framer {
	return framer{host: a.host, raw: d.Raw, ends: d.Context != (wire.Context{})}
}

// rebuild makes the members of a recovered batch's frames from the bytes that its record names.
func (a *Agent) rebuild(item *uplink.Item, d *wire.DesiredSession) ([][]byte, error) {
	frame := a.framer(d)
	now := time.UnixMilli(item.AtMS)
	parsers := make([]parse.Parser, len(item.Places))
	places := make([]source.Position, len(item.Places))
	for i, m := range item.Places {
		if err := json.Unmarshal(m.At, &places[i]); err != nil {
			return nil, fmt.Errorf("decode position: %w", err)
		}
	}
	var out [][]byte
	var ev event.Event
	for _, r := range item.Ranges {
		if r.Place < 0 || r.Place >= len(places) {
			return nil, fmt.Errorf("decode range: place %d of %d", r.Place, len(places))
		}
		at := places[r.Place]
		data, err := a.files.ReadRange(at, r.From, r.To)
		if err != nil {
			return nil, err
		}
		offset := r.From
		for line := range bytes.Lines(data) {
			text := bytes.TrimSuffix(line, []byte{'\n'})
			ev.Reset()
			parsers[r.Place].Parse(string(bytes.TrimSuffix(text, []byte{'\r'})), now, &ev)
			ev.Source = at.Source
			out = append(out, frame.members(nil, &ev, frameOrigin{
				path: at.Path, offset: offset, end: offset + int64(len(line)), cutFrom: r.CutFrom, raw: text,
				context: r.Context,
			}))
			offset += int64(len(line))
		}
	}
	return out, nil
}

// journalSuffix is the ending of a journal's file name.
const journalSuffix = ".journal"

// removeStaleLocked deletes the journals of sessions that nobody wants any more.
func (s *sessions) removeStaleLocked(wanted map[string]bool) {
	dir := filepath.Join(s.agent.cfg.Data, sessionFolder)
	names, err := filepath.Glob(filepath.Join(dir, "*"+journalSuffix))
	if err != nil {
		return
	}
	for _, name := range names {
		id := filepath.Base(name[:len(name)-len(journalSuffix)])
		if !wanted[id] && s.open[id] == nil {
			s.agent.removeJournal(name)
		}
	}
}

// asWireError is err as it is told to a server.
func asWireError(err error) *wire.Error {
	var we *wire.Error
	if errors.As(err, &we) {
		return we
	}
	return wire.Errorf(wire.CodeInternal, "%v", err)
}
