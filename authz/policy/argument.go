package policy

import (
	"strconv"

	"github.com/hopgate/hopgate/authz/strictjson"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

// argument matches one member of a call's arguments.
type argument struct {
	name   string
	field  string // args.NAME
	kind   v1alpha1.ArgumentType
	values scalars
	globs  *patterns
	bounds bounds
}

const (
	argMissing = "it is not there"
	argType    = "it is of another type"
	argEmpty   = "the list is empty"
	argLong    = "it is too long to be judged"
)

const (
	// maxElements is the longest list that is judged.
	maxElements = 10_000
	// maxGlobBytes is the longest text that is held against globs: there may
	// be hundreds of them.
	maxGlobBytes = 64 << 10
)

// eval judges the argument. For an Allow (every) each element of a list must
// match, and what is missing or of another type does not. For the others one
// element is enough, and what is missing or of another type cannot be judged.
func (a *argument) eval(e *eval, args strictjson.Value, every bool) truth {
	v, _ := args.Member(a.name)
	t := a.judge(e, v.Expand(), every)
	if every && t == unsure {
		t = no
	}
	if e.notes != nil {
		e.note(a.field, a.String(), shown(v), t)
	}
	return t
}

func (a *argument) judge(e *eval, v strictjson.Value, every bool) truth {
	switch k := v.Kind(); {
	case a.kind == v1alpha1.ArgumentPresent:
		return truthOf(k != strictjson.Absent && k != strictjson.Null)
	case a.kind == v1alpha1.ArgumentAbsent:
		// Null is not there for most servers and there for some: whichever is
		// the closed reading.
		return truthOf(k == strictjson.Absent || k == strictjson.Null && !every)
	case k == strictjson.Absent || k == strictjson.Null:
		return a.unsure(e, every, argMissing)
	case k == strictjson.Array:
		return a.elements(e, v, every)
	}
	return a.one(e, v, every)
}

// elements is an AND over a list for an Allow, an OR for the others. An empty
// list shows nothing: to some servers it means everything.
func (a *argument) elements(e *eval, list strictjson.Value, every bool) truth {
	switch n := list.Len(); {
	case n == 0:
		return a.unsure(e, every, argEmpty)
	case n > maxElements:
		return a.unsure(e, every, argLong)
	}
	t := truthOf(every)
	for v := range list.Elems() {
		one := a.one(e, v, every)
		if every {
			if t = t.and(one); t != yes {
				return no
			}
			continue
		}
		if t = t.or(one); t == yes {
			return yes
		}
	}
	return t
}

// one judges a value that is no list.
func (a *argument) one(e *eval, v strictjson.Value, every bool) truth {
	switch a.kind {
	case v1alpha1.ArgumentExact:
		return a.exact(e, v, every)
	case v1alpha1.ArgumentGlob:
		s, ok := v.Text()
		switch {
		case ok && len(s) > maxGlobBytes:
			return a.unsure(e, every, argLong)
		case ok:
			return truthOf(a.globs.match(s))
		}
	case v1alpha1.ArgumentRange:
		if v.Kind() == strictjson.Number {
			exactly, rounded := within(v, a.bounds)
			if every {
				return truthOf(exactly && rounded)
			}
			return truthOf(exactly || rounded)
		}
	}
	return a.unsure(e, every, argType)
}

func (a *argument) exact(e *eval, v strictjson.Value, every bool) truth {
	switch v.Kind() {
	case strictjson.String:
		s, _ := v.Text()
		return truthOf(a.values.hasText(s, !every))
	case strictjson.Bool:
		b, _ := v.Bool()
		return truthOf(contains(a.values.sorted, strconv.FormatBool(b)))
	case strictjson.Number:
		return truthOf(a.values.hasNumber(v, !every))
	}
	return a.unsure(e, every, argType)
}

// unsure notes a fault where it counts as one.
func (a *argument) unsure(e *eval, every bool, problem string) truth {
	if every {
		return no
	}
	return e.unsure(a.field, problem)
}

// String is what the argument must be.
func (a *argument) String() string {
	switch a.kind {
	case v1alpha1.ArgumentExact:
		return "one of " + a.values.String()
	case v1alpha1.ArgumentGlob:
		return "like one of " + a.globs.String()
	case v1alpha1.ArgumentRange:
		return a.bounds.String()
	case v1alpha1.ArgumentPresent:
		return "there"
	default:
		return "not there"
	}
}

func shown(v strictjson.Value) string {
	if v.Kind() == strictjson.Absent {
		return "none"
	}
	return string(v.Raw())
}
