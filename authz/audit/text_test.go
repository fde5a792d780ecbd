package audit

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestForgery(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, in, quoted, line string
	}{
		{"plain", "search_code", `"search_code"`, `search_code`},
		{"a new line", "x\n{\"seq\":1}", `"x\n{\"seq\":1}"`, `x\n{\"seq\":1}`},
		{"carriage return", "deny\rallow", `"deny\rallow"`, `deny\rallow`},
		{"tab", "a\tb", `"a\tb"`, `a\tb`},
		{"nul", "a\x00b", `"a\u0000b"`, `a\u0000b`},
		{"clear the screen", "\x1b[2Jx", `"\u001b[2Jx"`, `\u001b[2Jx`},
		{"window title", "\x1b]0;pwned\a", `"\u001b]0;pwned\u0007"`, `\u001b]0;pwned\u0007`},
		{"backspace", "deny\b\b\b\ballow", `"deny\u0008\u0008\u0008\u0008allow"`, `deny\u0008\u0008\u0008\u0008allow`},
		{"delete", "a\x7fb", `"a\u007fb"`, `a\u007fb`},
		{"C1 control sequence", "\u009b2J", `"\u009b2J"`, `\u009b2J`},
		{"C1 as a raw byte", "\x9b2J", `"\x9b2J"`, `\\x9b2J`},
		{"end of a JSON string", `","verdict":"allow`, `"\",\"verdict\":\"allow"`, `\",\"verdict\":\"allow`},
		{"backslash", `a\`, `"a\\"`, `a\\`},
		{"line separator", "a\u2028b\u2029c", `"a\u2028b\u2029c"`, `a\u2028b\u2029c`},
		{"next line", "a\u0085b", `"a\u0085b"`, `a\u0085b`},
		{"bidi override", "a\u202egpj.exe", `"a\u202egpj.exe"`, `a\u202egpj.exe`},
		{"bidi isolates", "\u2066a\u2067b\u2068c\u2069", `"\u2066a\u2067b\u2068c\u2069"`, `\u2066a\u2067b\u2068c\u2069`},
		{"bidi marks", "\u200e\u200f\u061c", `"\u200e\u200f\u061c"`, `\u200e\u200f\u061c`},
		{"zero width", "a\u200bb\u200cc\u200dd\ufeffe\u2060f", `"a\u200bb\u200cc\u200dd\ufeffe\u2060f"`, `a\u200bb\u200cc\u200dd\ufeffe\u2060f`},
		{"soft hyphen", "a\u00adb", `"a\u00adb"`, `a\u00adb`},
		{"spaces that are not", "a\u00a0b\u3000c\u2003d", `"a\u00a0b\u3000c\u2003d"`, `a\u00a0b\u3000c\u2003d`},
		{"fillers", "a\u3164\u115f\uffa0\u2800b", `"a\u3164\u115f\uffa0\u2800b"`, `a\u3164\u115f\uffa0\u2800b`},
		{"variation selectors", "a\ufe0fb\U000e0100", `"a\ufe0fb\U000e0100"`, `a\ufe0fb\udb40\udd00`},
		{"tag characters", "a\U000e0041", `"a\U000e0041"`, `a\udb40\udc41`},
		{"private use", "\ue000", `"\ue000"`, `\ue000`},
		{"not assigned", "\u0378", `"\u0378"`, `\u0378`},
		{"right to left letters", "1 \u05d0 2", `"1 \u05d0 2"`, `1 \u05d0 2`},
		{"arabic forms", "\ufb50\ufe70\u0627\U00010a00\U0001e900", `"\ufb50\ufe70\u0627\U00010a00\U0001e900"`, `\ufb50\ufe70\u0627\ud802\ude00\ud83a\udd00`},
		{"bad UTF-8", "a\xffb\xc3", `"a\xffb\xc3"`, `a\\xffb\\xc3`},
		{"surrogate as UTF-8", "\xed\xa0\x80", `"\xed\xa0\x80"`, `\\xed\\xa0\\x80`},
		{"overlong slash", "\xc0\xaf", `"\xc0\xaf"`, `\\xc0\\xaf`},
		{"escape as text", `\u202e`, `"\\u202e"`, `\\u202e`},
		{"letters of all sorts", "naïve 日本 Привет 😀", `"naïve 日本 Привет 😀"`, `naïve 日本 Привет 😀`},
		{"replacement character", "\ufffd", "\"\ufffd\"", "\ufffd"},
		{"accents", "e\u0301", "\"e\u0301\"", "e\u0301"},
		{"an accent on the quote", "\u0301e", `"\u0301e"`, `\u0301e`},
		{"a tower of accents", "e\u0301\u0301\u0301\u0301\u0301", "\"e\u0301\u0301\u0301\\u0301\\u0301\"", "e\u0301\u0301\u0301\\u0301\\u0301"},
		{"a tower on an escape", "\n\u0301", `"\n\u0301"`, `\n\u0301`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := Quote(tt.in); got != tt.quoted {
				t.Errorf("Quote: got %s, want %s", got, tt.quoted)
			}
			got, cut := appendText(nil, tt.in, 1000)
			if string(got) != tt.line || cut {
				t.Errorf("line: got %s (cut %v), want %s", got, cut, tt.line)
			}
		})
	}
}

// TestNothingHidden goes through all of Unicode.
func TestNothingHidden(t *testing.T) {
	t.Parallel()
	for r := rune(0); r <= unicode.MaxRune; r++ {
		for _, f := range []form{formJSON, formShow} {
			out, _ := f.append(nil, "a"+string(r), 0)
			if !harmless(string(out)) {
				t.Errorf("U+%04X is shown as %q", r, out)
			}
		}
	}
}

// harmless is the rule, said in another way than the code does.
func harmless(s string) bool {
	for _, r := range s {
		switch {
		case r == ' ' || r > ' ' && r < 0x7f:
		case r < 0xa1, unicode.In(r, unicode.C, unicode.Z, unicode.Bidi_Control, unicode.Join_Control,
			unicode.Variation_Selector, unicode.Hebrew, unicode.Arabic, unicode.Syriac, unicode.Thaana, unicode.Nko):
			return false
		}
	}
	return utf8.ValidString(s)
}

func TestDisplay(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, in string
		columns  int
		want     string
	}{
		{"a word", "search_code", 0, "search_code"},
		{"a word that fits", "search_code", 11, "search_code"},
		{"a word that does not", "search_code", 10, "search_co…"},
		{"nothing", "", 0, `""`},
		{"two words", "a b", 0, `"a b"`},
		{"two words that fit", "a b", 5, `"a b"`},
		{"two words that do not", "a bc", 5, `"a …"`},
		{"not ASCII", "naïve", 0, `"naïve"`},
		{"wide", "日本語", 8, `"日本語"`},
		{"wide, cut", "日本語", 7, `"日本…"`},
		{"no half character", "日本語", 6, `"日…"`},
		{"no half escape", "aaa\n", 6, `"aaa…"`},
		{"a quote", `a"b`, 0, `"a\"b"`},
		{"very narrow", "a b c", 1, `"…"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := Display(tt.in, tt.columns)
			if got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if tt.columns >= 3 && width(got) > tt.columns {
				t.Errorf("%s takes %d columns of %d", got, width(got), tt.columns)
			}
		})
	}
}

func TestWidth(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]int{
		"": 0, "abc": 3, "é": 1, "e\u0301": 1, "日": 2, "한": 2, "Ａ": 2, "😀": 2, "〿": 1, "ᄀ": 2, "￥": 2, "𠀀": 2, "豈": 2, "├─ ": 3, "︰": 2, "Ж": 1, "ก": 1,
	} {
		if got := width(s); got != want {
			t.Errorf("width of %q: got %d, want %d", s, got, want)
		}
	}
}

func TestAppendTextLimit(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, in string
		limit    int
		want     string
		cut      bool
	}{
		{"fits", "abcdef", 6, "abcdef", false},
		{"does not", "abcdefg", 6, "abc…", true},
		{"escapes count", "a\nb", 4, `a\nb`, false},
		{"an escape is whole or not there", "ab\x00cd", 8, `ab…`, true},
		{"a character too", "abc日本", 8, "abc…", true},
		{"no room at all", "abc", 2, "…", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, cut := appendText([]byte("<"), tt.in, tt.limit)
			if string(got) != "<"+tt.want || cut != tt.cut {
				t.Errorf("got %s %v, want <%s %v", got, cut, tt.want, tt.cut)
			}
		})
	}
}

func FuzzText(f *testing.F) {
	f.Add("search_code", 20)
	f.Add("x\n{\"seq\":1}\x1b[2J\u202e\xff\u0301\U000e0041", 12)
	f.Fuzz(func(t *testing.T, s string, limit int) {
		limit = 4 + int(uint(limit)%300)
		out, cut := appendText(nil, s, limit)
		if len(out) > limit || !harmless(string(out)) {
			t.Fatalf("%q at %d: %q", s, limit, out)
		}
		var back string
		if err := json.Unmarshal([]byte(`"`+string(out)+`"`), &back); err != nil {
			t.Fatalf("%q: %v", out, err)
		}
		if !cut && utf8.ValidString(s) && back != s {
			t.Fatalf("%q came back as %q", s, back)
		}
		if shown := Display(s, limit); !harmless(shown) || width(shown) > limit {
			t.Fatalf("%q is shown as %q", s, shown)
		}
		if q := Quote(s); strings.ContainsAny(q, "\n\r\x1b") {
			t.Fatalf("%q", q)
		}
	})
}
