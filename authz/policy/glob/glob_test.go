package glob

import (
	"strings"
	"testing"
	"time"
)

func TestMatch(t *testing.T) {
	t.Parallel()
	tests := []struct {
		pattern string
		sep     byte
		yes     []string
		no      []string
	}{
		{"search", '/', []string{"search"}, []string{"", "Search", "searc", "search_", "xsearch"}},
		{"*", '/', []string{"a", "a/b", "/", "\x00"}, []string{""}},
		{"**", '/', []string{"a", "a/b"}, []string{""}},
		{"search_*", '/', []string{"search_", "search_code"}, []string{"search", "search_a/b", "Search_code"}},
		{"acme/*", '/', []string{"acme/x", "acme/"}, []string{"acme", "acme/x/y"}},
		{"acme/**", '/', []string{"acme/x", "acme/x/y", "acme/"}, []string{"acme", "acmex/y"}},
		{"*_delete", '/', []string{"repo_delete", "_delete"}, []string{"a/b_delete", "delete"}},
		{"*.example.com", '.', []string{"a.example.com"}, []string{"example.com", "a.b.example.com", "aexample.com"}},
		{"**.example.com", '.', []string{"a.example.com", "a.b.example.com"}, []string{"example.com", "evil-example.com"}},
		{"a.*.c", '.', []string{"a.b.c"}, []string{"a.c", "a.b.b.c"}},
		{"a.**.c", '.', []string{"a.b.c", "a.b.b.c"}, []string{"a.c"}},
		{"aa*aa", '/', []string{"aaaa", "aabaa"}, []string{"aaa", "aa"}},
		{"*a*", '/', []string{"a", "xax", "aaa"}, []string{"", "x", "x/a"}},
		{"**/secret/**", '/', []string{"/secret/", "a/secret/b", "x/y/secret/z/z"}, []string{"secret/x", "/secret", "a/secrets/b"}},
		{"/v1/*/items/*", '/', []string{"/v1/a/items/b", "/v1//items/"}, []string{"/v1/a/b/items/c", "/v1/a/items/b/c"}},
		{"/a/**/b/*", '/', []string{"/a/x/b/c", "/a/x/b/b/c", "/a/x/y/b/c"}, []string{"/a/b/c", "/a/x/b/c/d"}},
		{"*a**b*", '/', []string{"ab", "xa/ybz", "a/b"}, []string{"x/ab", "ab/", "ba"}},
		{"spiffe://*/ns/agents/sa/r-*", '/', []string{"spiffe://corp/ns/agents/sa/r-1"}, []string{"spiffe://corp/x/ns/agents/sa/r-1", "spiffe://corp/ns/agents/sa/r-1/x"}},
		{"日本*語*", '/', []string{"日本語", "日本x語y"}, []string{"日語"}},
		{strings.Repeat("ab*", 60), '/', []string{strings.Repeat("abc", 60), strings.Repeat("ab", 60)}, []string{strings.Repeat("ab", 59)}},
	}
	for _, tt := range tests {
		t.Run(tt.pattern, func(t *testing.T) {
			t.Parallel()
			g, err := Compile(tt.pattern, tt.sep)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range tt.yes {
				if !g.Match(s) {
					t.Errorf("Match(%q) = false, want true", s)
				}
			}
			for _, s := range tt.no {
				if g.Match(s) {
					t.Errorf("Match(%q) = true, want false", s)
				}
			}
		})
	}
}

func TestCompileRefuses(t *testing.T) {
	t.Parallel()
	for name, pattern := range map[string]string{
		"empty":       "",
		"three stars": "a***",
		"long":        strings.Repeat("a", MaxBytes+1),
		"bad utf-8":   "a\xff*",
		"control":     "a\n*",
		"delete":      "a\x7f",
	} {
		if g, err := Compile(pattern, '/'); err == nil || g.Match(pattern) {
			t.Errorf("%s: got a Glob (%v) that matches: %v", name, err, g.Match(pattern))
		}
	}
}

func TestZeroMatchesNothing(t *testing.T) {
	t.Parallel()
	var g Glob
	if g.Match("") || g.Match("a") {
		t.Error("the zero Glob matches")
	}
}

func TestParts(t *testing.T) {
	t.Parallel()
	tests := []struct {
		pattern, head, tail string
		exact, lone         bool
	}{
		{"abc", "abc", "", true, false},
		{"*", "", "", false, true},
		{"**", "", "", false, true},
		{"a*", "a", "", false, false},
		{"*.b", "", ".b", false, false},
		{"a*b**c", "a", "c", false, false},
	}
	for _, tt := range tests {
		g, err := Compile(tt.pattern, '/')
		if err != nil {
			t.Fatal(err)
		}
		if g.Head() != tt.head || g.Tail() != tt.tail || g.Exact() != tt.exact || g.Lone() != tt.lone || g.String() != tt.pattern {
			t.Errorf("%q: head %q tail %q exact %v lone %v", tt.pattern, g.Head(), g.Tail(), g.Exact(), g.Lone())
		}
	}
}

// The longest pattern there is, over a text made to keep it busy: a matcher
// that tries every way would never come back.
func TestLinear(t *testing.T) {
	t.Parallel()
	g, err := Compile(strings.Repeat("a*", MaxBytes/2-1)+"b", '/')
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Repeat("a", 1<<16) + "b"
	start := time.Now()
	if !g.Match(text) {
		t.Error("no match")
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestNoAllocations(t *testing.T) {
	for _, p := range []string{"abc", "*", "a*", "a*b*c", "**/x/**"} {
		g, err := Compile(p, '/')
		if err != nil {
			t.Fatal(err)
		}
		if n := testing.AllocsPerRun(100, func() { g.Match("aaa/x/bbbbc") }); n != 0 {
			t.Errorf("%q: %v allocations", p, n)
		}
	}
}

// slow is the meaning of a pattern, word for word, with each pair of positions
// looked at once.
type slow struct {
	pattern, text string
	sep           byte
	seen          map[[2]int]bool
}

func slowMatch(pattern, text string, sep byte) bool {
	if strings.Trim(pattern, "*") == "" {
		return text != ""
	}
	s := slow{pattern, text, sep, map[[2]int]bool{}}
	return s.from(0, 0)
}

func (s *slow) from(p, i int) bool {
	at := [2]int{p, i}
	got, ok := s.seen[at]
	if !ok {
		got = s.look(p, i)
		s.seen[at] = got
	}
	return got
}

func (s *slow) look(p, i int) bool {
	rest, more := s.pattern[p:], i < len(s.text)
	switch {
	case rest == "":
		return !more
	case strings.HasPrefix(rest, "**"):
		return s.from(p+2, i) || more && s.from(p, i+1)
	case rest[0] == '*':
		return s.from(p+1, i) || more && s.text[i] != s.sep && s.from(p, i+1)
	}
	return more && s.text[i] == rest[0] && s.from(p+1, i+1)
}

func FuzzMatch(f *testing.F) {
	for _, seed := range [][2]string{
		{"a*b", "axxb"}, {"**/a/*", "x/y/a/b"}, {"*a**b*", "a/b"}, {"*", ""}, {"a**b**c", "abc"}, {"*.*.*", "a.b.c"},
	} {
		f.Add(seed[0], seed[1], true)
		f.Add(seed[0], seed[1], false)
	}
	f.Fuzz(func(t *testing.T, pattern, s string, slash bool) {
		if len(pattern)*len(s) > 1<<14 {
			return
		}
		sep := byte('.')
		if slash {
			sep = '/'
		}
		g, err := Compile(pattern, sep)
		if err != nil {
			return
		}
		if got, want := g.Match(s), slowMatch(pattern, s, sep); got != want {
			t.Errorf("Compile(%q, %q).Match(%q) = %v, want %v", pattern, sep, s, got, want)
		}
		if g.Match(s) && !(strings.HasPrefix(s, g.Head()) && strings.HasSuffix(s, g.Tail())) {
			t.Errorf("%q matches %q without its head or tail", pattern, s)
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	for _, p := range []string{"acme/widgets", "acme/*", "**/secret/**", "a*b*c*d"} {
		b.Run(p, func(b *testing.B) {
			g, err := Compile(p, '/')
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				g.Match("acme/widgets-and-more")
			}
		})
	}
}
