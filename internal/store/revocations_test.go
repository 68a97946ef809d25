package store

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRevocationsSurviveReopening(t *testing.T) {
	dir := t.TempDir()
	at := func(s int64) time.Time { return time.UnixMilli(s * 1000).UTC() }
	for _, step := range []struct {
		name string
		ends map[string]time.Time
		past time.Time
		want map[string]time.Time
	}{
		{"none", nil, at(0), map[string]time.Time{}},
		{"two", map[string]time.Time{"a": at(10), "b": at(20)}, at(1), map[string]time.Time{"a": at(10), "b": at(20)}},
		{"not-earlier", map[string]time.Time{"b": at(15)}, at(1), map[string]time.Time{"a": at(10), "b": at(20)}},
		{"past-and-later", map[string]time.Time{"b": at(30)}, at(10), map[string]time.Time{"b": at(30)}},
	} {
		s := open(t, dir)
		if err := s.Revoke(t.Context(), step.ends, step.past); err != nil {
			t.Fatal(err)
		}
		got, err := open(t, dir).Revoked(t.Context())
		if diff := cmp.Diff(step.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v %s", step.name, err, diff)
		}
	}
}
