package tap

import "github.com/spilelog/spile/event"

// matches says whether the scopes of a let e pass. A value whose method panics matches nothing.
func (t *Tap) matches(a *ask, e *event.Event) bool {
	return len(a.scopes) == 0 || t.passes(a, e)
}

// passes is the verdict of the scopes.
func (t *Tap) passes(a *ask, e *event.Event) (ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	for i := range a.scopes {
		if !t.holds(&a.scopes[i], e) {
			return false
		}
	}
	return true
}

// holds is the verdict of one scope. The place of the call may give what the metadata does not have.
func (t *Tap) holds(s *scope, e *event.Event) bool {
	if !s.place {
		return s.matcher.Event(e)
	}
	if _, found := e.Metadata.Get(s.key); found {
		return s.matcher.Event(e)
	}
	v, ok := t.place(s.key, e)
	return ok && v.Text() == s.value
}

// rejects says whether what a logger carries rules out all that a wants. A value whose method panics rules out nothing
// here; it is told apart when it is logged.
func (a *ask) rejects(carried event.Metadata) (out bool) {
	defer func() {
		if recover() != nil {
			out = false
		}
	}()
	for i := range a.scopes {
		s := &a.scopes[i]
		if _, decided := carried.Get(s.key); decided && !s.matcher.Event(&event.Event{Metadata: carried}) {
			return true
		}
	}
	return false
}
