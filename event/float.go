package event

import (
	"math"
	"strconv"
)

// What is printed without strconv: numbers of at most 15 digits, three of them behind the point.
const (
	shortDecimals = 1000
	shortLimit    = 1e12
)

// appendFloat appends f as encoding/json prints it; what is no number is NaN, +Inf or -Inf.
func appendFloat(dst []byte, f float64) []byte {
	abs := math.Abs(f)
	if abs < shortLimit && abs >= 1/float64(shortDecimals) {
		// Two decimals of up to 15 digits are never the same float. So if this one is f, no shorter one is.
		if n := uint64(abs*shortDecimals + 0.5); float64(n)/shortDecimals == abs {
			return appendShort(dst, n, f < 0)
		}
	}
	format := byte('f')
	if abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	start := len(dst)
	dst = strconv.AppendFloat(dst, f, format, -1, 64)
	// encoding/json writes e-9 where strconv writes e-09.
	if n := len(dst); format == 'e' && n-start >= 4 && dst[n-4] == 'e' && dst[n-3] == '-' && dst[n-2] == '0' {
		dst[n-2] = dst[n-1]
		dst = dst[:n-1]
	}
	return dst
}

// appendShort appends n thousandths.
func appendShort(dst []byte, n uint64, negative bool) []byte {
	if negative {
		dst = append(dst, '-')
	}
	dst = strconv.AppendUint(dst, n/shortDecimals, 10)
	rest := n % shortDecimals
	if rest == 0 {
		return dst
	}
	dst = append(dst, '.', byte('0'+rest/100), byte('0'+rest/10%10), byte('0'+rest%10))
	for dst[len(dst)-1] == '0' {
		dst = dst[:len(dst)-1]
	}
	return dst
}
