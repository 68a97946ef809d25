package tap

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/spilelog/spile/wire"
)

// defaultRealm is what a browser names when it asks for the password.
const defaultRealm = "log"

// BasicAuth is the user and password that a request must give, by RFC 7617. Without TLS anyone on the way can read
// them.
type BasicAuth struct {
	User     string
	Password string
	// Realm is what a browser names when it asks; empty is "log".
	Realm string
}

// check says what is wrong with a.
func (a *BasicAuth) check() error {
	switch {
	case a.Password == "":
		return errors.New("check BasicAuth: the password is empty")
	case strings.Contains(a.User, ":"):
		return fmt.Errorf("check BasicAuth: the user %q holds a colon, which no request could send", a.User)
	case strings.ContainsFunc(a.Realm, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }):
		return fmt.Errorf("check BasicAuth: the realm %q must be printable ASCII without quotes and backslashes", a.Realm)
	}
	return nil
}

// passes says whether r has the user and password. How long it takes tells nothing about either.
func (a *BasicAuth) passes(r *http.Request) bool {
	user, password, _ := r.BasicAuth()
	return same(user, a.User)&same(password, a.Password) == 1
}

// same is 1 if the texts are equal.
func same(a, b string) int {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:])
}

// challenge is the header that asks for them.
func (a *BasicAuth) challenge() string {
	realm := a.Realm
	if realm == "" {
		realm = defaultRealm
	}
	return `Basic realm="` + realm + `", charset="UTF-8"`
}

// authorise says why r may not watch, nil if it may. It also sets the headers of that answer.
func (t *Tap) authorise(w http.ResponseWriter, r *http.Request) *wire.Error {
	if auth := t.o.BasicAuth; auth != nil && !auth.passes(r) {
		w.Header().Set("WWW-Authenticate", auth.challenge())
		return wire.Errorf(wire.CodeUnauthorized, "user and password are wanted")
	}
	if t.o.RequestFilter == nil {
		return nil
	}
	allowed, message := t.o.RequestFilter(r)
	switch {
	case allowed:
		return nil
	case message == "":
		message = "this request may not watch"
	}
	return wire.Errorf(wire.CodeForbidden, "%s", message)
}
