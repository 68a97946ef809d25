package auth

import (
	"context"
	"crypto/ed25519"
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// memory is a store of one test.
type memory map[string][]byte

func (m memory) Secret(_ context.Context, name string, fresh []byte) ([]byte, error) {
	if m[name] == nil {
		m[name] = fresh
	}
	return m[name], nil
}

// Revoked and Revoke keep each revocation under a name of its own.
func (m memory) Revoked(context.Context) (map[string]time.Time, error) {
	ends := map[string]time.Time{}
	for name, value := range m {
		if id, ok := strings.CutPrefix(name, "revoked:"); ok {
			end, err := time.Parse(time.RFC3339Nano, string(value))
			if err != nil {
				return nil, err
			}
			ends[id] = end
		}
	}
	return ends, nil
}

func (m memory) Revoke(ctx context.Context, ends map[string]time.Time, past time.Time) error {
	if m["broken"] != nil {
		return errBroken
	}
	before, err := m.Revoked(ctx)
	if err != nil {
		return err
	}
	for id, end := range before {
		if !end.After(past) {
			delete(m, "revoked:"+id)
		}
	}
	for id, end := range ends {
		m["revoked:"+id] = []byte(end.Format(time.RFC3339Nano))
	}
	return nil
}

// errBroken is what a broken store says.
var errBroken = errors.New("broken")

// clock is a time that a test sets.
type clock struct{ now time.Time }

func (c *clock) read() time.Time { return c.now }

// newTokens makes tokens at a fixed time.
func newTokens(t *testing.T) (*Tokens, *clock) {
	t.Helper()
	c := &clock{time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	tokens, err := NewTokens(t.Context(), memory{}, c.read)
	if err != nil {
		t.Fatal(err)
	}
	return tokens, c
}

func TestAdminTokenIsRenewed(t *testing.T) {
	tokens, c := newTokens(t)
	dir := t.TempDir()
	read := func() string {
		t.Helper()
		if err := tokens.EnsureAdmin(dir); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(filepath.Join(dir, AdminFile))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	first := read()
	c.now = c.now.Add(335 * 24 * time.Hour) // exactly 30 days remain
	if read() != first {
		t.Error("renewed with 30 days left")
	}
	c.now = c.now.Add(time.Second)
	second := read()
	if second == first {
		t.Error("not renewed with less than 30 days left")
	}
	if who, err := tokens.Verify(strings.TrimSpace(second)); err != nil || who.Expires.Sub(c.now) != adminTTL {
		t.Errorf("renewed token: %+v %v", who, err)
	}
	if err := os.WriteFile(filepath.Join(dir, AdminFile), []byte("broken"), 0o644); err != nil {
		t.Fatal(err)
	}
	if read() == "broken" {
		t.Error("a broken token was kept")
	}
	if info, err := os.Stat(filepath.Join(dir, AdminFile)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v %v", info.Mode(), err)
	}
}

func TestVerifyRefuses(t *testing.T) {
	tokens, c := newTokens(t)
	good := func() jwt.MapClaims {
		return jwt.MapClaims{"iss": issuer, "aud": audience, "sub": "x", "exp": c.now.Add(time.Hour).Unix()}
	}
	sign := func(method jwt.SigningMethod, key any, change func(jwt.MapClaims)) string {
		t.Helper()
		claims := good()
		if change != nil {
			change(claims)
		}
		text, err := jwt.NewWithClaims(method, claims).SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	_, edKey, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	valid := sign(jwt.SigningMethodHS256, tokens.key, nil)
	if _, err := tokens.Verify(valid); err != nil {
		t.Fatalf("a good token: %v", err)
	}
	drop := func(name string) func(jwt.MapClaims) { return func(m jwt.MapClaims) { delete(m, name) } }
	set := func(name string, value any) func(jwt.MapClaims) { return func(m jwt.MapClaims) { m[name] = value } }
	parts := strings.Split(valid, ".")
	for name, token := range map[string]string{
		"empty":           "",
		"none":            sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil),
		"hs512":           sign(jwt.SigningMethodHS512, tokens.key, nil),
		"eddsa":           sign(jwt.SigningMethodEdDSA, edKey, nil),
		"other-key":       sign(jwt.SigningMethodHS256, []byte(strings.Repeat("k", 32)), nil),
		"no-exp":          sign(jwt.SigningMethodHS256, tokens.key, drop("exp")),
		"expired":         sign(jwt.SigningMethodHS256, tokens.key, set("exp", c.now.Add(-leeway-time.Second).Unix())),
		"just-expired":    sign(jwt.SigningMethodHS256, tokens.key, set("exp", c.now.Unix())),
		"not-yet":         sign(jwt.SigningMethodHS256, tokens.key, set("nbf", c.now.Add(leeway+time.Second).Unix())),
		"no-issuer":       sign(jwt.SigningMethodHS256, tokens.key, drop("iss")),
		"other-issuer":    sign(jwt.SigningMethodHS256, tokens.key, set("iss", "else")),
		"no-audience":     sign(jwt.SigningMethodHS256, tokens.key, drop("aud")),
		"other-audience":  sign(jwt.SigningMethodHS256, tokens.key, set("aud", []string{"a", "b"})),
		"no-subject":      sign(jwt.SigningMethodHS256, tokens.key, drop("sub")),
		"no-signature":    parts[0] + "." + parts[1] + ".",
		"cut-signature":   valid[:len(valid)-4],
		"two-parts":       parts[0] + "." + parts[1],
		"many-dots":       strings.Repeat(".", 1<<20),
		"too-long":        sign(jwt.SigningMethodHS256, tokens.key, set("x", strings.Repeat("x", maxToken))),
		"changed-payload": parts[0] + "." + parts[1][:len(parts[1])-2] + "AA." + parts[2],
	} {
		t.Run(name, func(t *testing.T) {
			if who, err := tokens.Verify(token); err == nil {
				t.Errorf("accepted for %+v", who)
			}
		})
	}
}

// TestLoginOnce lets many use one code at once: exactly one wins.
func TestLoginOnce(t *testing.T) {
	logins := NewLogins(nil)
	for range 200 {
		code := logins.New()
		var won atomic.Int32
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				if logins.Use(code) {
					won.Add(1)
				}
			})
		}
		all.Wait()
		if won.Load() != 1 {
			t.Fatalf("%d won", won.Load())
		}
	}
}

func TestLoginCodesEnd(t *testing.T) {
	c := &clock{time.Unix(1_000_000, 0)}
	logins := NewLogins(c.read)
	late, first := logins.New(), ""
	c.now = c.now.Add(codeTTL)
	if logins.Use(late) {
		t.Error("a code was good after its time")
	}
	first = logins.New()
	for range maxCodes {
		logins.New()
	}
	if logins.Use(first) {
		t.Error("more codes wait than are allowed")
	}
	if logins.Use("") {
		t.Error("no code was good")
	}
}

func TestSameOrigin(t *testing.T) {
	const public = "https://logs.example.org"
	for _, test := range []struct {
		origin string
		want   bool
	}{
		{"http://127.0.0.1:7800", true},
		{"https://logs.example.org", true},
		{"https://LOGS.example.org", true},
		{"https://logs.example.org:443", true},
		{"http://logs.example.org", false},
		{"https://logs.example.org:8443", false},
		{"https://logs.example.org.", false},
		{"https://logs.example.org.evil.example", false},
		{"https://a.logs.example.org", false},
		{"https://u@logs.example.org", false},
		{"https://logs.example.org/", false},
		{"https://logs.example.org?", false},
		{"http://127.0.0.1", false},
		{"https://127.0.0.1:7800", false},
		{"http://localhost:7800", false},
		{"null", false},
		{"", false},
		{"file://", false},
	} {
		t.Run(test.origin, func(t *testing.T) {
			r := httptest.NewRequestWithContext(t.Context(), "GET", "http://127.0.0.1:7800/", nil)
			if got := SameOrigin(r, test.origin, public); got != test.want {
				t.Errorf("%v, want %v", got, test.want)
			}
		})
	}
}

func TestCheckEnrol(t *testing.T) {
	dir := t.TempDir()
	if ok, err := CheckEnrol(dir, ""); ok || err != nil {
		t.Errorf("no file: %v %v", ok, err)
	}
	if err := EnsureEnrol(dir); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(dir, EnrolFile))
	if err != nil {
		t.Fatal(err)
	}
	for token, want := range map[string]bool{string(data): true, strings.TrimSpace(string(data)): true, "": false, "x": false} {
		if ok, err := CheckEnrol(dir, token); ok != want || err != nil {
			t.Errorf("%q: %v %v", token, ok, err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, EnrolFile), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if ok, err := CheckEnrol(dir, ""); ok || err != nil {
		t.Errorf("an empty file admits: %v %v", ok, err)
	}
}
