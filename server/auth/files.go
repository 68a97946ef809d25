package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spilelog/spile/internal/durable"
)

const (
	// AdminFile is the name, in the data folder, of the file with the administrator's token.
	AdminFile = "admin.token"
	// EnrolFile is the name, in the data folder, of the file with the token that agents enrol with.
	EnrolFile = "enrol.token"
	// AdminSubject is the subject of the token in AdminFile.
	AdminSubject = "admin"
	// adminTTL is the life of that token; it is renewed at a start with less than adminRenew left.
	adminTTL   = 365 * 24 * time.Hour
	adminRenew = 30 * 24 * time.Hour
	// maxEnrol bounds the bytes of the enrolment token.
	maxEnrol = 1 << 10
)

// EnsureAdmin writes the admin token into the folder dir unless the one there still lasts long enough.
func (t *Tokens) EnsureAdmin(dir string) error {
	path := filepath.Join(dir, AdminFile)
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read admin token: %w", err)
	}
	if err == nil {
		who, err := t.Verify(strings.TrimSpace(string(data)))
		if err == nil && who.Expires.Sub(t.now()) >= adminRenew {
			return protect(path)
		}
	}
	token, err := t.Issue(AdminSubject, adminTTL)
	if err != nil {
		return fmt.Errorf("renew admin token: %w", err)
	}
	return writeSecret(path, token)
}

// EnsureEnrol writes a fresh enrolment token into the folder dir if there is none.
func EnsureEnrol(dir string) error {
	path := filepath.Join(dir, EnrolFile)
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		if err != nil {
			return fmt.Errorf("find enrolment token: %w", err)
		}
		return protect(path)
	}
	return writeSecret(path, "enrol_"+rand.Text())
}

// ReadEnrol is the enrolment token of the folder dir, read each time as with [CheckEnrol].
func ReadEnrol(dir string) (string, error) {
	data, err := os.ReadFile(filepath.Join(dir, EnrolFile))
	if err != nil {
		return "", fmt.Errorf("read enrolment token: %w", err)
	}
	return strings.TrimSpace(string(data)), nil
}

// CheckEnrol says whether token is the enrolment token of the folder dir. The file is read each time, so that a
// replaced file is in force at once; an empty file admits nobody.
func CheckEnrol(dir, token string) (bool, error) {
	data, err := os.ReadFile(filepath.Join(dir, EnrolFile))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read enrolment token: %w", err)
	}
	want := strings.TrimSpace(string(data))
	if want == "" || len(token) > maxEnrol {
		return false, nil
	}
	a, b := sha256.Sum256([]byte(want)), sha256.Sum256([]byte(strings.TrimSpace(token)))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1, nil
}

// protect takes away from a token file what others may do with it.
func protect(path string) error {
	if err := os.Chmod(path, 0o600); err != nil {
		return fmt.Errorf("protect token file: %w", err)
	}
	return nil
}

// writeSecret writes a token file so that a reader sees the old or the new one, whole.
func writeSecret(path, token string) error {
	err := durable.Replace(path, func(w io.Writer) error {
		_, err := io.WriteString(w, token+"\n")
		return err
	})
	if err != nil {
		return fmt.Errorf("write token file: %w", err)
	}
	return nil
}
