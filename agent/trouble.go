package agent

import (
	"errors"
	"fmt"
	"sync"
	"syscall"
)

// trouble is what keeps the agent from writing its own state, as the server and those who watch are told. Work goes on
// from memory; only a death would cost something.
type trouble struct {
	changed chan struct{} // capacity one, never closed

	mu         sync.Mutex
	checkpoint error            // of the counter
	journals   map[string]error // by session
}

// newTrouble is none.
func newTrouble() *trouble {
	return &trouble{changed: make(chan struct{}, 1), journals: map[string]error{}}
}

// checkpointed notes how writing the counter's checkpoint went.
func (t *trouble) checkpointed(err error) {
	t.mu.Lock()
	t.checkpoint = err
	t.mu.Unlock()
	signal(t.changed)
}

// journalled notes how writing a session's journal went. A session that is over has no trouble.
func (t *trouble) journalled(session string, err error) {
	t.mu.Lock()
	if err != nil {
		t.journals[session] = err
	} else {
		delete(t.journals, session)
	}
	t.mu.Unlock()
	signal(t.changed)
}

// text says it in words, empty when there is none.
func (t *trouble) text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var journal error
	for _, journal = range t.journals {
		break
	}
	switch {
	case t.checkpoint != nil && journal != nil:
		return fmt.Sprintf("checkpoint and journals (%d) cannot be written: %s", len(t.journals), cause(t.checkpoint))
	case t.checkpoint != nil:
		return "checkpoint cannot be written: " + cause(t.checkpoint)
	case journal != nil:
		return fmt.Sprintf("journals (%d) cannot be written: %s", len(t.journals), cause(journal))
	}
	return ""
}

// cause is the system's word on err, without the names of files where there is one.
func cause(err error) string {
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return errno.Error()
	}
	return err.Error()
}
