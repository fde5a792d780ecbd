package policy

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// Every affix of a text is found, and nothing else.
func TestAffixes(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	word := func(n int) string {
		b := make([]byte, r.IntN(n))
		for i := range b {
			b[i] = "ab"[r.IntN(2)]
		}
		return string(b)
	}
	for _, k := range []struct{ reversed, dotted bool }{{false, false}, {true, false}, {true, true}} {
		reversed, has := k.reversed, strings.HasPrefix
		if reversed {
			has = strings.HasSuffix
		}
		for range 200 {
			byText := map[string]*branch{}
			for range r.IntN(30) {
				text := word(8)
				if k.dotted && text != "" {
					text = "." + text
				}
				byText[text] = &branch{}
			}
			a := newAffixes(byText, reversed)
			if a != nil && k.dotted && a.dotted == nil {
				t.Fatal("suffixes that begin with dots are not found by them")
			}
			for range 30 {
				s := word(12)
				if k.dotted {
					s = strings.NewReplacer("ba", "b.", "ab", ".").Replace(s)
				}
				var want []*branch
				for text, b := range byText {
					if has(s, text) {
						want = append(want, b)
					}
				}
				got := a.matching(s, nil)
				if len(got) != len(want) || slices.ContainsFunc(want, func(b *branch) bool { return !slices.Contains(got, b) }) {
					t.Fatalf("%q reversed=%v: found %d of %d", s, reversed, len(got), len(want))
				}
			}
		}
	}
}
