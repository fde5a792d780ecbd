package strictjson

import "math"

// wholeNumber is the exact value of a valid JSON number, if it is a whole
// number that an int64 holds.
func wholeNumber(b []byte) (int64, bool) {
	negative := b[0] == '-'
	if negative {
		b = b[1:]
	}
	u, ok := plainDigits(b)
	if !ok {
		if u, ok = scaledDigits(b); !ok {
			return 0, false
		}
	}
	switch {
	case negative && u <= 1<<63:
		return int64(-u), true
	case !negative && u <= math.MaxInt64:
		return int64(u), true
	}
	return 0, false
}

// plainDigits reads a number of at most 18 digits and nothing else.
func plainDigits(b []byte) (uint64, bool) {
	if len(b) > 18 {
		return 0, false
	}
	var u uint64
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		u = u*10 + uint64(c-'0')
	}
	return u, true
}

// scaledDigits reads any number without a sign: its significant digits times
// a power of ten.
func scaledDigits(b []byte) (uint64, bool) {
	var u uint64
	scale, dot, zeros := 0, false, 0
	for i, c := range b {
		switch {
		case c == '.':
			dot = true
			continue
		case c|0x20 == 'e':
			return scaled(u, scale+zeros+exponent(b[i+1:]))
		}
		if dot {
			scale--
		}
		if c == '0' {
			// Zeros count only if another digit follows.
			zeros++
			continue
		}
		var ok bool
		if u, ok = shift(u, zeros+1, uint64(c-'0')); !ok {
			return 0, false
		}
		zeros = 0
	}
	return scaled(u, scale+zeros)
}

// exponent reads an exponent's sign and digits. Those of a number this package
// accepts are far from overflow, or belong to zero or to what rounds to it.
func exponent(b []byte) int {
	negative := b[0] == '-'
	if b[0] == '-' || b[0] == '+' {
		b = b[1:]
	}
	e := 0
	for _, c := range b {
		e = min(e*10+int(c-'0'), 1<<20)
	}
	if negative {
		return -e
	}
	return e
}

// scaled is u times ten to the power of e, if that is whole and fits.
func scaled(u uint64, e int) (uint64, bool) {
	if u == 0 {
		return 0, true
	}
	if e < 0 {
		// The last significant digit is not a zero: a fraction remains.
		return 0, false
	}
	return shift(u, e, 0)
}

// shift is u*10^n + digit, if it fits.
func shift(u uint64, n int, digit uint64) (uint64, bool) {
	for ; n > 0 && u > 0; n-- {
		if u > math.MaxUint64/10 {
			return 0, false
		}
		u *= 10
	}
	if u > math.MaxUint64-digit {
		return 0, false
	}
	return u + digit, true
}
