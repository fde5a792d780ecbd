package policy

import (
	"fmt"
	"strings"

	"github.com/hopgate/hopgate/authz/token"
)

// transaction is what a rule asks of the token.
type transaction struct {
	// required: there must be one. An Allow rule that says nothing has it; a
	// Deny or Ask that says nothing holds with and without a token.
	required bool
	// none: the rule says so. Only then are MCP's base methods opened by it to
	// a caller without a token: an Ask that says nothing holds without one, and
	// must not open by that.
	none    bool
	domain  string
	scopes  []string
	context []contextMatch
}

// contextMatch is one value of tctx.
type contextMatch struct {
	field  string // tctx.PATH
	path   string
	names  []string
	values scalars
}

func (x *transaction) eval(e *eval, every bool) truth {
	c := e.q.Claims
	if c == nil {
		return e.note("token", "a verified one", "none", truthOf(!x.required))
	}
	t := yes
	if x.domain != "" {
		t = t.and(e.note("transaction.trustDomain", x.domain, c.Domain.Name, truthOf(c.Domain.Name == x.domain)))
	}
	for _, s := range x.scopes {
		if e.settled(t) {
			return no
		}
		t = t.and(e.hasScope(c, s))
	}
	for i := range x.context {
		if e.settled(t) {
			return no
		}
		t = t.and(x.context[i].eval(e, c.Context, every))
	}
	return t
}

func (e *eval) hasScope(c *token.Claims, s string) truth {
	t := truthOf(c.HasScope(s))
	if e.notes != nil {
		e.note("scopes", "has "+s, orNone(strings.Join(c.Scopes, " ")), t)
	}
	return t
}

// eval compares every element of an array, or any. What is missing or of
// another type does not hold for an Allow rule, and cannot be judged by others.
func (m *contextMatch) eval(e *eval, tctx map[string]any, every bool) truth {
	v := m.find(tctx)
	t := m.compare(v, every)
	if t == unsure {
		if every {
			t = no
		} else {
			e.unsure(m.field, "it is not there, or is no text, number or boolean")
		}
	}
	if e.notes != nil {
		actual := "none"
		if v != nil {
			actual = fmt.Sprint(v)
		}
		e.note(m.field, "one of "+m.values.String(), actual, t)
	}
	return t
}

func (m *contextMatch) compare(v any, every bool) truth {
	list, ok := v.([]any)
	if !ok {
		return m.values.hasAny(v, !every)
	}
	if len(list) == 0 {
		return unsure
	}
	t := truthOf(every)
	for _, v := range list {
		if one := m.values.hasAny(v, !every); every {
			t = t.and(one)
		} else {
			t = t.or(one)
		}
	}
	return t
}

// find is the member of the whole path as its name, or what the names joined
// by dots lead to; nil: nothing.
func (m *contextMatch) find(tctx map[string]any) any {
	if v, ok := tctx[m.path]; ok {
		return v
	}
	var v any = tctx
	for _, name := range m.names {
		object, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = object[name]
	}
	return v
}
