package registry

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"regexp"
	"time"
	"unicode/utf8"

	"github.com/spilelog/spile/internal/store"
	"github.com/spilelog/spile/wire"
)

// Limits of what an agent says of itself.
const (
	maxName    = 128
	maxLabels  = 64
	maxLabel   = 256
	maxVersion = 64
	maxProblem = 512
)

// validName is what an agent may be called: what fits into a path, a label and a command line as it stands.
var validName = regexp.MustCompile(`^[\pL\pN][\pL\pN._-]*$`)

// Enrol remembers an agent and returns its id. The same key gets the same id again; a name in use by another key is a
// *wire.Error conflict that names the other's id.
func (r *Registry) Enrol(ctx context.Context, request wire.EnrolRequest) (wire.EnrolResponse, error) {
	if len(request.Name) > maxName || !validName.MatchString(request.Name) {
		return wire.EnrolResponse{}, wire.Invalid("name",
			"must have 1 to %d bytes of letters, digits, '.', '_' and '-', and begin with a letter or digit", maxName)
	}
	if _, err := wire.ParseUUID(request.Name); err == nil {
		return wire.EnrolResponse{}, wire.Invalid("name", "must not look like an id")
	}
	if len(request.PublicKey) != ed25519.PublicKeySize {
		return wire.EnrolResponse{}, wire.Invalid("public_key", "must be %d bytes in base64", ed25519.PublicKeySize)
	}
	if err := checkLabels(request.Labels); err != nil {
		return wire.EnrolResponse{}, err
	}
	id, err := r.store.EnrolAgent(ctx, store.Agent{
		ID: newUUID(), Name: request.Name, PublicKey: request.PublicKey, Labels: request.Labels,
		Version: clip(request.Version), EnrolledAt: time.Now(),
	})
	if taken, ok := errors.AsType[*store.NameTakenError](err); ok {
		why := wire.Errorf(wire.CodeConflict, "the name %q is in use by agent %s; choose another, or forget that agent",
			taken.Name, taken.ID)
		why.Details = map[string]string{"name": "in use by agent " + taken.ID}
		return wire.EnrolResponse{}, why
	}
	if err != nil {
		return wire.EnrolResponse{}, err
	}
	r.log.Info("agent_enrolled", "agent_id", id, "name", request.Name)
	return wire.EnrolResponse{AgentID: id, Name: request.Name}, nil
}

// checkLabels bounds what an agent says of itself.
func checkLabels(labels map[string]string) error {
	if len(labels) > maxLabels {
		return wire.Invalid("labels", "must be at most %d", maxLabels)
	}
	for key, value := range labels {
		if key == "" || len(key) > maxLabel || len(value) > maxLabel || !utf8.ValidString(key) || !utf8.ValidString(value) {
			return wire.Invalid("labels", "each key and value must be UTF-8 of at most %d bytes, and no key empty", maxLabel)
		}
	}
	return nil
}

// clip bounds a version.
func clip(version string) string { return version[:min(len(version), maxVersion)] }

// newUUID is a random UUID (version 4).
func newUUID() string {
	var id [16]byte
	if _, err := rand.Read(id[:]); err != nil {
		panic("registry: " + err.Error()) // crypto/rand never fails
	}
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return wire.FormatUUID(id)
}
