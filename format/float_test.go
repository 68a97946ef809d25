package format

import (
	"math"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestErlangFloats(t *testing.T) {
	tests := []struct {
		want string
		f    float64
	}{
		{"0.0", 0},
		{"-0.0", math.Copysign(0, -1)},
		{"100.0", 100},
		{"1.0e3", 1000},
		{"1.1e3", 1100},
		{"1230.0", 1230},
		{"1.23e4", 12300},
		{"1.2e5", 120000},
		{"0.1", 0.1},
		{"0.01", 0.01},
		{"0.0001", 0.0001},
		{"1.0e-5", 0.00001},
		{"1.2e-4", 0.00012},
		{"0.0012", 0.0012},
		{"-123.456", -123.456},
		{"9007199254740991.0", 1<<53 - 1},
		{"9.007199254740992e15", 1 << 53},
		{"1.7976931348623157e308", math.MaxFloat64},
		{"5.0e-324", math.SmallestNonzeroFloat64},
		{"NaN", math.NaN()},
		{"+Inf", math.Inf(1)},
		{"-Inf", math.Inf(-1)},
	}
	for _, tt := range tests {
		t.Run(tt.want, func(t *testing.T) {
			if got := string(appendErlangFloat(nil, tt.f)); got != tt.want {
				t.Errorf("got %s", got)
			}
		})
	}
}

func TestFloatsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := rapid.Float64().Draw(t, "f")
		got := string(appendErlangFloat(nil, f))
		back, err := strconv.ParseFloat(got, 64)
		if err != nil || math.Float64bits(back) != math.Float64bits(f) {
			t.Fatalf("%v became %s, which is %v, %v", f, got, back, err)
		}
		if math.IsInf(f, 0) {
			return
		}
		whole, fraction, point := strings.Cut(strings.TrimPrefix(got, "-"), ".")
		if !point || whole == "" || fraction == "" || fraction[0] == 'e' {
			t.Fatalf("%v became %s: digits must stand on both sides of a point", f, got)
		}
	})
}
