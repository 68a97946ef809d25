//go:build soak

package e2e

import (
	"bufio"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
)

// soak is the number for a long run, or the short one. A soak test runs in both sizes: short to try it, long
// with SPILE_SOAK=1, which `make soak` sets.
func soak[T any](short, long T) T {
	if os.Getenv("SPILE_SOAK") != "" {
		return long
	}
	return short
}

// gauges reads what the server tells Prometheus of itself: the values without labels, by name.
func (f *fleet) gauges(t *testing.T) map[string]float64 {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, f.url()+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+f.token())
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("metrics: %s", resp.Status)
	}
	out := map[string]float64{}
	scan := bufio.NewScanner(resp.Body)
	for scan.Scan() {
		name, text, _ := strings.Cut(scan.Text(), " ")
		if value, err := strconv.ParseFloat(text, 64); err == nil {
			out[name] = value
		}
	}
	if err := scan.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}
