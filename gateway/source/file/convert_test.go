package file

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// problemsOf is the problems of a text, one a line: LINE:COLUMN message.
func problemsOf(problems []textProblem) string {
	var b strings.Builder
	for _, p := range problems {
		fmt.Fprintf(&b, "%d:%d %s\n", p.line, p.column, p.message)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// read parses and converts, as a document is read.
func read(text string, asJSON bool) (any, string) {
	docs := documents{json: asJSON}
	root, problem := docs.parse([]byte(text))
	if problem != nil {
		return nil, problemsOf([]textProblem{*problem})
	}
	if root == nil {
		return nil, ""
	}
	value, problems, _ := convert(root)
	return value, problemsOf(problems)
}

func TestConvertYAML(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, text string
		want       any
		problems   string
	}{
		{
			"scalars", "[a, 'no', \"on\", 1, -2, 1.5, 1e3, true, False, null, ~, 2024-01-01, 0]",
			[]any{"a", "no", "on", int64(1), int64(-2), 1.5, 1000.0, true, false, nil, nil, "2024-01-01", int64(0)},
			"",
		},
		{"block scalars", "a: |\n  no\nb: >\n  1\n", map[string]any{"a": "no\n", "b": "1\n"}, ""},
		{"tagged string", "a: !!str 1", map[string]any{"a": "1"}, ""},
		{"time of day", "a: 12:30", map[string]any{"a": "12:30"}, ""},
		{"alias", "a: &x [1]\nb: *x", map[string]any{"a": []any{int64(1)}, "b": []any{int64(1)}}, ""},
		{"alias as a name", "a: &x b\n*x : c", map[string]any{"a": "b", "b": "c"}, ""},
		{"BOM", "\ufeffa: b", map[string]any{"a": "b"}, ""},
		{"windows", "a: b\r\nc: d\r\n", map[string]any{"a": "b", "c": "d"}, ""},
		{"nothing", "# x", nil, ""},
		{"null", "---\n", nil, ""},
		{"booleans of 1.1", "a: Yes", map[string]any{"a": nil}, "1:4 Yes is a boolean to YAML 1.1 and a string to YAML 1.2"},
		{"octal", "a: 0777", map[string]any{"a": nil}, "1:4 a number that is not in decimal"},
		{"sign", "a: +1", map[string]any{"a": nil}, "1:4 a number that is not in decimal"},
		{"no digit before the point", "a: .5", map[string]any{"a": nil}, "1:4 a number that is not in decimal"},
		{"too large", "a: 9223372036854775808", map[string]any{"a": nil}, "1:4 too large a number"},
		{"not a number", "a: .nan", map[string]any{"a": nil}, "1:4 a number that is not in decimal"},
		{"name that is a number", "1: a", map[string]any{}, "1:1 the name of a field must be a string, 1 is none"},
		{"name that is null", "~: a", map[string]any{}, "1:1 the name of a field must be a string, ~ is none"},
		{"name that is a list", "? [a]\n: b", map[string]any{}, "1:3 a list or a mapping is no name of a field"},
		{"quoted names", "'1': a\n\"no\": b", map[string]any{"1": "a", "no": "b"}, ""},
		{"twice", "a: b\nc: d\na: e", map[string]any{"c": "d"}, "3:1 \"a\" is there twice"},
		{"twice by escape", "a: b\n\"\\x61\": c", map[string]any{}, "2:1 \"a\" is there twice"},
		{"merge", "a: &x {b: c}\n<<: *x", map[string]any{"a": map[string]any{"b": "c"}}, "2:1 the merge key \"<<\" is not read"},
		{"tag", "a: !secret hunter2", map[string]any{"a": nil}, "1:4 tags are not read"},
		{"binary", "a: !!binary aGk=", map[string]any{"a": nil}, "1:4 tags are not read"},
		{"NUL", `a: "\0"`, map[string]any{"a": nil}, "1:4 a NUL character"},
		{"NUL in a name", `"\0": a`, map[string]any{}, "1:1 a NUL character"},
		{"hidden document", "a: b\u2028---\u2028c: d", nil, "2:1 a second document begins here"},
		{"old mac", "a: b\r---\rc: d", nil, "2:1 a second document begins here"},
	} {
		got, problems := read(tc.text, false)
		if diff := cmp.Diff(tc.want, got); diff != "" && problems == tc.problems {
			t.Errorf("%s: value (-want +got):\n%s", tc.name, diff)
		}
		if problems != tc.problems {
			t.Errorf("%s: problems:\n%s\nwant:\n%s", tc.name, problems, tc.problems)
		}
	}
}

func TestConvertJSON(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, text string
		want       any
		problems   string
	}{
		{
			"scalars", `["a", 1, -2.5, 1e3, true, false, null, "no", "\ud83d\ude00", "\ufffd", "` + "\ufffd" + `"]`,
			[]any{"a", int64(1), -2.5, 1000.0, true, false, nil, "no", "😀", "\ufffd", "\ufffd"},
			"",
		},
		{"object", "\t{\"a\": {\"b\": []}}\n", map[string]any{"a": map[string]any{"b": []any{}}}, ""},
		{"nothing", " \n", nil, ""},
		{"BOM", "\ufeff{}", map[string]any{}, ""},
		{"twice", "{\"a\": 1,\n \"b\": 2, \"a\": 3}", map[string]any{"b": int64(2)}, "2:10 \"a\" is there twice"},
		{"twice by escape", `{"a": 1, "\u0061": 3}`, map[string]any{}, "1:10 \"a\" is there twice"},
		{"NUL", `{"a": "\u0000"}`, map[string]any{"a": nil}, "1:7 a NUL character"},
		{"half a pair", `{"a": "\ud83d"}`, nil, "1:7 half a surrogate pair: this is no Unicode text"},
		{"large", `[99999999999999999999]`, []any{nil}, "1:2 too large a number"},
		{"larger", `[1e999]`, []any{nil}, "1:2 too large a number"},
		{"trailing", "{}\n{}", nil, "2:1 a second value begins here"},
		{"trailing comma", `{"a": 1,}`, nil, "1:8 is no JSON: invalid character '}'"},
		{"comment", "{}// x", nil, "1:3 a second value begins here"},
		{"cut", `{"a": [1`, nil, "1:9 is no JSON: it ends too early"},
		{"YAML", "a: b", nil, "1:1 is no JSON: invalid character 'a' looking for beginning of value"},
	} {
		got, problems := read(tc.text, true)
		if diff := cmp.Diff(tc.want, got); diff != "" && problems == tc.problems {
			t.Errorf("%s: value (-want +got):\n%s", tc.name, diff)
		}
		if !strings.HasPrefix(problems, tc.problems) || (problems == "") != (tc.problems == "") {
			t.Errorf("%s: problems:\n%s\nwant:\n%s", tc.name, problems, tc.problems)
		}
	}
}

func TestNoText(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, text, want string }{
		{"NUL", "a: b\nc\x00", "2:2 NUL byte: this is no text"},
		{"latin 1", "a: \xe9", "1:4 byte 0xe9 is not UTF-8"},
		{"after a wide letter", "é\xff", "1:2 byte 0xff is not UTF-8"},
		{"UTF-16", "\xff\xfea\x00", "1:1 is UTF-16"},
		{"UTF-16, the other way", "\xfe\xff\x00a", "1:1 is UTF-16"},
		{"surrogate", "\xed\xa0\x80", "1:1 byte 0xed is not UTF-8"},
		{"overlong", "\xc0\xaf", "1:1 byte 0xc0 is not UTF-8"},
	} {
		for _, asJSON := range []bool{false, true} {
			if _, got := read(tc.text, asJSON); got != tc.want {
				t.Errorf("%s: got %q, want %q", tc.name, got, tc.want)
			}
		}
	}
}

func TestWhereYAMLBreaks(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, text, want string }{
		{"bracket", "a: b\nc: [1,\n  2\nd: e\nf: g\n", "2:1 is no YAML: did not find expected ',' or ']'"},
		{"quote", "a: b\nc:\n  d: \"x\ne: f\n", "3:3 is no YAML: found unexpected end of stream"},
		{"indentation", "a:\n  b: c\n d: e\nf: g\n", "3:2 is no YAML: did not find expected key"},
		{"tab", "a:\n\tb: c\n", "2:1 is no YAML: found character that cannot start any token"},
		{"colon", "a: b: c\n", "1:1 is no YAML: mapping values are not allowed in this context"},
		{"no colon", "a: b\nc\nd: e\n", "2:1 is no YAML: could not find expected ':'"},
		{"anchor", "a: b\nc: *hunter2\n", "2:1 is no YAML: unknown anchor"},
		{"after a long bracket", "a: [1,\n  2,\n  3]\nb: c: d\n", "4:1 is no YAML: mapping values are not allowed in this context"},
	} {
		if _, got := read(tc.text, false); got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, got, tc.want)
		}
	}
}

// TestBombs holds that small texts that mean huge values end soon.
func TestBombs(t *testing.T) {
	t.Parallel()
	laughs := "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c <= 'z'; c++ {
		laughs += fmt.Sprintf("%c: &%c [*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c]\n", c, c, c-1, c-1, c-1, c-1, c-1, c-1, c-1, c-1, c-1, c-1)
	}
	for _, tc := range []struct {
		name, text string
		json       bool
	}{
		{"billion laughs", laughs, false},
		{"one large string, many times", "a: &a " + strings.Repeat("x", 100_000) + "\nb: [" + strings.Repeat("*a, ", 10_000) + "]", false},
		{"one large name, many times", "a: &a " + strings.Repeat("x", 100_000) + "\nb:\n" + strings.Repeat("- {*a : x}\n", 10_000), false},
		{"itself", "&a [*a]", false},
		{"itself in a mapping", "a: &a {b: *a}", false},
		{"deep", strings.Repeat("[", 5000) + strings.Repeat("]", 5000), false},
		{"deeper than the parser goes", strings.Repeat("[", 1_000_000), false},
		{"deep mappings", strings.Repeat("{a: ", 1000) + "b" + strings.Repeat("}", 1000), false},
		{"deep by indentation", strings.Repeat("- ", 5000) + "x", false},
		{"deep JSON", strings.Repeat("[", 5000) + strings.Repeat("]", 5000), true},
		{"many nodes", "[" + strings.Repeat("1,", 300_000) + "1]", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			if _, problems := read(tc.text, tc.json); problems == "" {
				t.Error("no problem is found")
			}
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// TestLargeBrokenDocument holds that the search for the line at fault ends.
func TestLargeBrokenDocument(t *testing.T) {
	t.Parallel()
	start := time.Now()
	text := "a: [\n" + strings.Repeat("b: c\n", 200_000)
	_, problem := parseYAML([]byte(text))
	if problem == nil || problem.readable != nil || problem.line < 1 {
		t.Errorf("%+v", problem)
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestLineText(t *testing.T) {
	t.Parallel()
	for number, want := range map[int]string{0: "", 1: "a\n", 2: "b", 3: ""} {
		if got := string(lineText([]byte("a\nb"), number)); got != want {
			t.Errorf("line %d: %q", number, got)
		}
	}
}

func TestFewProblems(t *testing.T) {
	t.Parallel()
	root, problem := parseYAML([]byte(strings.Repeat("- no\n", 100)))
	if problem != nil {
		t.Fatal(problem)
	}
	_, problems, whole := convert(root)
	if len(problems) != maxDocumentProblems+1 || !whole {
		t.Errorf("problems: %d", len(problems))
	}
	if last := problems[len(problems)-1]; last.message != "and 80 more problems" || last.line != maxDocumentProblems+1 {
		t.Errorf("the last one: %+v", last)
	}
}

func TestLocate(t *testing.T) {
	t.Parallel()
	root, problem := parseYAML([]byte(`# a comment
metadata:
  labels: {a.b/c: x, a: {b: y}}
spec:
  rules:
  - name: one
    when: [a, b]
  - &r
    name: two
  - *r
`))
	if problem != nil {
		t.Fatal(problem)
	}
	for _, tc := range []struct{ path, want string }{
		{"", "2:1"},
		{"spec", "4:1"},
		{"spec.rules", "5:3"},
		{"spec.rules[0]", "6:5"},
		{"spec.rules[0].name", "6:5"},
		{"spec.rules[0].when[1]", "7:15"},
		{"spec.rules[0].missing", "6:5"},
		{"spec.rules[0].missing.deeper", "6:5"},
		{"spec.rules[9]", "5:3"},
		{"spec.rules[x]", "5:3"},
		{"spec.rules.name", "5:3"},
		{"spec.rules[2].name", "9:5"},
		{"metadata.labels[a.b/c]", "3:12"},
		{"metadata.labels.a.b/c", "3:12"},
		{"metadata.labels.a.b", "3:26"},
		{"metadata.lab", "2:1"},
		{"nothing", "2:1"},
	} {
		line, column := locate(root, tc.path)
		if got := fmt.Sprintf("%d:%d", line, column); got != tc.want {
			t.Errorf("%q: got %s, want %s", tc.path, got, tc.want)
		}
	}
}
