package policy

import (
	"strconv"
	"strings"

	"github.com/hopgate/hopgate/authz/strictjson"
)

// scalar is one value of a list that texts, numbers and booleans are compared
// with.
type scalar struct {
	text string
	// num is the value where text is a JSON number.
	num   *decimal
	float float64
}

// scalars are alternatives.
type scalars struct {
	list []scalar
	// sorted are the texts.
	sorted  []string
	numbers bool
}

func newScalars(values []string) scalars {
	s := scalars{sorted: sorted(values)}
	for _, v := range values {
		one := scalar{text: v}
		if d, ok := parseDecimal([]byte(v)); ok {
			f, err := strconv.ParseFloat(v, 64)
			if err == nil {
				one.num, one.float, s.numbers = &d, f, true
			}
		}
		s.list = append(s.list, one)
	}
	return s
}

// hasText reports whether text is one of s. Where wide, it also is when both
// are the same number.
func (s *scalars) hasText(text string, wide bool) bool {
	if contains(s.sorted, text) {
		return true
	}
	if !wide || !s.numbers || len(text) > maxDigits {
		return false
	}
	d, ok := parseDecimal([]byte(text))
	return ok && s.hasDecimal(&d)
}

func (s *scalars) hasDecimal(d *decimal) bool {
	for i := range s.list {
		if n := s.list[i].num; n != nil && n.equal(d) {
			return true
		}
	}
	return false
}

// hasNumber reports whether a JSON number is one of s by its exact value.
// Where wide, it also is when a reader with 64-bit floats takes both for the
// same.
func (s *scalars) hasNumber(v strictjson.Value, wide bool) bool {
	if !s.numbers {
		return false
	}
	if d, ok := parseDecimal(v.Raw()); ok && s.hasDecimal(&d) {
		return true
	}
	if !wide {
		return false
	}
	f, ok := v.Float()
	if !ok {
		return false
	}
	for i := range s.list {
		if s.list[i].num != nil && s.list[i].float == f {
			return true
		}
	}
	return false
}

// hasAny compares a value of a token's context: unsure when it is none that
// can be compared.
func (s *scalars) hasAny(v any, wide bool) truth {
	var buf [64]byte
	switch v := v.(type) {
	case string:
		return truthOf(s.hasText(v, wide))
	case bool:
		return truthOf(contains(s.sorted, strconv.FormatBool(v)))
	case int64:
		return truthOf(s.hasFormatted(strconv.AppendInt(buf[:0], v, 10)))
	case float64:
		return truthOf(s.hasFormatted(strconv.AppendFloat(buf[:0], v, 'g', -1, 64)))
	}
	return unsure
}

func (s *scalars) hasFormatted(text []byte) bool {
	d, ok := parseDecimal(text)
	return ok && s.hasDecimal(&d)
}

func (s *scalars) String() string { return strings.Join(s.sorted, ", ") }
