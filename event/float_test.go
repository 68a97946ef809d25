package event

import (
	"encoding/json"
	"math"
	"testing"

	"pgregory.net/rapid"
)

// TestAppendFloatIsThatOfEncodingJSON holds the short way and the long one against encoding/json.
func TestAppendFloatIsThatOfEncodingJSON(t *testing.T) {
	same := func(t interface{ Fatalf(string, ...any) }, f float64) {
		want, err := json.Marshal(f)
		if err != nil {
			t.Fatalf("%v: %v", f, err)
		}
		if got := string(appendFloat(nil, f)); got != string(want) {
			t.Fatalf("got %s, want %s", got, want)
		}
	}
	for _, f := range []float64{
		0, math.Copysign(0, -1), 1, -1, 0.001, 0.0005, 0.00049999999999999, 0.0009999999999999999, 0.1 + 0.2, 0.3, 0.7, 1.005, -0.25, 100, 1e12,
		999999999999.999, 999999999999.9995, 1e21, 1e-7, 123456789012.345, 4503599627370.497, math.MaxFloat64, math.SmallestNonzeroFloat64,
	} {
		same(t, f)
	}
	for n := range 200_000 {
		same(t, float64(n)/1000)
		same(t, math.Nextafter(float64(n)/1000, 1))
	}
	rapid.Check(t, func(r *rapid.T) {
		same(r, rapid.Float64().Draw(r, "any"))
		same(r, float64(rapid.Int64Range(-1e15, 1e15).Draw(r, "thousandths"))/1000)
		near := float64(rapid.Int64Range(0, 1e15).Draw(r, "near")) / 1000
		same(r, math.Nextafter(near, math.Inf(1)))
		same(r, math.Nextafter(near, math.Inf(-1)))
	})
}
