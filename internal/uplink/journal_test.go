package uplink_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spilelog/spile/internal/uplink"
	"github.com/spilelog/spile/wire"
)

// writeJournal makes a journal of three items and returns its path.
func writeJournal(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sess_x.journal")
	j, _, err := uplink.OpenJournal(path, false)
	if err != nil {
		t.Fatal(err)
	}
	state := uplink.State{NextSeq: 1, NextItem: 1}
	if err := j.Rewrite("sess_x", &uplink.Recovered{Epoch: 7, State: state}); err != nil {
		t.Fatal(err)
	}
	for n := uint64(1); n <= 3; n++ {
		state.NextSeq, state.NextItem = n+1, n+1
		if err := j.Append(&uplink.Item{Number: n, First: n, Count: 1}, &state, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestJournalThatIsBrokenInsideCountsAsLost(t *testing.T) {
	path := writeJournal(t)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for at := range whole {
		torn := bytes.Clone(whole)
		torn[at] = 0
		if err := os.WriteFile(path, torn, 0o600); err != nil {
			t.Fatal(err)
		}
		j, rec, err := uplink.OpenJournal(path, false)
		if err != nil {
			t.Fatal(err)
		}
		// What reads whole may be believed: the last line may be torn, any other broken line means that all is lost.
		if last := bytes.LastIndexByte(whole[:len(whole)-1], '\n'); rec != nil && at < last && len(rec.Items) != 3 {
			t.Errorf("byte %d broken: went on from item %d of 3", at, len(rec.Items))
		}
		_ = j.Close()
	}
}

func TestJournalThatMissedARecordIsEmptyUntilRewritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sess_x.journal")
	j, _, err := uplink.OpenJournal(path, false)
	if err != nil {
		t.Fatal(err)
	}
	state := uplink.State{NextSeq: 2, NextItem: 2}
	item := &uplink.Item{Number: 1, First: 1, Count: 1}
	rec := &uplink.Recovered{Epoch: 7, State: state, Items: []uplink.Item{*item}}
	if err := j.Rewrite("sess_x", rec); err != nil {
		t.Fatal(err)
	}
	// A closed file stands for a full disk: it takes nothing.
	_ = j.Close()
	if err := j.Append(item, &state, nil); !errors.Is(err, os.ErrClosed) {
		t.Fatalf("append: %v, want that nothing was written", err)
	}
	if !j.Full() {
		t.Error("a journal that missed a record is not due to be rewritten")
	}
	if info, err := os.Stat(path); err != nil || info.Size() != 0 {
		t.Errorf("size %v, %v after a record was missed; want nothing to go on from", info.Size(), err)
	}
	if err := j.Append(item, &state, nil); err == nil {
		t.Error("a record was appended behind one that is missing")
	}
}

func TestFullDiskIsNotTriedAgainAtOnce(t *testing.T) {
	j, _, err := uplink.OpenJournal(filepath.Join(t.TempDir(), "sess_x.journal"), false)
	if err != nil {
		t.Fatal(err)
	}
	out, err := uplink.NewOutbox(uplink.OutboxOptions{
		Session: "sess_x", AgentID: "a", Journal: j, Recovered: &uplink.Recovered{Epoch: 1},
		Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	_ = j.Close()
	out.Drop("rate")
	out.Checkpoint()
	if out.Due() {
		t.Error("the journal is to be rewritten in the moment in which there was no room")
	}
}

// TestJournalThatADeathCutIsReadToItsLastWholeRecord cuts a journal where any death in mid-write may cut it.
// TestBatchIsGivenUpOnce lets the bytes of a batch go while the process is dead. The next life makes a gap of it, and the
// one after that knows it as one.
func TestBatchIsGivenUpOnce(t *testing.T) {
	r := newRewound(t)
	r.gone[r.at-20] = true
	before := r.out.Accounts()
	for life := range 3 {
		r.open()
		r.ack(4)
		r.out.Pump(&blind{})
		r.out.Checkpoint()
		a := r.out.Accounts()
		if a.Sent != before.Sent-2 || a.Dropped[wire.ReasonReplayLost] != 2 || !a.Closes() {
			t.Errorf("life %d: %+v, before it %+v", life, a, before)
		}
	}
	_, rec, err := uplink.OpenJournal(r.path, false)
	if err != nil {
		t.Fatal(err)
	}
	if len(rec.Items) != 1 || rec.Items[0].Gap == nil || rec.State.Accounts.Sent != before.Sent-2 {
		t.Errorf("the journal holds %+v, %+v", rec.Items, rec.State)
	}
}

func TestJournalThatADeathCutIsReadToItsLastWholeRecord(t *testing.T) {
	path := writeJournal(t)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for end := range len(whole) + 1 {
		if err := os.WriteFile(path, whole[:end], 0o600); err != nil {
			t.Fatal(err)
		}
		j, rec, err := uplink.OpenJournal(path, false)
		if err != nil {
			t.Fatalf("cut at byte %d: %v", end, err)
		}
		_ = j.Close()
		records := bytes.Count(whole[:end], []byte{'\n'}) // the first is the base
		switch {
		case records == 0 && rec != nil:
			t.Errorf("cut at byte %d: went on without a base", end)
		case records > 0 && (rec == nil || rec.Epoch != 7 || len(rec.Items) != records-1):
			t.Errorf("cut at byte %d: recovered %+v, want %d items of epoch 7", end, rec, records-1)
		}
	}
}

// TestOutboxWithoutRoomGoesOnFromMemory opens a session whose journal cannot be written: it works, and says so once,
// and once that the journal is written again.
func TestOutboxWithoutRoomGoesOnFromMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "sessions")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, "sess_x.journal")
		j, _, err := uplink.OpenJournal(path, false)
		if err != nil {
			t.Fatal(err)
		}
		// A folder that is gone stands for a full disk: nothing can be made in it.
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		var told []bool
		out, err := uplink.NewOutbox(uplink.OutboxOptions{
			Session: "sess_x", AgentID: "a", Journal: j, Recovered: &uplink.Recovered{Epoch: 3},
			Log: slog.New(slog.DiscardHandler), Journalled: func(err error) { told = append(told, err == nil) },
		})
		if err != nil {
			t.Fatal(err)
		}
		out.Drop(wire.ReasonRate)
		out.Checkpoint()
		out.Rewrite(nil)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		<-time.After(2 * time.Second)
		if !out.Due() {
			t.Fatal("the journal is not due to be written anew")
		}
		out.Rewrite(nil)
		out.Drop(wire.ReasonRate)
		out.Checkpoint()
		if diff := cmp.Diff([]bool{false, true}, told); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
		if err := out.Close(); err != nil {
			t.Fatal(err)
		}
		_, rec, err := uplink.OpenJournal(path, false)
		if err != nil || rec == nil || rec.Epoch != 3 || rec.State.NextSeq != 3 {
			t.Errorf("recovered %+v %v, want epoch 3 with 2 events", rec, err)
		}
	})
}

// TestLossAndWhatFollowsAreOneRecord dies after each record of a loss: it is announced and passed by, or neither.
func TestLossAndWhatFollowsAreOneRecord(t *testing.T) {
	r := newRewound(t)
	r.lines(1)
	lost := wire.Control{Reason: wire.ReasonTruncated, Count: 40, Unit: wire.UnitBytes, File: "a"}
	before := r.at
	r.at += 40
	r.out.Lost(lost, uplink.Mark{Place: 1, At: json.RawMessage(`{"path":"a"}`), Offset: r.at})
	whole, err := os.ReadFile(r.path)
	if err != nil {
		t.Fatal(err)
	}
	told := map[bool]int{}
	for at, c := range whole {
		if c != '\n' {
			continue
		}
		if err := os.WriteFile(r.path, whole[:at+1], 0o600); err != nil {
			t.Fatal(err)
		}
		j, rec, err := uplink.OpenJournal(r.path, false)
		if err != nil || rec == nil {
			t.Fatalf("journal cut at %d: %+v, %v", at, rec, err)
		}
		_ = j.Close()
		announced := slices.ContainsFunc(rec.Items, func(it uplink.Item) bool { return it.Gap != nil && it.Gap.Count == 40 })
		passed := slices.ContainsFunc(rec.Marks, func(m uplink.Mark) bool { return m.Offset > before })
		if announced != passed {
			t.Errorf("journal cut at %d: announced %v, passed by %v", at, announced, passed)
		}
		told[announced]++
	}
	if told[true] == 0 || told[false] == 0 {
		t.Errorf("%d records with the loss, %d without", told[true], told[false])
	}
}
