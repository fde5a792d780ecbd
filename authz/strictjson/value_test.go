package strictjson_test

import (
	"encoding/json"
	"math/big"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/authz/strictjson"
)

const sample = `{"n":null,"t":true,"f":false,"i":-42,"d":1.5,"s":"plain","e":"a\tb","a":[1,"two",[3]],"o":{"k":"v","\u006b2":{}}}`

func member(t testing.TB, v strictjson.Value, path ...string) strictjson.Value {
	t.Helper()
	for _, name := range path {
		var ok bool
		if v, ok = v.Member(name); !ok {
			t.Fatalf("no member %q", name)
		}
	}
	return v
}

func TestKinds(t *testing.T) {
	t.Parallel()
	root := parse(t, sample)
	for name, want := range map[string]strictjson.Kind{
		"n": strictjson.Null, "t": strictjson.Bool, "f": strictjson.Bool, "i": strictjson.Number,
		"d": strictjson.Number, "s": strictjson.String, "e": strictjson.String,
		"a": strictjson.Array, "o": strictjson.Object,
	} {
		if got := member(t, root, name).Kind(); got != want {
			t.Errorf("%s: Kind = %v, want %v", name, got, want)
		}
	}
	if got := root.Kind(); got != strictjson.Object {
		t.Errorf("root: Kind = %v", got)
	}
}

// Each accessor answers for its own kind and for no other.
func TestAccessors(t *testing.T) {
	t.Parallel()
	type row struct {
		Text         string
		TextOK       bool
		Bool, BoolOK bool
		Int          int64
		IntOK        bool
		Float        float64
		FloatOK      bool
		Len          int
	}
	read := func(v strictjson.Value) (r row) {
		r.Text, r.TextOK = v.Text()
		r.Bool, r.BoolOK = v.Bool()
		r.Int, r.IntOK = v.Int()
		r.Float, r.FloatOK = v.Float()
		r.Len = v.Len()
		return r
	}
	root := parse(t, sample)
	for name, want := range map[string]row{
		"n": {},
		"t": {Bool: true, BoolOK: true},
		"f": {BoolOK: true},
		"i": {Int: -42, IntOK: true, Float: -42, FloatOK: true},
		"d": {Float: 1.5, FloatOK: true},
		"s": {Text: "plain", TextOK: true},
		"e": {Text: "a\tb", TextOK: true},
		"a": {Len: 3},
		"o": {Len: 2},
	} {
		if diff := cmp.Diff(want, read(member(t, root, name))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if diff := cmp.Diff(row{}, read(strictjson.Value{})); diff != "" {
		t.Errorf("absent (-want +got):\n%s", diff)
	}
}

func TestAbsent(t *testing.T) {
	t.Parallel()
	var v strictjson.Value
	if v.Kind() != strictjson.Absent || v.Raw() != nil || v.Any() != nil || v.Offset() != -1 || v.Is("") {
		t.Error("the zero Value is not absent")
	}
	if _, ok := v.Member("x"); ok {
		t.Error("the zero Value has a member")
	}
	for range v.Members() {
		t.Error("the zero Value has members")
	}
	for range v.Elems() {
		t.Error("the zero Value has elements")
	}
	if v.Clone().Kind() != strictjson.Absent || v.Expand().Kind() != strictjson.Absent {
		t.Error("a copy of the zero Value is not absent")
	}
}

func TestMember(t *testing.T) {
	t.Parallel()
	root := parse(t, sample)
	if got := member(t, root, "o", "k2").Raw(); string(got) != "{}" {
		t.Errorf("o.k2 = %s", got)
	}
	for _, name := range []string{"N", "S", "k", "", "plain", `\u006b2`, "s "} {
		if v, ok := root.Member(name); ok || v.Kind() != strictjson.Absent {
			t.Errorf("Member(%q) found %s", name, v.Raw())
		}
	}
	if _, ok := member(t, root, "a").Member("1"); ok {
		t.Error("an array has a member")
	}
}

func TestMembersAndElems(t *testing.T) {
	t.Parallel()
	root := parse(t, sample)
	var names []string
	for name, v := range root.Members() {
		names = append(names, name+"="+string(v.Raw()))
	}
	want := []string{"n=null", "t=true", "f=false", "i=-42", "d=1.5", `s="plain"`, `e="a\tb"`, `a=[1,"two",[3]]`, `o={"k":"v","\u006b2":{}}`}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("Members (-want +got):\n%s", diff)
	}
	var elems []string
	for v := range member(t, root, "a").Elems() {
		elems = append(elems, string(v.Raw()))
	}
	if diff := cmp.Diff([]string{"1", `"two"`, "[3]"}, elems); diff != "" {
		t.Errorf("Elems (-want +got):\n%s", diff)
	}
	for range root.Members() {
		break
	}
	for range member(t, root, "a").Elems() {
		break
	}
	for range root.Elems() {
		t.Error("an object has elements")
	}
	for range member(t, root, "a").Members() {
		t.Error("an array has members")
	}
}

func TestIs(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		in, s string
		want  bool
	}{
		{`"2.0"`, "2.0", true},
		{`"2\u002e0"`, "2.0", true},
		{`"2.0 "`, "2.0", false},
		{`"2\u002e"`, "2.0", false},
		{`"2\u002e00"`, "2.0", false},
		{`"\ufffd"`, "\xff", false},
		{`"\ufffd"`, "\ufffd", true},
		{`"\u00e9é"`, "éé", true},
		{`"\n"`, "n", false},
		{`2.0`, "2.0", false},
		{`""`, "", true},
	} {
		if got := parse(t, tc.in).Is(tc.s); got != tc.want {
			t.Errorf("%s.Is(%q) = %v", tc.in, tc.s, got)
		}
	}
}

func TestTextSharesUnescaped(t *testing.T) {
	root := parse(t, sample)
	v := member(t, root, "s")
	if n := testing.AllocsPerRun(10, func() { v.Text() }); n != 0 {
		t.Errorf("Text without escapes allocates %v times", n)
	}
}

// Int against exact arithmetic.
func TestInt(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		"0", "-0", "0.0", "-0.0e7", "1", "-1", "10", "100e-2", "1e3", "1.5", "1.50e1", "15e-1", "1.000", "0.001e3", "0.0010e4",
		"12e17", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809",
		"922337203685477580.7e1", "92233720368547758070e-1", "18446744073709551615", "18446744073709551616", "184467440737095516150e-1",
		"99999999999999999999", "1e18", "1e19", "1e20", "1e30", "1e300", "1e-300", "0e300", "0.0000000000000000000000000000001e31",
		"999999999999999999", "1000000000000000000", "-1e18", "1.7e1", "1.77e1", "10.10", "1E+05", "123456789012345678e0",
		"1e-2147483649", "0e99999999999999999999",
	} {
		exact, ok := new(big.Rat).SetString(in)
		want := int64(0)
		if !ok && strings.HasPrefix(in, "0") {
			exact, ok = new(big.Rat), true
		}
		wantOK := ok && exact.IsInt() && exact.Num().IsInt64()
		if wantOK {
			want = exact.Num().Int64()
		}
		if got, ok := parse(t, in).Int(); got != want || ok != wantOK {
			t.Errorf("%s: Int = %d, %v; want %d, %v", in, got, ok, want, wantOK)
		}
	}
}

func TestClone(t *testing.T) {
	t.Parallel()
	in := []byte(sample)
	var d strictjson.Doc
	if err := d.Parse(in, strictjson.Limits{}); err != nil {
		t.Fatal(err)
	}
	whole, part, text := d.Root().Clone(), member(t, d.Root(), "o").Clone(), member(t, d.Root(), "s").Clone()
	for i := range in {
		in[i] = 'x'
	}
	if err := d.Parse([]byte(`[0]`), strictjson.Limits{}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(parse(t, sample).Any(), whole.Any()); diff != "" {
		t.Errorf("clone of the root (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]any{"k": "v", "k2": map[string]any{}}, part.Any()); diff != "" {
		t.Errorf("clone of a part (-want +got):\n%s", diff)
	}
	if string(part.Raw()) != `{"k":"v","\u006b2":{}}` || part.Offset() != 0 || !text.Is("plain") {
		t.Errorf("clones are %s and %s", part.Raw(), text.Raw())
	}
}

func TestAnySharesNothing(t *testing.T) {
	t.Parallel()
	in := []byte(sample)
	var d strictjson.Doc
	if err := d.Parse(in, strictjson.Limits{}); err != nil {
		t.Fatal(err)
	}
	got := d.Root().Any()
	clear(in)
	if diff := cmp.Diff(parse(t, sample).Any(), got); diff != "" {
		t.Errorf("Any changed with the bytes (-want +got):\n%s", diff)
	}
}

func TestOpaque(t *testing.T) {
	t.Parallel()
	const in = `{"a":[1,{"b":[2,3]}],"c":{"d":{"e":1}},"f":[],"g":5}`
	var d strictjson.Doc
	if err := d.Parse([]byte(in), strictjson.Limits{Keep: 2}); err != nil {
		t.Fatal(err)
	}
	root := d.Root()
	deep := member(t, root, "c", "d")
	if deep.Kind() != strictjson.Opaque || deep.Len() != 1 || string(deep.Raw()) != `{"e":1}` {
		t.Errorf("c.d is %v of %d: %s", deep.Kind(), deep.Len(), deep.Raw())
	}
	if _, ok := deep.Member("e"); ok {
		t.Error("an opaque value has members")
	}
	if e := member(t, deep.Expand(), "e"); string(e.Raw()) != "1" {
		t.Errorf("expanded, c.d.e is %s", e.Raw())
	}
	if got := member(t, root, "g").Expand(); string(got.Raw()) != "5" {
		t.Errorf("Expand of a number is %s", got.Raw())
	}
	if diff := cmp.Diff(parse(t, in).Any(), root.Any()); diff != "" {
		t.Errorf("Any (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(parse(t, in).Any(), root.Clone().Any()); diff != "" {
		t.Errorf("Any of a clone (-want +got):\n%s", diff)
	}
}

func TestAppendString(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"", "plain", "\"\\/", "\x00\x1b[2J\x7f\u009b", "\n\r\t", "é€😀\u2028\u2029", "bad\xff\xc0utf8"} {
		out := strictjson.AppendString([]byte("x"), in)[1:]
		var got string
		if err := json.Unmarshal(out, &got); err != nil {
			t.Fatalf("%q: %v", out, err)
		}
		if want := strings.ToValidUTF8(in, "\ufffd"); got != want && got != strings.ReplaceAll(in, "\xff\xc0", "\ufffd\ufffd") {
			t.Errorf("%q reads back as %q", out, got)
		}
		if i := strings.IndexFunc(string(out), func(r rune) bool { return r < 0x20 || 0x7f <= r && r < 0xa0 }); i >= 0 {
			t.Errorf("%q holds a control character", out)
		}
	}
}
