// Package auth knows who may speak to a server: people by signed tokens, the page by a login cookie, new agents by the
// enrolment token.
package auth

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/spilelog/spile/wire"
)

const (
	// issuer and audience are in every token that a server makes.
	issuer   = "spile"
	audience = "spile-api"
	// maxToken bounds the bytes of a token that is looked at.
	maxToken = 8 << 10
	// leeway is how far the clocks of two servers may differ, so that a token made by one is good at the other at once.
	// At its other end it adds nothing: a token that is over is over for every call alike.
	leeway = 60 * time.Second
	// keyBytes is the size of the signing key.
	keyBytes = 32
	// keyName is the signing key's name in the store.
	keyName = "token_signing_key"
	// MaxTTL bounds a token's life.
	MaxTTL = 10 * 365 * 24 * time.Hour
	// maxSubject bounds the bytes of a subject.
	maxSubject = 128
)

// Store keeps what tokens need beyond the life of a process.
type Store interface {
	// Secret returns the secret of this name, and stores fresh if there is none.
	Secret(ctx context.Context, name string, fresh []byte) ([]byte, error)
	Revocations
}

// Principal is who a token speaks for.
type Principal struct {
	Subject string
	// Expires is when the token ends; nothing it opened may last longer.
	Expires time.Time
	// Login is the id of the page's login that the token is, empty for every other token.
	Login string
}

// claims is what a token says.
type claims struct {
	jwt.RegisteredClaims
	// Login marks the login of a page: it can be given back before its end.
	Login bool `json:"login,omitempty"`
}

// Tokens makes and checks people's tokens: JWT, HS256, one key. It is safe for concurrent use.
type Tokens struct {
	key     []byte
	now     func() time.Time
	parser  *jwt.Parser
	revoked *revoked
}

// NewTokens loads the signing key, or makes it, and the logins that were given back. A nil now is the clock.
func NewTokens(ctx context.Context, store Store, now func() time.Time) (*Tokens, error) {
	if now == nil {
		now = time.Now
	}
	fresh := make([]byte, keyBytes)
	if _, err := rand.Read(fresh); err != nil {
		return nil, fmt.Errorf("make signing key: %w", err)
	}
	key, err := store.Secret(ctx, keyName, fresh)
	if err != nil {
		return nil, fmt.Errorf("load signing key: %w", err)
	}
	if len(key) < keyBytes {
		return nil, fmt.Errorf("load signing key: %d bytes, want %d", len(key), keyBytes)
	}
	revoked, err := loadRevoked(ctx, store)
	if err != nil {
		return nil, err
	}
	parser := jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithIssuer(issuer),
		jwt.WithAudience(audience), jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithLeeway(leeway),
		jwt.WithStrictDecoding(), jwt.WithTimeFunc(now))
	return &Tokens{key: key, now: now, parser: parser, revoked: revoked}, nil
}

// Issue makes a token for subject that lasts ttl, at least a second and at most MaxTTL.
func (t *Tokens) Issue(subject string, ttl time.Duration) (string, error) {
	return t.issue(subject, ttl, false)
}

// IssueLogin makes the token of a login at the page, which can be given back. It lasts at most LoginTTL.
func (t *Tokens) IssueLogin(subject string, ttl time.Duration) (string, error) {
	return t.issue(subject, min(ttl, LoginTTL), true)
}

func (t *Tokens) issue(subject string, ttl time.Duration, login bool) (string, error) {
	if subject == "" || len(subject) > maxSubject {
		return "", wire.Invalid("subject", "must have 1 to %d bytes", maxSubject)
	}
	if ttl < time.Second || ttl > MaxTTL {
		return "", wire.Invalid("ttl", "must be between 1s and %s", MaxTTL)
	}
	now := t.now()
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims{Login: login, RegisteredClaims: jwt.RegisteredClaims{
		Issuer: issuer, Audience: jwt.ClaimStrings{audience}, Subject: subject, ID: rand.Text(),
		IssuedAt: jwt.NewNumericDate(now), NotBefore: jwt.NewNumericDate(now),
		ExpiresAt: jwt.NewNumericDate(now.Add(ttl)),
	}}).SignedString(t.key)
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	return token, nil
}

// Verify says who a token speaks for, or returns a *wire.Error unauthorized that does not repeat the token.
func (t *Tokens) Verify(token string) (Principal, error) {
	if len(token) > maxToken {
		return Principal{}, wire.Errorf(wire.CodeUnauthorized, "the token is longer than %d bytes", maxToken)
	}
	var said claims
	_, err := t.parser.ParseWithClaims(token, &said, func(*jwt.Token) (any, error) { return t.key, nil })
	switch {
	case errors.Is(err, jwt.ErrTokenExpired):
		return Principal{}, wire.Errorf(wire.CodeUnauthorized, "the token has expired")
	case err != nil, said.Subject == "", said.Login && said.ID == floor:
		return Principal{}, wire.Errorf(wire.CodeUnauthorized, "the token is not valid here")
	case !t.now().Before(said.ExpiresAt.Time):
		return Principal{}, wire.Errorf(wire.CodeUnauthorized, "the token has expired")
	}
	who := Principal{Subject: said.Subject, Expires: said.ExpiresAt.Time}
	if said.Login {
		who.Login = said.ID
	}
	if err := t.Check(who); err != nil {
		return Principal{}, err
	}
	return who, nil
}

// Check returns a *wire.Error unauthorized when who was good earlier and has been logged out since.
func (t *Tokens) Check(who Principal) error {
	if who.Login != "" && t.revoked.has(who.Login, who.Expires) {
		return errGivenBack
	}
	return nil
}

// Revoke ends a login for good, with everything that stands on it; every other token stays as it is. It is in force
// even when it returns an error, which says that it could not be stored and that a restart would forget it.
func (t *Tokens) Revoke(ctx context.Context, who Principal) error {
	if who.Login == "" {
		return nil
	}
	return t.revoked.add(ctx, who.Login, who.Expires, t.now())
}

// Watch calls end once when the login of who is revoked, at once if it was already, and forget ends that. What is no
// login is never revoked.
func (t *Tokens) Watch(who Principal, end func()) (forget func()) {
	if who.Login == "" {
		return func() {}
	}
	return t.revoked.watch(who.Login, who.Expires, end)
}
