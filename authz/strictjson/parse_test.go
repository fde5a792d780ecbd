package strictjson_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/authz/strictjson"
)

func parse(t testing.TB, in string) strictjson.Value {
	t.Helper()
	var d strictjson.Doc
	if err := d.Parse([]byte(in), strictjson.Limits{}); err != nil {
		t.Fatalf("Parse(%.80q): %v", in, err)
	}
	return d.Root()
}

// fault is what Parse says of in.
func fault(t testing.TB, in string, l strictjson.Limits) strictjson.Error {
	t.Helper()
	var d strictjson.Doc
	err := d.Parse([]byte(in), l)
	var e *strictjson.Error
	if !errors.As(err, &e) {
		t.Fatalf("Parse(%.80q) = %v, want a refusal", in, err)
	}
	if got := d.Root(); got.Kind() != strictjson.Absent {
		t.Errorf("Root after a refusal is %v, want absent", got.Kind())
	}
	return *e
}

func TestAccepts(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		in   string
		want any
	}{
		{`null`, nil},
		{`true`, true},
		{` false `, false},
		{"\t\r\n 1 \n", int64(1)},
		{`-0`, int64(0)},
		{`0.5`, 0.5},
		{`-1.25e2`, int64(-125)},
		{`1E+2`, int64(100)},
		{`9223372036854775807`, int64(9223372036854775807)},
		{`-9223372036854775808`, int64(-9223372036854775808)},
		{`9223372036854775808`, 9223372036854775808.0},
		{`1e308`, 1e308},
		{`1e-400`, 0.0},
		{`""`, ""},
		{`"a\"\\\/\b\f\n\r\tz"`, "a\"\\/\b\f\n\r\tz"},
		{`"\u0041\u00e9\u20AC"`, "Aé€"},
		{`"\ud83d\ude00\uD83D\uDE00😀"`, "😀😀😀"},
		{`"\u0000"`, "\x00"},
		{"\"\x7f\u0080\ufeff\uffff\U0010ffff\"", "\x7f\u0080\ufeff\uffff\U0010ffff"},
		{`"\ufffd` + "\ufffd\"", "\ufffd\ufffd"},
		{`[]`, []any{}},
		{`[ ]`, []any{}},
		{`[1,[2,[]],{}]`, []any{int64(1), []any{int64(2), []any{}}, map[string]any{}}},
		{`{}`, map[string]any{}},
		{`{ "a" : 1 , "b" : { "a" : [ ] } }`, map[string]any{"a": int64(1), "b": map[string]any{"a": []any{}}}},
		{`{"":0,"a":1,"A":2}`, map[string]any{"": int64(0), "a": int64(1), "A": int64(2)}},
		{`{"\u0061":1}`, map[string]any{"a": int64(1)}},
		{`"` + strings.Repeat("x", 1000) + `"`, strings.Repeat("x", 1000)},
	} {
		t.Run(fmt.Sprintf("%.40s", tc.in), func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tc.want, parse(t, tc.in).Any()); diff != "" {
				t.Errorf("Any (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRefuses(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, in string
		reason   strictjson.Reason
		offset   int
	}{
		{"nothing", "", strictjson.ReasonEmpty, 0},
		{"only whitespace", " \n", strictjson.ReasonEmpty, 2},
		{"byte order mark", "\xef\xbb\xbf{}", strictjson.ReasonBOM, 0},
		{"UTF-16 little endian", "\xff\xfe{\x00}\x00", strictjson.ReasonSyntax, 0},
		{"UTF-16 without mark", "{\x00}\x00", strictjson.ReasonSyntax, 1},
		{"no-break space", "\u00a0{}", strictjson.ReasonSyntax, 0},
		{"form feed", "\f{}", strictjson.ReasonSyntax, 0},
		{"gzip", "\x1f\x8b\x08\x00", strictjson.ReasonSyntax, 0},
		{"second object", `{} {}`, strictjson.ReasonTrailing, 3},
		{"trailing byte", `{}x`, strictjson.ReasonTrailing, 2},
		{"trailing NUL", "{}\x00", strictjson.ReasonTrailing, 2},
		{"trailing comma behind all", `{},`, strictjson.ReasonTrailing, 2},
		{"two numbers", `1 2`, strictjson.ReasonTrailing, 2},
		{"leading zero", `01`, strictjson.ReasonTrailing, 1},
		{"trailing comma in object", `{"a":1,}`, strictjson.ReasonSyntax, 7},
		{"trailing comma in array", `[1,]`, strictjson.ReasonSyntax, 3},
		{"double comma", `[1,,2]`, strictjson.ReasonSyntax, 3},
		{"missing comma", `[1 2]`, strictjson.ReasonSyntax, 3},
		{"missing colon", `{"a" 1}`, strictjson.ReasonSyntax, 5},
		{"comma for colon", `{"a",1}`, strictjson.ReasonSyntax, 4},
		{"bare name", `{a:1}`, strictjson.ReasonSyntax, 1},
		{"number as name", `{1:1}`, strictjson.ReasonSyntax, 1},
		{"single quotes", `{'a':1}`, strictjson.ReasonSyntax, 1},
		{"mismatched brackets", `[1}`, strictjson.ReasonSyntax, 2},
		{"line comment", "// x\n{}", strictjson.ReasonSyntax, 0},
		{"block comment", `{/* */}`, strictjson.ReasonSyntax, 1},
		{"hash comment", "{}#", strictjson.ReasonTrailing, 2},
		{"NaN", `NaN`, strictjson.ReasonSyntax, 0},
		{"Infinity", `Infinity`, strictjson.ReasonSyntax, 0},
		{"minus Infinity", `-Infinity`, strictjson.ReasonSyntax, 1},
		{"null misspelt", `nul1`, strictjson.ReasonSyntax, 3},
		{"True", `True`, strictjson.ReasonSyntax, 0},
		{"undefined", `undefined`, strictjson.ReasonSyntax, 0},
		{"plus sign", `+1`, strictjson.ReasonSyntax, 0},
		{"dot first", `.5`, strictjson.ReasonSyntax, 0},
		{"dot last", `5.`, strictjson.ReasonTruncated, 2},
		{"dot last in array", `[5.]`, strictjson.ReasonSyntax, 3},
		{"no exponent", `[1e]`, strictjson.ReasonSyntax, 3},
		{"sign for exponent", `[1e+]`, strictjson.ReasonSyntax, 4},
		{"minus alone", `[-]`, strictjson.ReasonSyntax, 2},
		{"hexadecimal", `0x10`, strictjson.ReasonTrailing, 1},
		{"underscore", `1_000`, strictjson.ReasonTrailing, 1},
		{"infinite", `1e999`, strictjson.ReasonNumber, 0},
		{"infinite, negative", `[-1e309]`, strictjson.ReasonNumber, 1},
		{"2000 digits", strings.Repeat("9", 2000), strictjson.ReasonNumber, 0},
		{"2000 decimals", "0." + strings.Repeat("3", 2000), strictjson.ReasonNumber, 0},
		{"huge exponent", "1e" + strings.Repeat("9", 40), strictjson.ReasonNumber, 0},
		{"raw newline", "\"a\nb\"", strictjson.ReasonControl, 2},
		{"raw NUL", "\"\x00\"", strictjson.ReasonControl, 1},
		{"raw tab in name", "{\"a\t\":1}", strictjson.ReasonControl, 3},
		{"escaped quote of another kind", `"\'"`, strictjson.ReasonSyntax, 2},
		{"hexadecimal escape", `"\x41"`, strictjson.ReasonSyntax, 2},
		{"short unicode escape", `"\u12"`, strictjson.ReasonSyntax, 5},
		{"wrong unicode escape", `"\u00g0"`, strictjson.ReasonSyntax, 5},
		{"upper case U", `"\U0041"`, strictjson.ReasonSyntax, 2},
		{"high surrogate alone", `"\ud800"`, strictjson.ReasonSurrogate, 1},
		{"low surrogate alone", `"\udc00"`, strictjson.ReasonSurrogate, 1},
		{"surrogates in wrong order", `"\udc00\ud800"`, strictjson.ReasonSurrogate, 1},
		{"high surrogate and a letter", `"ab\ud800\u0041"`, strictjson.ReasonSurrogate, 3},
		{"high surrogate and an escape", `"\ud800\n...."`, strictjson.ReasonSurrogate, 1},
		{"surrogate in a name", `{"\ud800":1}`, strictjson.ReasonSurrogate, 2},
		{"surrogate in UTF-8", "\"\xed\xa0\x80\"", strictjson.ReasonUTF8, 1},
		{"overlong", "\"ab\xc0\xaf\"", strictjson.ReasonUTF8, 3},
		{"above Unicode", "\"\xf4\x90\x80\x80\"", strictjson.ReasonUTF8, 1},
		{"cut rune", "\"ééé\xc3\"", strictjson.ReasonUTF8, 7},
		{"stray continuation, far in", `"` + strings.Repeat("a", 99) + "\x80\"", strictjson.ReasonUTF8, 100},
		{"bad UTF-8 before an escape", "\"a\xff\\n and more than eight bytes\"", strictjson.ReasonUTF8, 2},
		{"bad UTF-8 outside a string", "[\xff]", strictjson.ReasonSyntax, 1},
		{"same name twice", `{"a":1,"a":1}`, strictjson.ReasonDuplicate, 7},
		{"same name, second escaped", `{"a":1,"\u0061":2}`, strictjson.ReasonDuplicate, 7},
		{"same name, first escaped", `{"\u0061":1,"a":2}`, strictjson.ReasonDuplicate, 12},
		{"same name, both escaped otherwise", `{"\/":1,"\u002f":2}`, strictjson.ReasonDuplicate, 8},
		{"same name by surrogates", `{"😀":1,"\ud83d\ude00":2}`, strictjson.ReasonDuplicate, 10},
		{"empty name twice", `{"":1,"":2}`, strictjson.ReasonDuplicate, 6},
		{"same name in an inner object", `{"a":[{"b":1,"c":2,"b":3}]}`, strictjson.ReasonDuplicate, 19},
		{"same name around a nested value", `{"a":{"a":[{"a":1}]},"a":2}`, strictjson.ReasonDuplicate, 21},
		{"same name among ten", `{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1,"c":1}`, strictjson.ReasonDuplicate, 55},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got := fault(t, tc.in, strictjson.Limits{})
			if want := (strictjson.Error{Reason: tc.reason, Offset: tc.offset}); got != want {
				t.Errorf("Parse(%.80q) refused for %+v, want %+v", tc.in, got, want)
			}
		})
	}
}

// Every prefix of a document is refused, and never for a reason that blames
// the sender for more than the cut.
func TestPrefixes(t *testing.T) {
	t.Parallel()
	const in = ` {"a\u00e9\ud83d\ude00":[true,false,null,-1.5e+3,"x\n€"],"b":{}} `
	end := len(strings.TrimRight(in, " "))
	for i := range end {
		switch got := fault(t, in[:i], strictjson.Limits{}).Reason; got {
		case strictjson.ReasonTruncated, strictjson.ReasonEmpty:
		default:
			t.Errorf("Parse(%q) refused for %s, want truncated", in[:i], got)
		}
	}
	parse(t, in[:end])
}

func TestLimits(t *testing.T) {
	t.Parallel()
	nest := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	many := func(n int) string { return "[" + strings.Repeat("1,", n-1) + "1]" }
	for _, tc := range []struct {
		name, in string
		limits   strictjson.Limits
		want     strictjson.Reason
	}{
		{"depth by default", nest(64), strictjson.Limits{}, ""},
		{"one deeper", nest(65), strictjson.Limits{}, strictjson.ReasonDepth},
		{"objects count too", strings.Repeat(`{"a":`, 65) + "1" + strings.Repeat("}", 65), strictjson.Limits{}, strictjson.ReasonDepth},
		{"far deeper, unclosed", strings.Repeat("[", 1<<20), strictjson.Limits{}, strictjson.ReasonDepth},
		{"depth 16", nest(16), strictjson.Limits{Depth: 16}, ""},
		{"depth 17", nest(17), strictjson.Limits{Depth: 16}, strictjson.ReasonDepth},
		{"depth 1, scalars", `{"a":1}`, strictjson.Limits{Depth: 1}, ""},
		{"depth is not affected by Keep", nest(65), strictjson.Limits{Keep: 2}, strictjson.ReasonDepth},
		{"ten nodes", many(9), strictjson.Limits{Nodes: 10}, ""},
		{"eleven nodes", many(10), strictjson.Limits{Nodes: 10}, strictjson.ReasonNodes},
		{"names count", `{"a":1,"b":2}`, strictjson.Limits{Nodes: 4}, strictjson.ReasonNodes},
		{"strings count", `["a","b"]`, strictjson.Limits{Nodes: 2}, strictjson.ReasonNodes},
		{"literals count", `[null,true]`, strictjson.Limits{Nodes: 2}, strictjson.ReasonNodes},
		{"containers count", `[[],[]]`, strictjson.Limits{Nodes: 2}, strictjson.ReasonNodes},
		{"nodes by default", many(1 << 18), strictjson.Limits{}, strictjson.ReasonNodes},
		{"what is not kept does not count", `[` + many(1<<14) + `]`, strictjson.Limits{Keep: 1, Nodes: 3}, ""},
		{"but the names of an open object do", `[{"a":1,"b":2}]`, strictjson.Limits{Keep: 1, Nodes: 4}, strictjson.ReasonNodes},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var d strictjson.Doc
			err := d.Parse([]byte(tc.in), tc.limits)
			var e *strictjson.Error
			switch {
			case errors.As(err, &e) && e.Reason == tc.want:
			case err == nil && tc.want == "":
			default:
				t.Errorf("Parse = %v, want %q", err, tc.want)
			}
		})
	}
}

func TestTooLarge(t *testing.T) {
	if testing.Short() {
		t.Skip("needs 256 MiB")
	}
	in := make([]byte, 256<<20+1)
	var d strictjson.Doc
	var e *strictjson.Error
	if err := d.Parse(in, strictjson.Limits{}); !errors.As(err, &e) || e.Reason != strictjson.ReasonSize {
		t.Errorf("Parse of 256 MiB and a byte = %v, want size", err)
	}
}

// Below Keep everything is still checked.
func TestKeepChecks(t *testing.T) {
	t.Parallel()
	l := strictjson.Limits{Keep: 1}
	for in, want := range map[string]strictjson.Reason{
		`{"a":{"b":1,"b":2}}`:                      strictjson.ReasonDuplicate,
		`{"a":[{"b":[1],"c":{},"b":2}]}`:           strictjson.ReasonDuplicate,
		`{"a":[{"b":{"x":{"y":1}},"\u0062":2}]}`:   strictjson.ReasonDuplicate,
		`{"a":[[[["` + "\xff" + `"]]]]}`:           strictjson.ReasonUTF8,
		`{"a":[[1e999]]}`:                          strictjson.ReasonNumber,
		`{"a":[[1,]]}`:                             strictjson.ReasonSyntax,
		`{"a":[1,2,{"a":1}],"b":{"c":[]},"a":[2]}`: strictjson.ReasonDuplicate,
	} {
		if got := fault(t, in, l).Reason; got != want {
			t.Errorf("Parse(%q) refused for %s, want %s", in, got, want)
		}
	}
}

func TestManyNames(t *testing.T) {
	t.Parallel()
	object := func(n int, name func(int) string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, ",\"%s\":%d", name(i), i)
		}
		return "{" + b.String()[1:] + "}"
	}
	const n = 40_000
	plain := object(n, func(i int) string { return fmt.Sprint("k", i) })
	escaped := object(n, func(i int) string { return fmt.Sprintf(`\u006b%d`, i) })
	for _, in := range []string{plain, escaped} {
		v := parse(t, in)
		if v.Len() != n {
			t.Fatalf("Len = %d, want %d", v.Len(), n)
		}
		if got, ok := v.Member("k39999"); !ok || string(got.Raw()) != "39999" {
			t.Errorf("Member(k39999) = %q, %v", got.Raw(), ok)
		}
		dup := in[:len(in)-1] + `,"k5\u0030":1}`
		if got := fault(t, dup, strictjson.Limits{}); got.Reason != strictjson.ReasonDuplicate || got.Offset != len(in) {
			t.Errorf("refused for %+v, want the duplicate at %d", got, len(in))
		}
	}
}

func TestReuse(t *testing.T) {
	t.Parallel()
	var d strictjson.Doc
	for _, in := range []string{`{"a":1}`, `[1,2,3]`, `{"x":}`, `"s"`, `{"a":1,"a":2}`, `null`} {
		err := d.Parse([]byte(in), strictjson.Limits{})
		var want any
		if wantErr := json.Unmarshal([]byte(in), &want); wantErr != nil || strings.Count(in, `"a"`) > 1 {
			if err == nil || d.Root().Kind() != strictjson.Absent {
				t.Errorf("%s: accepted, or left a root behind", in)
			}
			continue
		}
		if err != nil || string(d.Root().Raw()) != in {
			t.Errorf("%s: %v, root %s", in, err, d.Root().Raw())
		}
	}
	d.Reset()
	if d.Root().Kind() != strictjson.Absent {
		t.Error("Reset left a root behind")
	}
	if err := d.Parse([]byte(`[1]`), strictjson.Limits{}); err != nil {
		t.Errorf("Parse after Reset: %v", err)
	}
}

// Reset does not hold on to what an unusual document needed.
func TestResetTrims(t *testing.T) {
	var b strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&b, ",\"\\u0061%d\":0", i)
	}
	in := []byte("{" + b.String()[1:] + "}")
	grow := func(reset bool) float64 {
		var d strictjson.Doc
		return testing.AllocsPerRun(3, func() {
			if err := d.Parse(in, strictjson.Limits{}); err != nil {
				t.Fatal(err)
			}
			if reset {
				d.Reset()
			}
		})
	}
	if kept, dropped := grow(false), grow(true); kept != 0 || dropped == 0 {
		t.Errorf("allocations: %v when kept, %v when reset; want none, and some", kept, dropped)
	}
}

func TestErrorText(t *testing.T) {
	t.Parallel()
	e := fault(t, `{"secret":1,"secret":2}`, strictjson.Limits{})
	if got, want := e.Error(), "read json: duplicate_key at byte 12"; got != want {
		t.Errorf("Error() = %q, want %q", got, want)
	}
}

func TestReadBefore(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, in, want string
	}{
		{"number", `{"jsonrpc":"2.0","id":7,"method":"tools/ca`, `7`},
		{"string", `{"id":"a\n","x":[{"y":`, `"a\n"`},
		{"behind a nested value", `{"params":{"id":1,"a":[1,{}]},"id":2,"z`, `2`},
		{"escaped name", `{"\u0069d":3,`, `3`},
		{"cut in the number", `{"id":12`, ``},
		{"cut behind the string", `{"id":"12"`, ``},
		{"cut in the string", `{"id":"12`, ``},
		{"cut before", `{"id":`, ``},
		{"cut in the name", `{"i`, ``},
		{"only inside", `{"params":{"id":1},"x":`, ``},
		{"inside an open value", `{"params":{"id":1,`, ``},
		{"twice", `{"id":1,"id":2,`, ``},
		{"twice and closed", `{"id":1,"id":2}`, ``},
		{"other name twice", `{"id":1,"a":2,"a":3}`, `1`},
		{"array", `[{"id":1},`, ``},
		{"nothing", ``, ``},
		{"value is an object", `{"id":{"a":1},"b`, `{"a":1}`},
		{"accepted", `{"id":1}`, ``},
		{"bytes behind", `{"id":1} x`, `1`},
		{"too deep elsewhere", `{"id":1,"a":` + strings.Repeat("[", 99), `1`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var d strictjson.Doc
			_ = d.Parse([]byte(tc.in), strictjson.Limits{})
			v, ok := d.ReadBefore("id")
			if ok != (tc.want != "") || string(v.Raw()) != tc.want && ok {
				t.Errorf("ReadBefore(id) = %q, %v; want %q", v.Raw(), ok, tc.want)
			}
		})
	}
}
