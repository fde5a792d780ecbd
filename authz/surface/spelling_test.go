package surface_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/authz/strictjson"
	"github.com/hopgate/hopgate/authz/surface"
)

func TestResembles(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, known string
		want        bool
	}{
		{"name", "name", true},
		{"Name", "name", true},
		{"NAME", "name", true},
		{"na_me", "name", true},
		{"na-me", "name", true},
		{" name", "name", true},
		{"name\x00", "name", true},
		{"name\x00x", "name", false},
		{"$name[]", "name", true},
		{"param\u017f", "params", true},
		{"to\u212aen", "token", true},
		{"max_tokens", "maxTokens", true},
		{"names", "name", false},
		{"nam", "name", false},
		{"", "name", false},
		{"", "_", true},
		{"n\u0430me", "name", false}, // a Cyrillic letter: no reader folds it
		{"name2", "name", false},
		{"\xffname", "name", true},
	} {
		if got := surface.Resembles(tc.name, tc.known); got != tc.want {
			t.Errorf("Resembles(%q, %q) = %v", tc.name, tc.known, got)
		}
	}
}

// Whatever encoding/json takes for a field resembles the field's name.
func FuzzResembles(f *testing.F) {
	for _, s := range []string{"arguments", "ARGUMENTS", "argument\u017f", "arg_uments", "x", "arguments\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		quoted, err := json.Marshal(name)
		if err != nil {
			t.Skip()
		}
		var got struct {
			Arguments int `json:"arguments"`
		}
		if err := json.Unmarshal([]byte("{"+string(quoted)+":1}"), &got); err != nil {
			t.Skip()
		}
		if got.Arguments == 1 && !surface.Resembles(name, "arguments") {
			t.Errorf("encoding/json takes %q for arguments", name)
		}
		if name != "arguments" && surface.Resembles(name, "arguments") != surface.Variant(name, "arguments") {
			t.Errorf("Variant and Resembles differ on %q", name)
		}
	})
}

func TestVariant(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		known []string
		want  bool
	}{
		{"name", []string{"name", "uri"}, false},
		{"URI", []string{"name", "uri"}, true},
		{"max_tokens", []string{"maxTokens", "max_tokens"}, false},
		{"max-tokens", []string{"maxTokens", "max_tokens"}, true},
		{"other", []string{"name"}, false},
		{"name", nil, false},
	} {
		if got := surface.Variant(tc.name, tc.known...); got != tc.want {
			t.Errorf("Variant(%q, %q) = %v", tc.name, tc.known, got)
		}
	}
}

func TestExactNames(t *testing.T) {
	t.Parallel()
	many := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `,"k%d":0`, i)
		}
		return "{" + b.String()[1:] + "}"
	}
	for _, tc := range []struct {
		name, in string
		want     surface.Reason
	}{
		{"exact", `{"name":1,"uri":2,"other":3}`, ""},
		{"none", `{}`, ""},
		{"no object", `[1]`, ""},
		{"variant", `{"name":1,"Name":2}`, surface.ReasonCaseVariant},
		{"variant of another", `{"URI":1}`, surface.ReasonCaseVariant},
		{"variant by escapes", `{"n\u0041me":1}`, surface.ReasonCaseVariant},
		{"long", `{"` + strings.Repeat("x", 256) + `":1}`, ""},
		{"too long", `{"` + strings.Repeat("x", 257) + `":1}`, surface.ReasonCaseVariant},
		{"many", many(1024), ""},
		{"too many", many(1025), surface.ReasonMembers},
	} {
		var d strictjson.Doc
		if err := d.Parse([]byte(tc.in), strictjson.Limits{}); err != nil {
			t.Fatal(err)
		}
		if got := reason(surface.ExactNames(d.Root(), "name", "uri")); got != tc.want {
			t.Errorf("%s: ExactNames = %q, want %q", tc.name, got, tc.want)
		}
	}
}

func TestFold(t *testing.T) {
	t.Parallel()
	for _, equal := range []string{"aA", "kK\u212a", "sS\u017f", "\u03c3\u03c2\u03a3", "\u00e9\u00c9", "__", "\u01c5\u01c4\u01c6"} {
		want := surface.Fold([]rune(equal)[0])
		for _, r := range equal {
			if got := surface.Fold(r); got != want {
				t.Errorf("Fold(%q) = %q, want %q as of the others in %q", r, got, want, equal)
			}
		}
	}
	if surface.Fold('a') == surface.Fold('b') {
		t.Error("a and b fold together")
	}
}

func TestCleanName(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]bool{
		"search": true, "a b": true, "büro": true, "": false, " a": false, "a ": false, "a\u00a0": false,
		"a\x00b": false, "a\nb": false, "a\x7f": false, "a\u0085b": false,
	} {
		if got := surface.CleanName(s); got != want {
			t.Errorf("CleanName(%q) = %v", s, got)
		}
	}
}
