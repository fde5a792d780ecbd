package policy

import (
	"slices"
	"strconv"
	"strings"
)

// to is what a rule is about: entries of one kind.
type to struct {
	tools    []toolEntry
	models   []modelEntry
	http     []httpEntry
	hosts    []hostEntry
	packages []packageEntry
}

func (x *to) len() int {
	return len(x.tools) + len(x.models) + len(x.http) + len(x.hosts) + len(x.packages)
}

// eval judges entry i for one backend (empty where the kind has none). every
// is true for Allow rules.
func (x *to) eval(e *eval, i int, backend string, every bool) truth {
	switch {
	case len(x.tools) > 0:
		return x.tools[i].eval(e, backend, every)
	case len(x.models) > 0:
		return x.models[i].eval(e, backend)
	case len(x.packages) > 0:
		return x.packages[i].eval(e, backend, every)
	case len(x.http) > 0:
		return x.http[i].eval(e, every)
	default:
		return x.hosts[i].eval(e)
	}
}

// backends are those that entry i names, sorted; nil: any.
func (x *to) backends(i int) []string {
	switch {
	case len(x.tools) > 0:
		return x.tools[i].servers
	case len(x.models) > 0:
		return x.models[i].providers
	case len(x.packages) > 0:
		return x.packages[i].registries
	}
	return nil
}

// keys are those of entry i.
func (x *to) keys(d dimension, i int, dst []key) []key {
	switch {
	case d == byName && len(x.tools) > 0:
		return x.tools[i].names.keys(dst)
	case d == byName && len(x.models) > 0:
		return x.models[i].names.keys(dst)
	case d == byHost && len(x.http) > 0:
		return x.http[i].hosts.keys(dst)
	case d == byPath && len(x.http) > 0:
		return x.http[i].paths.keys(dst)
	case d == byHost && len(x.hosts) > 0:
		return x.hosts[i].names.keys(dst)
	}
	return dst
}

// names reports whether a rule names the server for MCP's base methods.
func (x *to) names(backend string) bool {
	return slices.ContainsFunc(x.tools, func(t toolEntry) bool { return covers(t.servers, backend) })
}

// covers reports whether refs (nil: any) has ref.
func covers(refs []string, ref string) bool { return refs == nil || contains(refs, ref) }

func (e *eval) backend(field string, refs []string, ref string) truth {
	t := truthOf(covers(refs, ref))
	if e.notes != nil {
		e.note(field, oneOf(refs), ref, t)
	}
	return t
}

// among is a text that must be in a list; nil: any.
func (e *eval) among(field string, list []string, s string) truth {
	t := truthOf(list == nil || contains(list, s))
	if e.notes != nil {
		e.note(field, oneOf(list), orNone(s), t)
	}
	return t
}

func oneOf(list []string) string {
	if list == nil {
		return "anything"
	}
	return strings.Join(list, ", ")
}

// modelEntry matches calls to models.
type modelEntry struct {
	providers  []string // sorted; nil: any
	names      *patterns
	operations []string // sorted
}

func (m *modelEntry) eval(e *eval, backend string) truth {
	a := e.q.Action
	t := e.backend("providers", m.providers, backend)
	if e.settled(t) {
		return no
	}
	if t = t.and(e.among("operations", m.operations, a.Method)); e.settled(t) {
		return no
	}
	if m.names != nil {
		t = t.and(e.selects("names", m.names, a.Name))
	}
	e.reached = e.reached || t == yes
	return t
}

// ports of a rule: given, or the default of its kind.
type ports struct {
	list []uint16
	// open: on a Deny or Ask rule none given means all.
	open bool
}

// httpEntry matches plain or inspected HTTP requests.
type httpEntry struct {
	hosts   *hosts
	ports   ports
	methods []string // sorted; nil: any
	paths   *patterns
	words   []word
	// keeps: encoded slashes are a part of their segment. Without it, an Allow
	// matches no path that has one.
	keeps bool
}

func (h *httpEntry) eval(e *eval, every bool) truth {
	a := e.q.Action
	t := e.host("hosts", h.hosts)
	if e.settled(t) {
		return no
	}
	usual := uint16(80)
	if a.Inspected {
		usual = 443
	}
	if t = t.and(e.port(h.ports, usual)); e.settled(t) {
		return no
	}
	if t = t.and(h.method(e, every)); e.settled(t) {
		return no
	}
	if h.paths != nil {
		if t = t.and(h.path(e, every)); e.settled(t) {
			return no
		}
	}
	e.reached = e.reached || t == yes
	if t = t.and(h.wordsHold(e, every)); e.settled(t) {
		return no
	}
	return t.and(h.slashes(e, every, t == yes))
}

// hostEntry matches CONNECT and TLS destinations.
type hostEntry struct {
	names *hosts
	ports ports
}

func (h *hostEntry) eval(e *eval) truth {
	t := e.host("names", h.names)
	if e.settled(t) {
		return no
	}
	t = t.and(e.port(h.ports, 443))
	e.reached = e.reached || t == yes
	return t
}

func (e *eval) host(field string, h *hosts) truth {
	t := truthOf(h.match(e.q.Action.Host))
	if e.notes != nil {
		e.note(field, h.String(), orNone(e.q.Action.Host), t)
	}
	return t
}

// port compares the destination's. On a route the backend's port is the
// route's choice, so that none given means any.
func (e *eval) port(p ports, usual uint16) truth {
	a := e.q.Action
	var t truth
	switch {
	case len(p.list) > 0:
		t = truthOf(slices.Contains(p.list, a.Port))
	case p.open || a.OnRoute:
		t = yes
	default:
		t = truthOf(a.Port == usual)
	}
	if e.notes != nil {
		e.note("ports", p.describe(a.OnRoute, usual), strconv.Itoa(int(a.Port)), t)
	}
	return t
}

func (p ports) describe(onRoute bool, usual uint16) string {
	if len(p.list) == 0 {
		if p.open || onRoute {
			return "anything"
		}
		return strconv.Itoa(int(usual))
	}
	var list []string
	for _, n := range p.list {
		list = append(list, strconv.Itoa(int(n)))
	}
	return strings.Join(list, ", ")
}
