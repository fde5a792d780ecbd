package policy

import (
	"math"
	"math/big"
	"strconv"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/authz/strictjson"
)

func mustDecimal(t *testing.T, text string) decimal {
	t.Helper()
	d, ok := parseDecimal([]byte(text))
	if !ok {
		t.Fatalf("%s is refused", text)
	}
	return d
}

func TestDecimalEqual(t *testing.T) {
	t.Parallel()
	same := [][]string{
		{"1", "1.0", "1e0", "10e-1", "0.1e1", "1.000000000000000000000000000", "1E+0"},
		{"0", "-0", "0.0", "0e5", "-0.000e-7"},
		{"-12.5", "-125e-1", "-0.125e2"},
		{"9007199254740993", "9007199254740993.0"},
		{"1e300", "10e299"},
		{"0.1", "1e-1", "0.10"},
	}
	for i, group := range same {
		for _, text := range group {
			d := mustDecimal(t, text)
			for j, others := range same {
				o := mustDecimal(t, others[0])
				if got := d.equal(&o); got != (i == j) {
					t.Errorf("%s == %s is %v", text, others[0], got)
				}
			}
		}
	}
}

func TestDecimalRefuses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "-", "+1", "01", "1.", ".5", "1e", "1e+", "1x", "0x1", "1 ", " 1", "NaN", "Infinity", "--1", "1e5.0", "1_0",
		"1e1048577", "1e-99999999999999999999", strings.Repeat("1", 129),
	} {
		if _, ok := parseDecimal([]byte(text)); ok {
			t.Errorf("%q is taken for a number", text)
		}
	}
}

func TestDecimalCompare(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text string
		with int64
		want int
	}{
		{"1", 1, 0},
		{"1.0", 1, 0},
		{"1.1", 1, 1},
		{"0.9", 1, -1},
		{"0.001", 0, 1},
		{"-0.001", 0, -1},
		{"-0", 0, 0},
		{"-1.5", -1, -1},
		{"-1.5", -2, 1},
		{"1e300", math.MaxInt64, 1},
		{"-1e300", math.MinInt64, -1},
		{"1e-300", 0, 1},
		{"9223372036854775807", math.MaxInt64, 0},
		{"9223372036854775807.5", math.MaxInt64, 1},
		{"9223372036854775808", math.MaxInt64, 1},
		{"-9223372036854775808", math.MinInt64, 0},
		{"-9223372036854775808.1", math.MinInt64, -1},
		{"5", -5, 1},
		{"-5", 5, -1},
		{"0", 5, -1},
		{"0", -5, 1},
		{"100.00000000000000000001", 100, 1},
		{"20000000000000000000", math.MaxInt64, 1},
	}
	for _, tt := range tests {
		d := mustDecimal(t, tt.text)
		if got := d.compare(tt.with); got != tt.want {
			t.Errorf("compare(%s, %d) = %d, want %d", tt.text, tt.with, got, tt.want)
		}
	}
}

func TestCompareFloat(t *testing.T) {
	t.Parallel()
	tests := []struct {
		f    float64
		with int64
		want int
	}{
		{1, 1, 0},
		{1.5, 1, 1},
		{0.5, 1, -1},
		{-1.5, -1, -1},
		{-1.5, -2, 1},
		{1 << 53, 1<<53 + 1, -1},
		{1e300, math.MaxInt64, 1},
		{-1e300, math.MinInt64, -1},
		{math.MaxInt64, math.MaxInt64, 1},
		{math.MinInt64, math.MinInt64, 0},
	}
	for _, tt := range tests {
		if got := compareFloat(tt.f, tt.with); got != tt.want {
			t.Errorf("compareFloat(%v, %d) = %d, want %d", tt.f, tt.with, got, tt.want)
		}
	}
}

func TestWithin(t *testing.T) {
	t.Parallel()
	one, hundred, big := int64(1), int64(100), int64(1)<<53
	tests := []struct {
		text             string
		b                bounds
		exactly, rounded bool
	}{
		{"50", bounds{&one, &hundred}, true, true},
		{"0", bounds{&one, &hundred}, false, false},
		{"100", bounds{&one, &hundred}, true, true},
		{"-5", bounds{nil, &hundred}, true, true},
		{"101", bounds{&one, nil}, true, true},
		{"1e2", bounds{&one, &hundred}, true, true},
		{"100.5", bounds{&one, &hundred}, false, false},
		{"100.00000000000000000001", bounds{&one, &hundred}, false, true},
		{"0.99999999999999999999", bounds{&one, &hundred}, false, true},
		{"9007199254740993", bounds{nil, &big}, false, true},
		{"1e300", bounds{nil, &hundred}, false, false},
		{"1e300", bounds{&one, nil}, true, true},
		{"-1e300", bounds{&one, nil}, false, false},
		{"1e-400", bounds{&one, nil}, false, false},
	}
	for _, tt := range tests {
		v := parse(t, tt.text)
		exactly, rounded := within(v, tt.b)
		if exactly != tt.exactly || rounded != tt.rounded {
			t.Errorf("within(%s) = %v, %v, want %v, %v", tt.text, exactly, rounded, tt.exactly, tt.rounded)
		}
	}
}

// FuzzDecimal holds decimals against math/big, and every number that the
// parser of bodies accepts must be read.
func FuzzDecimal(f *testing.F) {
	for _, s := range []string{"0", "-1.50", "1e10", "123456789012345678901234567890", "1E-7", "0.000", "-0e1"} {
		f.Add(s, int64(1))
	}
	f.Add("9223372036854775808", int64(math.MaxInt64))
	f.Fuzz(func(t *testing.T, text string, with int64) {
		var doc strictjson.Doc
		isJSON := doc.Parse([]byte(text), strictjson.Limits{}) == nil && doc.Root().Kind() == strictjson.Number &&
			len(doc.Root().Raw()) == len(text)
		d, ok := parseDecimal([]byte(text))
		if !ok {
			if isJSON && !strings.ContainsAny(text, "eE") {
				t.Fatalf("%q is refused", text)
			}
			return
		}
		if !isJSON {
			if f, err := strconv.ParseFloat(text, 64); err == nil && !math.IsInf(f, 0) {
				t.Fatalf("%q is taken for a number", text)
			}
			return
		}
		if d.point > 400 || d.point < -400 {
			return
		}
		want, good := new(big.Rat).SetString(text)
		if !good {
			t.Fatalf("big does not read %q", text)
		}
		if got, want := d.compare(with), want.Cmp(new(big.Rat).SetInt64(with)); got != want {
			t.Errorf("compare(%s, %d) = %d, want %d", text, with, got, want)
		}
		whole := mustDecimal(t, strconv.FormatInt(with, 10))
		if got, want := d.equal(&whole), want.Cmp(new(big.Rat).SetInt64(with)) == 0; got != want {
			t.Errorf("%s == %d is %v", text, with, got)
		}
	})
}
