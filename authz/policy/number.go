package policy

import (
	"fmt"
	"math"

	"github.com/hopgate/hopgate/authz/strictjson"
)

// decimal is a JSON number, exactly: 0.D1D2...Dn times ten to the power of
// point, without zeros at either end. Zero has no digits and no sign. 1, 1.0
// and 1e0 are one decimal.
type decimal struct {
	neg    bool
	n      int
	point  int
	digits [maxDigits]byte
}

const (
	// maxDigits is what strictjson lets a number have.
	maxDigits = 128
	// maxExponent is far beyond any float64, and far from overflow.
	maxExponent = 1 << 20
)

// parseDecimal reads text, which must be one JSON number (RFC 8259 section 6)
// of at most 128 bytes; false when it is not, or when its exponent is beyond
// what is compared exactly.
func parseDecimal(text []byte) (d decimal, ok bool) {
	if len(text) == 0 || len(text) > maxDigits {
		return d, false
	}
	i := 0
	if text[0] == '-' {
		d.neg, i = true, 1
	}
	whole := i
	i = d.take(text, i)
	if i == whole || (text[whole] == '0' && i > whole+1) {
		return d, false
	}
	d.point = i - whole
	if i < len(text) && text[i] == '.' {
		from := i + 1
		if i = d.take(text, from); i == from {
			return d, false
		}
	}
	e, ok := readExponent(text[i:])
	d.point += e
	d.trim()
	return d, ok
}

// take appends the digits from i on, and returns where they end.
func (d *decimal) take(text []byte, i int) int {
	for ; i < len(text) && text[i] >= '0' && text[i] <= '9'; i++ {
		d.digits[d.n] = text[i]
		d.n++
	}
	return i
}

// readExponent reads what follows the digits: nothing, or e and a number.
func readExponent(text []byte) (int, bool) {
	if len(text) == 0 {
		return 0, true
	}
	if text[0]|0x20 != 'e' || len(text) < 2 {
		return 0, false
	}
	text = text[1:]
	negative := text[0] == '-'
	if negative || text[0] == '+' {
		text = text[1:]
	}
	e := 0
	for _, c := range text {
		if c < '0' || c > '9' {
			return 0, false
		}
		if e = e*10 + int(c-'0'); e > maxExponent {
			return 0, false
		}
	}
	if negative {
		e = -e
	}
	return e, len(text) > 0
}

func (d *decimal) trim() {
	lead := 0
	for lead < d.n && d.digits[lead] == '0' {
		lead++
	}
	copy(d.digits[:], d.digits[lead:d.n])
	d.n -= lead
	d.point -= lead
	for d.n > 0 && d.digits[d.n-1] == '0' {
		d.n--
	}
	if d.n == 0 {
		d.neg, d.point = false, 0
	}
}

func (d *decimal) equal(o *decimal) bool {
	return d.neg == o.neg && d.n == o.n && d.point == o.point &&
		string(d.digits[:d.n]) == string(o.digits[:o.n])
}

// compare is -1, 0 or 1 as d is less than, equal to or more than i.
func (d *decimal) compare(i int64) int {
	if d.n == 0 {
		return sign(0, i)
	}
	whole, rest := d.magnitude()
	if d.neg != (i < 0) {
		if d.neg {
			return -1
		}
		return 1
	}
	c := compareUint(whole, abs(i))
	if c == 0 && rest {
		c = 1
	}
	if d.neg {
		return -c
	}
	return c
}

// magnitude is the whole part without its sign, at most MaxUint64, and whether
// there is a fraction or more than that.
func (d *decimal) magnitude() (uint64, bool) {
	const most = 19 // digits that always fit
	if d.point > most {
		return math.MaxUint64, true
	}
	var u uint64
	for i := range max(d.point, 0) {
		u *= 10
		if i < d.n {
			u += uint64(d.digits[i] - '0')
		}
	}
	return u, d.n > max(d.point, 0)
}

func abs(i int64) uint64 {
	if i < 0 {
		return -uint64(i)
	}
	return uint64(i)
}

func sign(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func compareUint(a, b uint64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// within reports whether v is in bounds, by its exact value and by the value
// that a reader with 64-bit floats takes it for. They differ beyond 2^53 and
// after the sixteenth digit, and which one a server takes is not known.
func within(v strictjson.Value, b bounds) (exactly, rounded bool) {
	raw := v.Raw()
	if i, ok := smallInt(raw); ok {
		in := (b.min == nil || *b.min <= i) && (b.max == nil || i <= *b.max)
		return in, in
	}
	d, ok := parseDecimal(raw)
	exactly = ok && (b.min == nil || d.compare(*b.min) >= 0) && (b.max == nil || d.compare(*b.max) <= 0)
	f, ok := v.Float()
	rounded = ok && (b.min == nil || compareFloat(f, *b.min) >= 0) && (b.max == nil || compareFloat(f, *b.max) <= 0)
	return exactly, rounded
}

// bounds are those of a Range; nil: none.
type bounds struct{ min, max *int64 }

// String is the bounds for a person.
func (b bounds) String() string {
	switch {
	case b.min == nil && b.max == nil:
		return "a number"
	case b.min == nil:
		return fmt.Sprintf("at most %d", *b.max)
	case b.max == nil:
		return fmt.Sprintf("at least %d", *b.min)
	}
	return fmt.Sprintf("from %d to %d", *b.min, *b.max)
}

// smallInt reads a number that every reader takes for the same.
func smallInt(raw []byte) (int64, bool) {
	const most = 15 // digits below 2^53
	neg := len(raw) > 0 && raw[0] == '-'
	if neg {
		raw = raw[1:]
	}
	if len(raw) == 0 || len(raw) > most {
		return 0, false
	}
	var i int64
	for _, c := range raw {
		if c < '0' || c > '9' {
			return 0, false
		}
		i = i*10 + int64(c-'0')
	}
	if neg {
		i = -i
	}
	return i, true
}

// compareFloat compares without rounding i.
func compareFloat(f float64, i int64) int {
	switch {
	case f >= 1<<63:
		return 1
	case f < -1<<63:
		return -1
	}
	down := math.Floor(f)
	if c := sign(int64(down), i); c != 0 {
		return c
	}
	if f > down {
		return 1
	}
	return 0
}
