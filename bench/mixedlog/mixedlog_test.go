package mixedlog

import (
	"bytes"
	"encoding/json"
	"math"
	"testing"
)

func TestWriteShares(t *testing.T) {
	const size = 4 << 20
	var first, second bytes.Buffer
	if err := Write(&first, size); err != nil {
		t.Fatal(err)
	}
	if err := Write(&second, size); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Fatal("two runs differ")
	}
	lines := bytes.Split(bytes.TrimSuffix(first.Bytes(), []byte("\n")), []byte("\n"))
	counts := map[string]float64{}
	for _, line := range lines {
		kind := "access"
		switch {
		case line[0] == '{':
			if !json.Valid(line) {
				t.Fatalf("not JSON: %s", line)
			}
			kind = "json"
		case bytes.HasPrefix(line, []byte("time=")):
			kind = "logfmt"
		}
		counts[kind]++
		if bytes.Contains(line, []byte("retrying upstream")) {
			counts["retrying"]++
		}
	}
	for kind, want := range map[string]float64{"access": 0.40, "json": 0.35, "logfmt": 0.25, "retrying": 0.6 / 13} {
		if share := counts[kind] / float64(len(lines)); math.Abs(share-want) > 0.02 {
			t.Errorf("%s: share %.3f, want %.3f", kind, share, want)
		}
	}
	if mean := float64(first.Len()) / float64(len(lines)); mean < 200 || mean > 240 {
		t.Errorf("mean line of %.0f bytes", mean)
	}
	if string(lines[len(lines)-1]) != Sentinel {
		t.Error("the last line is not the sentinel")
	}
}
