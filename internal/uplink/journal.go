package uplink

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"syscall"

	"github.com/spilelog/spile/internal/durable"
	"github.com/spilelog/spile/wire"
)

const (
	// journalLimit is the size at which a journal is written anew without what is remembered no more.
	journalLimit = 1 << 20
	// draftBuffer is how much of a new journal is written at once.
	draftBuffer = 64 << 10
	// draftMark stands in the name of a new journal until it is whole, between the journal's name and a number.
	draftMark = ".new-"
)

// Range is where the lines of a batch lie in one place.
type Range struct {
	// Place is the index of the place's mark in the record.
	Place int   `json:"p"`
	From  int64 `json:"f"`
	To    int64 `json:"t"`
	// CutFrom, when not zero, says that the range is the kept beginning of a line of so many bytes.
	CutFrom int64 `json:"c,omitempty"`
	// Context says that the lines of the range do not match themselves.
	Context bool `json:"x,omitempty"`
}

// Mark is a position in a place. The journal does not look into At, which names the place in the words of the source
// that made it.
type Mark struct {
	// Place identifies the place within the process that wrote the record.
	Place  uint64          `json:"place"`
	At     json.RawMessage `json:"at"`
	Offset int64           `json:"offset"`
	// After is how many lines from here on are still to be sent for a match before them.
	After int `json:"after,omitempty"`
}

// State is how far a session has come: everything that counts so far, as of the marks.
type State struct {
	NextSeq  uint64             `json:"next_seq"`
	NextItem uint64             `json:"next_item"`
	Acked    uint64             `json:"acked"`
	Accounts wire.AgentAccounts `json:"accounts"`
	// OpenGap is a run of dropped events that no item stands for yet.
	OpenGap *OpenGap `json:"open_gap,omitempty"`
}

// OpenGap is a run of numbered events that were dropped for one reason.
type OpenGap struct {
	From   uint64 `json:"from"`
	To     uint64 `json:"to"`
	Reason string `json:"reason"`
}

// Item is what the journal knows of one item: enough to build it again.
type Item struct {
	Number uint64 `json:"item"`
	First  uint64 `json:"first,omitempty"`
	Count  uint64 `json:"count,omitempty"`
	// AtMS is the time, in Unix milliseconds, that lines without a time of their own carry in this batch.
	AtMS   int64   `json:"at_ms,omitempty"`
	Places []Mark  `json:"places,omitempty"`
	Ranges []Range `json:"ranges,omitempty"`
	// Gap is set for an item that is a gap.
	Gap *wire.Control `json:"gap,omitempty"`
}

// record is one line of the journal.
type record struct {
	// Base, on the first line and after each rewriting, holds the epoch and all marks; other records' marks replace
	// those of the same place.
	Base  *base  `json:"base,omitempty"`
	State *State `json:"state,omitempty"`
	Marks []Mark `json:"marks,omitempty"`
	Item  *Item  `json:"item,omitempty"`
}

// base opens a journal.
type base struct {
	Session string `json:"session"`
	Epoch   uint64 `json:"epoch"`
	KnownMS int64  `json:"known_ms,omitempty"`
}

// Recovered is what a journal held when it was opened.
type Recovered struct {
	Epoch uint64
	State State
	// KnownMS is when the epoch began, in Unix milliseconds: what has no mark appeared since. 0 where it is not known.
	KnownMS int64
	// Marks are the positions to go on from.
	Marks []Mark
	// Items are those that were not acknowledged, in order; Kept those before them that were.
	Items []Item
	Kept  []Item
}

// Journal is the record of one session on disk: an append-only file of JSON lines that is rewritten when it has grown.
// A record is written to the system before the item that it describes is sent, so that it survives the death of the
// process; with Sync also that of the machine. It is not safe for concurrent use.
type Journal struct {
	path string
	sync bool
	file *os.File // nil while there was no room to make it
	size int64
	// limit is the size at which the journal is full: more than once what the last rewriting left.
	limit int64
	// void says that a record could not be written, so that the file holds nothing until the next rewriting.
	void bool
	buf  []byte
}

// errVoid is the error of an append to a journal that missed a record.
var errVoid = errors.New("journal misses a record and waits to be written anew")

// OpenJournal opens the journal at path. The second result is nil if there was none, or none that can be read whole;
// a torn last line is what a death in mid-write leaves and is passed over. On a disk without room for one more file the
// journal waits, empty, to be written anew.
func OpenJournal(path string, sync bool) (*Journal, *Recovered, error) {
	rec, err := recoverJournal(path)
	if err != nil {
		return nil, nil, err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return &Journal{path: path, sync: sync, limit: journalLimit, void: true}, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("open journal: %w", err)
	}
	info, err := file.Stat()
	if err != nil {
		_ = file.Close()
		return nil, nil, fmt.Errorf("stat journal: %w", err)
	}
	return &Journal{path: path, sync: sync, file: file, size: info.Size(), limit: journalLimit}, rec, nil
}

// RemoveDrafts deletes what deaths in the midst of a rewriting left of the journals in a folder whose names end with
// suffix. No journal of the folder may be open.
func RemoveDrafts(folder, suffix string) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return fmt.Errorf("remove journal drafts: %w", err)
	}
	var failed []error
	for _, e := range entries {
		if e.Type().IsRegular() && strings.Contains(e.Name(), suffix+draftMark) {
			failed = append(failed, os.Remove(filepath.Join(folder, e.Name())))
		}
	}
	if err := errors.Join(failed...); err != nil {
		return fmt.Errorf("remove journal drafts: %w", err)
	}
	return nil
}

// recoverJournal reads the journal at path, nil if there is none.
func recoverJournal(path string) (*Recovered, error) {
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	defer func() { _ = file.Close() }()
	r := bufio.NewReader(file)
	var rec *Recovered
	for {
		line, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read journal: %w", err)
		}
		var one record
		if json.Unmarshal(line, &one) != nil {
			// No death in mid-write leaves a whole line that cannot be read. What follows it may have been sent, so
			// that going on from before it would give numbers twice: such a journal counts as lost.
			return nil, nil
		}
		rec = rec.apply(&one)
		if rec == nil {
			return nil, nil
		}
	}
	if rec != nil {
		rec.splitAcked()
	}
	return rec, nil
}

// apply folds one record into r and returns the result, nil if the journal does not begin with a base.
func (r *Recovered) apply(one *record) *Recovered {
	if one.Base != nil {
		r = &Recovered{Epoch: one.Base.Epoch, KnownMS: one.Base.KnownMS}
	}
	if r == nil {
		return nil
	}
	for _, m := range one.Marks {
		r.mark(m)
	}
	if one.State != nil {
		r.State = *one.State
	}
	if one.Item != nil {
		r.item(one.Item)
	}
	return r
}

// item takes one item in. One that is there already was a batch whose bytes were gone, and is a gap from then on.
func (r *Recovered) item(it *Item) {
	i := sort.Search(len(r.Items), func(i int) bool { return r.Items[i].Number >= it.Number })
	if i == len(r.Items) {
		r.Items = append(r.Items, *it)
		return
	}
	if r.Items[i].Gap == nil && it.Gap != nil {
		giveUp(&r.State.Accounts, it)
	}
	r.Items[i] = *it
}

// giveUp counts a batch that was sent as the gap that it has become.
func giveUp(a *wire.AgentAccounts, it *Item) {
	if a.Dropped == nil {
		a.Dropped = map[string]uint64{}
	}
	a.Sent -= it.Count
	a.Dropped[it.Gap.Reason] += it.Count
}

// mark sets the position of one place.
func (r *Recovered) mark(m Mark) {
	for i := range r.Marks {
		if r.Marks[i].Place == m.Place {
			r.Marks[i] = m
			return
		}
	}
	r.Marks = append(r.Marks, m)
}

// splitAcked tells the items that need no resend from the others.
func (r *Recovered) splitAcked() {
	shareNames(r.Items)
	acked := sort.Search(len(r.Items), func(i int) bool { return r.Items[i].Number > r.State.Acked })
	r.Kept, r.Items = r.Items[:acked:acked], r.Items[acked:]
}

// Append writes one record: an item (nil for none), the state after it (nil where only the item changed), and the marks
// that changed. A journal that missed one record is worth less than none, since numbers would be given twice: after an
// error it is emptied, and stays so until [Journal.Rewrite].
func (j *Journal) Append(item *Item, state *State, marks []Mark) error {
	if j.void {
		return errVoid
	}
	err := j.write(&record{State: state, Marks: marks, Item: item})
	if err == nil {
		return nil
	}
	return errors.Join(err, j.empty())
}

// empty makes the journal one that holds nothing until it is written anew.
func (j *Journal) empty() error {
	j.void = true
	if err := os.Truncate(j.path, 0); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("empty journal: %w", err)
	}
	return nil
}

// Full says whether the journal has grown so far, or misses so much, that [Journal.Rewrite] is due.
func (j *Journal) Full() bool { return j.void || j.size >= j.limit }

// Rewrite replaces the journal by the given session, epoch, state, all marks and the items still needed.
func (j *Journal) Rewrite(session string, rec *Recovered) error {
	tmp, err := os.CreateTemp(filepath.Dir(j.path), filepath.Base(j.path)+draftMark+"*")
	if err != nil {
		return fmt.Errorf("rewrite journal: %w", err)
	}
	old := *j
	j.file, j.size = tmp, 0
	head := base{Session: session, Epoch: rec.Epoch, KnownMS: rec.KnownMS}
	err = j.write(&record{Base: &head, State: &rec.State, Marks: rec.Marks})
	if err == nil {
		err = j.writeItems(rec.Kept, rec.Items)
	}
	if err == nil && j.sync {
		err = tmp.Sync()
	}
	if err == nil {
		err = os.Rename(tmp.Name(), j.path)
	}
	if err != nil {
		*j = old
		_ = tmp.Close()
		_ = os.Remove(tmp.Name())
		return fmt.Errorf("rewrite journal: %w", err)
	}
	_ = old.Close()
	j.void, j.limit = false, max(journalLimit, 2*j.size)
	if j.sync {
		return durable.SyncFolder(filepath.Dir(j.path))
	}
	return nil
}

// writeItems appends a record for each item. The file is a draft, so that it does not matter where a write ends.
func (j *Journal) writeItems(lists ...[]Item) error {
	w := bufio.NewWriterSize(j.file, draftBuffer)
	for _, list := range lists {
		for i := range list {
			data, err := json.Marshal(&record{Item: &list[i]})
			if err != nil {
				return fmt.Errorf("encode journal record: %w", err)
			}
			j.size += int64(len(data)) + 1
			if _, err := w.Write(append(data, '\n')); err != nil {
				return fmt.Errorf("write journal: %w", err)
			}
		}
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	return nil
}

// write appends one record in one call, so that only the last line of a journal can be torn.
func (j *Journal) write(one *record) error {
	data, err := json.Marshal(one)
	if err != nil {
		return fmt.Errorf("encode journal record: %w", err)
	}
	j.buf = append(append(j.buf[:0], data...), '\n')
	n, err := j.file.Write(j.buf)
	j.size += int64(n)
	if err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	if j.sync {
		if err := j.file.Sync(); err != nil {
			return fmt.Errorf("sync journal: %w", err)
		}
	}
	return nil
}

// Close closes the file and keeps it.
func (j *Journal) Close() error {
	if j.file == nil {
		return nil
	}
	return j.file.Close()
}

// Remove closes and deletes the journal of a session that is over.
func (j *Journal) Remove() error {
	_ = j.Close()
	if err := os.Remove(j.path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove journal: %w", err)
	}
	return nil
}
