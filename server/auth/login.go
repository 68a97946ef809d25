package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"sync"
	"time"
)

const (
	// CookieName is the name of the page's login cookie.
	CookieName = "spile_login"
	// LoginTTL is how long a login lasts.
	LoginTTL = 12 * time.Hour
	// codeTTL is how long a login code waits to be used; maxCodes how many may wait.
	codeTTL  = time.Hour
	maxCodes = 16
)

// Logins hands out one-use codes, each good for one login of the page.
type Logins struct {
	now func() time.Time
	// mu guards codes, the oldest first. Only hashes are kept, so that comparing tells nothing by its time.
	mu    sync.Mutex
	codes []loginCode
}

// loginCode is one code that waits.
type loginCode struct {
	hash    [sha256.Size]byte
	expires time.Time
}

// NewLogins makes an empty set. A nil now is the clock.
func NewLogins(now func() time.Time) *Logins {
	if now == nil {
		now = time.Now
	}
	return &Logins{now: now}
}

// New makes a code. When too many wait, the oldest is no longer good.
func (l *Logins) New() string {
	code := rand.Text()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.codes) >= maxCodes {
		l.codes = l.codes[1:]
	}
	l.codes = append(l.codes, loginCode{sha256.Sum256([]byte(code)), l.now().Add(codeTTL)})
	return code
}

// Use consumes a code and says whether it was good.
func (l *Logins) Use(code string) bool {
	hash := sha256.Sum256([]byte(code))
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, c := range l.codes {
		if c.hash == hash {
			l.codes = append(l.codes[:i:i], l.codes[i+1:]...)
			return l.now().Before(c.expires)
		}
	}
	return false
}
