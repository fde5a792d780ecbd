package policy

import (
	"strings"
	"unicode/utf8"
)

// Condition is one thing that a rule asks for, and what it found.
type Condition struct {
	// Field is as rules write it: peer, agent, servers, names, args.repo,
	// when[0].
	Field string
	// Expected is what the rule says, Actual what the hop has. Both are cut to
	// 240 bytes.
	Expected, Actual string
	// Result is yes, no or error.
	Result string
}

// notes takes down conditions of one rule.
type notes struct{ list []Condition }

const maxShown = 240

// note takes down a condition, if anybody reads it, and returns t.
func (e *eval) note(field, expected, actual string, t truth) truth {
	if e.notes != nil {
		e.notes.list = append(e.notes.list, Condition{
			Field: field, Expected: shorten(expected), Actual: shorten(actual), Result: t.String(),
		})
	}
	return t
}

func (e *eval) noteCondition(i int, c *condition, t truth, problem string) {
	actual := t.String()
	if problem != "" {
		actual = "error: " + problem
	}
	var b strings.Builder
	b.WriteString(actual)
	var r Rendering
	r.render(e.q, c.reads.fields, maxShown)
	for _, f := range r.fields {
		b.WriteString("; " + f.Name + " = " + f.shown())
	}
	e.note(whenField(i), c.text, b.String(), t)
}

// failed is how many conditions do not hold.
func failed(list []Condition) int {
	n := 0
	for _, c := range list {
		if c.Result != yes.String() {
			n++
		}
	}
	return n
}

// better reports whether n came nearer to a match than o: less of it failed,
// or as much and more held.
func (n *notes) better(o *notes) bool {
	mine, others := failed(n.list), failed(o.list)
	return mine < others || mine == others && len(n.list) > len(o.list)
}

// shorten cuts s to a length that can be shown, at a rune.
func shorten(s string) string {
	if len(s) <= maxShown {
		return s
	}
	cut := maxShown - len("...")
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "..."
}
