package store

import (
	"errors"
	"testing"
)

func TestOneServerAFolder(t *testing.T) {
	dir := t.TempDir()
	first, err := Take(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if second, err := Take(t.Context(), dir); !errors.Is(err, ErrInUse) {
		t.Fatalf("second claim: %v, %v", second, err)
	}
	other, err := Take(t.Context(), t.TempDir())
	if err != nil {
		t.Fatalf("another folder: %v", err)
	}
	s, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatalf("open beside the claim: %v", err)
	}
	for range 2 {
		if err := errors.Join(first.Close(), other.Close()); err != nil {
			t.Fatal(err)
		}
	}
	again, err := Take(t.Context(), dir)
	if err != nil {
		t.Fatalf("claim after the first was given back: %v", err)
	}
	if err := errors.Join(again.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
}
