package client

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spilelog/spile/wire"
)

// usual is a frame as agents build it.
const usual = `{"type":"log","timestamp":"2024-01-15T10:00:00.123Z","level":"WARN","source":"nginx",` +
	`"message":"a \"b\" \\","metadata":{"k":"v}","n":{"x":[1,"{"]}},"agent":"id","epoch":7,"seq":12}`

func TestCutLogTakesTheUsualForm(t *testing.T) {
	var want wire.Log
	if err := json.Unmarshal([]byte(usual), &want); err != nil {
		t.Fatal(err)
	}
	got := wire.Log{Type: typeLog}
	if !cutLog([]byte(usual), &got) {
		t.Fatal("not taken")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func FuzzCutLogAgreesWithJSON(f *testing.F) {
	f.Add([]byte(usual))
	f.Add([]byte(`{"type":"log","timestamp":null,"level":"","source":"","message":"","metadata":null,"agent":"",` +
		`"epoch":0,"seq":0}`))
	f.Add([]byte(`{"type":"log","timestamp":"2024-01-15T10:00:00Z","level":"\u0041","source":"\\","message":"\"",` +
		`"metadata":{},"raw":"x","agent":"a","epoch":01,"seq":18446744073709551615}`))
	f.Add([]byte(`{"type":"log","timestamp":"2024-01-15T10:00:00Z","level":"INFO","source":"s","message":"m",` +
		`"metadata":{},"context":true,"agent":"a","epoch":1,"seq":2}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		got := wire.Log{Type: typeLog}
		if !cutLog(line, &got) {
			return
		}
		var want wire.Log
		if err := json.Unmarshal(line, &want); err != nil {
			t.Fatalf("took %q: %v", line, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}
