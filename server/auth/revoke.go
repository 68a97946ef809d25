package auth

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/spilelog/spile/wire"
)

// maxRevoked bounds the logins that are remembered as given back.
const maxRevoked = 10_000

// errGivenBack refuses a login that was given back.
var errGivenBack = wire.Errorf(wire.CodeUnauthorized, "the login is over: it was logged out")

// Revocations keeps the logins that are over before their time, by their ids.
type Revocations interface {
	// Revoked returns what is kept.
	Revoked(ctx context.Context) (map[string]time.Time, error)
	// Revoke keeps more, each until its time, and lets go of what ended at past or before.
	Revoke(ctx context.Context, ends map[string]time.Time, past time.Time) error
}

// revoked are the logins that were given back, and what stands on those that were not. It is safe for concurrent use.
type revoked struct {
	keep Revocations
	most int

	// mu guards the fields below. Nothing is called under it.
	mu sync.Mutex
	// ends has the end of each login that was given back. When it is full, those that end first are put together under
	// the id floor: every login that ends by then counts as given back, so that none comes back to life.
	ends map[string]time.Time
	// rights are what to end with a login.
	rights map[*right]struct{}
}

// floor is the id, which no login has, of the time up to which all are over.
const floor = ""

// right is something that was opened with a login and ends with it.
type right struct {
	login   string
	expires time.Time
	end     func()
}

// loadRevoked makes the set of what was given back earlier.
func loadRevoked(ctx context.Context, keep Revocations) (*revoked, error) {
	ends, err := keep.Revoked(ctx)
	if err != nil {
		return nil, err
	}
	return &revoked{keep: keep, most: maxRevoked, ends: ends, rights: map[*right]struct{}{}}, nil
}

// has says whether a login is over.
func (r *revoked) has(login string, expires time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.hasLocked(login, expires)
}

func (r *revoked) hasLocked(login string, expires time.Time) bool {
	_, found := r.ends[login]
	return found || !expires.After(r.ends[floor])
}

// add gives a login back. It is over when this returns, also with an error, which says that a restart would forget it.
func (r *revoked) add(ctx context.Context, login string, expires, now time.Time) error {
	r.mu.Lock()
	news, past := map[string]time.Time{login: expires}, now
	for id, end := range r.ends {
		if !end.After(now) {
			delete(r.ends, id)
		}
	}
	r.ends[login] = expires
	if len(r.ends) > r.most {
		past = r.raiseLocked()
		news[floor] = past
	}
	var over []func()
	for right := range r.rights {
		if r.hasLocked(right.login, right.expires) {
			delete(r.rights, right)
			over = append(over, right.end)
		}
	}
	r.mu.Unlock()
	for _, end := range over {
		end()
	}
	return r.keep.Revoke(ctx, news, past)
}

// raiseLocked puts the half that ends first together under the floor, and returns the floor.
func (r *revoked) raiseLocked() time.Time {
	all := make([]time.Time, 0, len(r.ends))
	for _, end := range r.ends {
		all = append(all, end)
	}
	slices.SortFunc(all, time.Time.Compare)
	to := all[len(all)/2]
	for id, end := range r.ends {
		if !end.After(to) {
			delete(r.ends, id)
		}
	}
	r.ends[floor] = to
	return to
}

// watch calls end when a login is given back, at once if it was already; forget ends that.
func (r *revoked) watch(login string, expires time.Time, end func()) (forget func()) {
	one := &right{login: login, expires: expires, end: end}
	r.mu.Lock()
	over := r.hasLocked(login, expires)
	if !over {
		r.rights[one] = struct{}{}
	}
	r.mu.Unlock()
	if over {
		end()
	}
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.rights, one)
	}
}
