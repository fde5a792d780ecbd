package policy

import (
	"strings"

	"github.com/hopgate/hopgate/authz/strictjson"
)

// toolEntry matches MCP requests.
type toolEntry struct {
	servers []string // sorted; nil: any
	methods []string // sorted
	names   *patterns
	args    []argument
	// onlyListed: an Allow does not match a call that has other arguments.
	onlyListed bool
}

func (t *toolEntry) eval(e *eval, backend string, every bool) truth {
	a := e.q.Action
	v := e.backend("servers", t.servers, backend)
	if e.settled(v) {
		return no
	}
	if v = v.and(e.among("methods", t.methods, a.Method)); e.settled(v) {
		return no
	}
	if t.names != nil {
		if v = v.and(e.selects("names", t.names, a.Name)); e.settled(v) {
			return no
		}
	}
	e.reached = e.reached || v == yes
	return v.and(t.arguments(e, every))
}

// arguments judges those that are listed, and for an Allow the rest.
func (t *toolEntry) arguments(e *eval, every bool) truth {
	args := e.q.Action.Args
	if k := args.Kind(); k != strictjson.Object && k != strictjson.Absent {
		return t.notObject(e, every)
	}
	v := yes
	for i := range t.args {
		if v = v.and(t.args[i].eval(e, args, every)); e.settled(v) {
			return no
		}
	}
	if every && t.onlyListed {
		v = v.and(t.others(e, args))
	}
	return v
}

// notObject is for arguments that have no names.
func (t *toolEntry) notObject(e *eval, every bool) truth {
	switch {
	case len(t.args) == 0 && !t.onlyListed:
		return yes
	case every:
		return e.note("arguments", "an object", "something else", no)
	}
	if len(t.args) == 0 {
		return yes
	}
	return e.note("arguments", "an object", "something else", e.unsure("arguments", "they are no object"))
}

// others is no when there is an argument that is not listed.
func (t *toolEntry) others(e *eval, args strictjson.Value) truth {
	var extra []string
	for name := range args.Members() {
		if t.lists(name) {
			continue
		}
		if e.notes == nil {
			return no
		}
		extra = append(extra, name)
	}
	if e.notes != nil {
		e.note("otherArguments", "none", orNone(strings.Join(extra, ", ")), truthOf(extra == nil))
	}
	return truthOf(extra == nil)
}

func (t *toolEntry) lists(name string) bool {
	for i := range t.args {
		if t.args[i].name == name {
			return true
		}
	}
	return false
}
