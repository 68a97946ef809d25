package auth

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// login makes a login and returns its token and who it is.
func login(t *testing.T, tokens *Tokens, ttl time.Duration) (string, Principal) {
	t.Helper()
	token, err := tokens.IssueLogin("who", ttl)
	if err != nil {
		t.Fatal(err)
	}
	who, err := tokens.Verify(token)
	if err != nil || who.Login == "" {
		t.Fatalf("%+v %v", who, err)
	}
	return token, who
}

func TestRevokeEndsOneLogin(t *testing.T) {
	store, c := memory{}, &clock{time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	tokens, err := NewTokens(t.Context(), store, c.read)
	if err != nil {
		t.Fatal(err)
	}
	gone, who := login(t, tokens, time.Hour)
	other, _ := login(t, tokens, time.Hour)
	plain, err := tokens.Issue("who", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := tokens.Revoke(t.Context(), who); err != nil {
			t.Fatal(err)
		}
	}
	// No other token is ever revoked.
	if err := tokens.Revoke(t.Context(), Principal{Subject: "who", Expires: who.Expires}); err != nil {
		t.Fatal(err)
	}
	restarted, err := NewTokens(t.Context(), store, c.read)
	if err != nil {
		t.Fatal(err)
	}
	for name, tokens := range map[string]*Tokens{"same-process": tokens, "after-restart": restarted} {
		if got, err := tokens.Verify(gone); err == nil || got != (Principal{}) || tokens.Check(who) == nil {
			t.Errorf("%s: the login is still good: %+v", name, got)
		}
		for _, token := range []string{other, plain} {
			if _, err := tokens.Verify(token); err != nil {
				t.Errorf("%s: another one is refused: %v", name, err)
			}
		}
	}
	// What is over by itself is forgotten.
	c.now = c.now.Add(time.Hour)
	_, late := login(t, restarted, time.Hour)
	if err := restarted.Revoke(t.Context(), late); err != nil {
		t.Fatal(err)
	}
	if kept, err := store.Revoked(t.Context()); err != nil || len(kept) != 1 || len(restarted.revoked.ends) != 1 {
		t.Errorf("%v and %v are kept, %v", kept, restarted.revoked.ends, err)
	}
}

// TestRevokeIsBounded gives more logins back than are remembered: none of them comes back to life, and those that last
// longer stay.
func TestRevokeIsBounded(t *testing.T) {
	store, c := memory{}, &clock{time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	tokens, err := NewTokens(t.Context(), store, c.read)
	if err != nil {
		t.Fatal(err)
	}
	const most = 8
	tokens.revoked.most = most
	stays, _ := login(t, tokens, LoginTTL)
	plain, err := tokens.Issue("who", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for i := range 5 * most {
		token, who := login(t, tokens, time.Hour+time.Duration(i)*time.Second)
		all = append(all, token)
		if err := tokens.Revoke(t.Context(), who); err != nil {
			t.Fatal(err)
		}
		if kept, err := store.Revoked(t.Context()); err != nil || len(kept) > most || len(tokens.revoked.ends) > most {
			t.Fatalf("%d and %d are kept, %v", len(kept), len(tokens.revoked.ends), err)
		}
	}
	restarted, err := NewTokens(t.Context(), store, c.read)
	if err != nil {
		t.Fatal(err)
	}
	for name, tokens := range map[string]*Tokens{"same-process": tokens, "after-restart": restarted} {
		for i, token := range all {
			if _, err := tokens.Verify(token); err == nil {
				t.Errorf("%s: login %d is good again", name, i)
			}
		}
		for _, token := range []string{stays, plain} {
			if _, err := tokens.Verify(token); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestRevokeIsInForceWithABrokenStore(t *testing.T) {
	store := memory{}
	tokens, err := NewTokens(t.Context(), store, nil)
	if err != nil {
		t.Fatal(err)
	}
	token, who := login(t, tokens, time.Hour)
	store["broken"] = []byte{1}
	if err := tokens.Revoke(t.Context(), who); !errors.Is(err, errBroken) {
		t.Errorf("error %v", err)
	}
	if _, err := tokens.Verify(token); err == nil {
		t.Error("the login is still good")
	}
}

// TestWatchEndsOnce lets rights come and go while their login is revoked: each that did not go is ended once, and none
// of another login.
func TestWatchEndsOnce(t *testing.T) {
	tokens, _ := newTokens(t)
	_, other := login(t, tokens, time.Hour)
	tokens.Watch(other, func() { t.Error("a right of another login was ended") })
	tokens.Watch(Principal{Subject: "who"}, func() { t.Error("a right without a login was ended") })()
	for range 100 {
		_, who := login(t, tokens, time.Hour)
		var ended atomic.Int32
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				tokens.Watch(who, func() { ended.Add(1) })
				tokens.Watch(who, func() {})()
			})
		}
		all.Go(func() {
			if err := tokens.Revoke(t.Context(), who); err != nil {
				t.Error(err)
			}
		})
		all.Wait()
		if ended.Load() != 4 {
			t.Fatalf("%d of 4 were ended", ended.Load())
		}
	}
	if n := len(tokens.revoked.rights); n != 1 {
		t.Errorf("%d rights are kept", n)
	}
}
