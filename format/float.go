package format

import (
	"bytes"
	"math"
	"strconv"
)

// exactInts is the first number beyond which not every whole number is a float64, 2^53. From there on a float is
// written with an exponent, because its last digits before the point would be invented.
const exactInts = 1 << 53

// appendErlangFloat appends f as Erlang and Elixir write it: the shortest digits that read back as f, always with a
// point, and with an exponent only where that is shorter or f is 2^53 or more. What is no number, which Erlang does not
// have, is NaN, +Inf or -Inf.
func appendErlangFloat(dst []byte, f float64) []byte {
	switch {
	case math.IsNaN(f) || math.IsInf(f, 0):
		return strconv.AppendFloat(dst, f, 'g', -1, 64)
	case math.Signbit(f):
		dst = append(dst, '-')
		f = -f
	}
	if f == 0 {
		return append(dst, "0.0"...)
	}
	var buf, room [32]byte
	digits, exponent := shortest(buf[:0], f)
	exp := strconv.AppendInt(room[:0], int64(exponent), 10)
	// The costs are what each notation adds to the digits; see insert_decimal in OTP's io_lib_format.
	cost := len("e.") + len(exp)
	if len(digits) == 1 {
		cost += len("0")
	}
	switch place := exponent + 1; { // The point stands before digit number place.
	case f >= exactInts:
	case place > 0 && place < len(digits):
		dst = append(dst, digits[:place]...)
		dst = append(dst, '.')
		return append(dst, digits[place:]...)
	case place <= 0 && (place == 0 || len("0.")-place <= cost):
		dst = append(dst, "0."...)
		dst = appendZeros(dst, -place)
		return append(dst, digits...)
	case place > 0 && place-len(digits)+len(".0") <= cost:
		dst = append(dst, digits...)
		dst = appendZeros(dst, place-len(digits))
		return append(dst, ".0"...)
	}
	dst = append(dst, digits[0], '.')
	if len(digits) == 1 {
		dst = append(dst, '0')
	}
	dst = append(dst, digits[1:]...)
	dst = append(dst, 'e')
	return append(dst, exp...)
}

// shortest is the fewest digits that read back as f, which is above 0, in the memory of buf, and the exponent of the
// first.
func shortest(buf []byte, f float64) ([]byte, int) {
	buf = strconv.AppendFloat(buf, f, 'e', -1, 64)
	e := bytes.IndexByte(buf, 'e')
	exponent := 0
	for _, b := range buf[e+2:] {
		exponent = exponent*10 + int(b-'0')
	}
	if buf[e+1] == '-' {
		exponent = -exponent
	}
	digits := buf[:e]
	if len(digits) > 1 {
		digits[1] = digits[0]
		digits = digits[1:]
	}
	return digits, exponent
}

// appendZeros appends n zeros.
func appendZeros(dst []byte, n int) []byte {
	for range n {
		dst = append(dst, '0')
	}
	return dst
}
