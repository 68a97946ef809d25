package agent

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/spilelog/spile/internal/backoff"
	"github.com/spilelog/spile/internal/durable"
	"github.com/spilelog/spile/wire"
)

// identityFile is the name of the file, in the data folder, that holds the agent's key and id.
const identityFile = "agent.json"

// Times of the enrolment.
const (
	enrolTimeout  = 30 * time.Second
	enrolRetryMin = 250 * time.Millisecond
	enrolRetryMax = 15 * time.Second
)

// identity is who the agent is: an id from the server, empty before it is enrolled, and a key of its own making.
type identity struct {
	AgentID string             `json:"agent_id"`
	Name    string             `json:"name"`
	Key     ed25519.PrivateKey `json:"private_key"`
}

// lockFile is the name of the file, in the data folder, that a running agent holds locked.
const lockFile = "agent.lock"

// claim takes the data folder for this process: two agents with one key would take the link from each other for ever.
// The caller closes the file when the agent ends; the system does so when the process dies.
func (a *Agent) claim() (*os.File, error) {
	path := filepath.Join(a.cfg.Data, lockFile)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("claim data folder: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, wire.Errorf(wire.CodeConflict, "another agent runs with the data folder %s", a.cfg.Data)
		}
		return nil, fmt.Errorf("claim data folder: %w", err)
	}
	return f, nil
}

// identify returns the agent's identity and enrols it first if need be, trying until the server answers.
func (a *Agent) identify(ctx context.Context) (identity, error) {
	path := filepath.Join(a.cfg.Data, identityFile)
	id, err := loadIdentity(path)
	if err != nil {
		return identity{}, err
	}
	if id.AgentID != "" {
		return id, nil
	}
	id.Name = a.cfg.Name
	// The key is kept before it is used, so that an answer lost on the way finds the same key when we ask again.
	if err := saveIdentity(path, id); err != nil {
		return identity{}, err
	}
	wait := backoff.Backoff{Min: enrolRetryMin, Max: enrolRetryMax}
	for {
		answer, err := a.enrol(ctx, id.Key)
		if err == nil {
			id.AgentID = answer.AgentID
			return id, saveIdentity(path, id)
		}
		var refused *wire.Error
		if errors.As(err, &refused) && refused.Code.Status() < http.StatusInternalServerError {
			return identity{}, fmt.Errorf("enrol agent: %w", err)
		}
		delay := wait.Next()
		a.cfg.Log.Warn("enrol_failed", "reason", err.Error(), "retry_ms", delay.Milliseconds())
		select {
		case <-ctx.Done():
			return identity{}, nil
		case <-time.After(delay):
		}
	}
}

// enrol asks the server once for an id.
func (a *Agent) enrol(ctx context.Context, key ed25519.PrivateKey) (wire.EnrolResponse, error) {
	var answer wire.EnrolResponse
	token, err := a.enrolToken()
	if err != nil {
		return answer, err
	}
	body, err := json.Marshal(wire.EnrolRequest{
		Token: token, Name: a.cfg.Name, Labels: a.cfg.Labels, Version: a.cfg.Version,
		PublicKey: key.Public().(ed25519.PublicKey),
	})
	if err != nil {
		return answer, fmt.Errorf("encode request: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, enrolTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.cfg.Server+wire.EnrolPath, bytes.NewReader(body))
	if err != nil {
		return answer, wire.Invalid("server", "%v", err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer, fmt.Errorf("ask server: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(io.LimitReader(resp.Body, wire.MaxBody))
	if err != nil {
		return answer, fmt.Errorf("read answer: %w", err)
	}
	if resp.StatusCode >= http.StatusMultipleChoices {
		refused := wire.Error{}
		if json.Unmarshal(data, &refused) != nil || refused.Code == "" {
			return answer, fmt.Errorf("ask server: status %d", resp.StatusCode)
		}
		return answer, &refused
	}
	if err := json.Unmarshal(data, &answer); err != nil {
		return answer, fmt.Errorf("decode answer: %w", err)
	}
	return answer, nil
}

// enrolToken is the enrolment token, or reads it.
func (a *Agent) enrolToken() (string, error) {
	if token := strings.TrimSpace(a.cfg.EnrolToken); token != "" {
		return token, nil
	}
	if a.cfg.EnrolTokenFile == "" {
		return "", wire.Invalid("enrol_token_file", "must name the file of the enrolment token for the first start")
	}
	data, err := os.ReadFile(a.cfg.EnrolTokenFile)
	if err != nil {
		return "", wire.Invalid("enrol_token_file", "%v", err)
	}
	return strings.TrimSpace(string(data)), nil
}

// loadIdentity reads the identity at path, or makes a new key if there is none.
func loadIdentity(path string) (identity, error) {
	var id identity
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		_, id.Key, err = ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return id, fmt.Errorf("make key: %w", err)
		}
		return id, nil
	}
	if err != nil {
		return id, fmt.Errorf("read identity: %w", err)
	}
	if err := json.Unmarshal(data, &id); err != nil {
		return id, fmt.Errorf("decode identity %s: %w", path, err)
	}
	if len(id.Key) != ed25519.PrivateKeySize {
		return id, fmt.Errorf("decode identity %s: key of %d bytes, want %d", path, len(id.Key), ed25519.PrivateKeySize)
	}
	return id, nil
}

// saveIdentity replaces the identity at path, whole or not at all.
func saveIdentity(path string, id identity) error {
	data, err := json.MarshalIndent(id, "", "  ")
	if err != nil {
		return fmt.Errorf("encode identity: %w", err)
	}
	err = durable.Replace(path, func(w io.Writer) error {
		_, err := w.Write(append(data, '\n'))
		return err
	})
	if err != nil {
		return fmt.Errorf("save identity: %w", err)
	}
	return nil
}
