package translate

import (
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/gateway/api/wire"
	"github.com/hopgate/hopgate/gateway/graph"
)

// checkGraph holds what must be true of every graph, whatever was written.
func checkGraph(t *testing.T, g *graph.Graph) {
	t.Helper()
	backends := map[string]*graph.Backend{}
	for _, b := range g.Backends {
		backends[b.Name] = b
	}
	tables, listeners := map[string]*graph.RouteTable{}, map[string]bool{}
	for _, x := range g.Tables {
		tables[x.Name] = x
		checkTable(t, x, backends)
	}
	for _, l := range g.Listeners {
		listeners[l.Name] = true
		if tables[l.Name] == nil {
			t.Errorf("listener %s has no table", l.Name)
		} else if (tables[l.Name].Proxy != nil) != (l.Kind == graph.ListenerProxy) {
			t.Errorf("listener %s of kind %s: proxy is %v", l.Name, l.Kind, tables[l.Name].Proxy)
		}
		if !l.Address.IsValid() || l.Port == 0 || l.TLS != nil && len(l.TLS.Certificates) == 0 {
			t.Errorf("listener %s is incomplete", l.Name)
		}
	}
	for name := range tables {
		if !listeners[name] {
			t.Errorf("table %s has no listener", name)
		}
	}
	checkBackends(t, g)
}

func checkBackends(t *testing.T, g *graph.Graph) {
	t.Helper()
	endpoints := map[string]bool{}
	for _, e := range g.Endpoints {
		endpoints[e.Name] = true
	}
	for _, b := range g.Backends {
		switch {
		case b.Kind == graph.BackendEndpoints && !endpoints[b.Name],
			b.Kind == graph.BackendName && (b.Hostname == "" || b.Port == 0),
			b.Kind == graph.BackendAddresses && len(b.Addresses) == 0,
			b.TLS != nil && b.TLS.ServerName == "":
			t.Errorf("backend %s is incomplete: %+v", b.Name, b)
		}
	}
}

func checkTable(t *testing.T, x *graph.RouteTable, backends map[string]*graph.Backend) {
	t.Helper()
	for _, f := range x.Fragments {
		for _, r := range f.Rules {
			if problem := badRule(r, backends); problem != "" {
				t.Errorf("%s: %s: rule %d: %s", x.Name, f.Owner, r.Index, problem)
			}
		}
	}
	if x.Proxy == nil {
		return
	}
	for _, name := range x.Proxy.Hosts {
		if backends[name] == nil {
			t.Errorf("%s: there is no backend %s", x.Name, name)
		}
	}
	for _, s := range x.Proxy.Surfaces {
		if backends[s.Backend] == nil || badTarget(s.Target) != "" {
			t.Errorf("%s: surface %+v", x.Name, s)
		}
	}
}

func badRule(r *graph.Rule, backends map[string]*graph.Backend) string {
	switch {
	case (r.Forward == nil) == (r.Status == 0):
		return "not exactly one of forward and status"
	case len(r.Hostnames) == 0 || len(r.Matches) == 0:
		return "no host names, or no matches"
	case badTarget(r.Target) != "":
		return badTarget(r.Target)
	}
	for _, h := range r.Hostnames {
		if _, ok := hostPatternOf(h); !ok && h != "*" {
			return "host name " + h
		}
	}
	for _, m := range r.Matches {
		if problem := badMatch(m); problem != "" {
			return problem
		}
	}
	if r.Forward == nil {
		return ""
	}
	return badForward(r, backends)
}

func badForward(r *graph.Rule, backends map[string]*graph.Backend) string {
	mods := []*graph.HeaderMod{r.Forward.RequestHeaders, r.Forward.ResponseHeaders}
	owners := map[string]bool{}
	for _, w := range r.Forward.Backends {
		b := backends[w.Backend]
		if b == nil || w.Weight == 0 {
			return "backend " + w.Backend
		}
		owners[b.Owner.String()] = true
		mods = append(mods, w.RequestHeaders, w.ResponseHeaders)
	}
	for _, b := range r.Target.Backends {
		if !owners[b] {
			return "target names " + b
		}
	}
	if len(owners) == 0 || len(owners) != len(r.Target.Backends) {
		return fmt.Sprintf("backends %v, and target %v", owners, r.Target.Backends)
	}
	for _, m := range mods {
		if problem := badMod(m); problem != "" {
			return problem
		}
	}
	return ""
}

// badTarget: the identity of a rule goes over the wire and back.
func badTarget(want wire.Target) string {
	got, err := wire.ParseTarget(want.String())
	if err != nil || !reflect.DeepEqual(got, want) {
		return fmt.Sprintf("target %s: %v", want, err)
	}
	return ""
}

func badMatch(m graph.Match) string {
	if m.PathKind == graph.MatchRegex {
		if _, err := regexp.Compile(m.Path); err != nil {
			return "path " + m.Path
		}
	} else if !strings.HasPrefix(m.Path, "/") || strings.ContainsAny(m.Path, "?# \r\n\x00") || strings.Contains(m.Path, "//") {
		return "path " + m.Path
	}
	if m.Method == http.MethodConnect || strings.ToUpper(m.Method) != m.Method {
		return "method " + m.Method
	}
	if m.PathKind != graph.MatchRegex && strings.ContainsFunc(m.Path, func(c rune) bool { return c > 0x7e }) {
		return "path " + m.Path
	}
	for _, v := range append(m.Headers, m.Query...) {
		if v.Name == "" || strings.ContainsAny(v.Name, ": \r\n\x00") {
			return "name " + v.Name
		}
		if _, err := regexp.Compile(v.Value); v.Kind == graph.MatchRegex && err != nil || v.Kind == graph.MatchExact && strings.ContainsAny(v.Value, "\r\n\x00") {
			return "value " + v.Value
		}
	}
	return ""
}

func badMod(m *graph.HeaderMod) string {
	if m == nil {
		return ""
	}
	names := m.Remove
	for _, h := range append(m.Set, m.Add...) {
		names = append(names, h.Name)
		if strings.ContainsAny(h.Value, "\r\n\x00") {
			return "value of " + h.Name
		}
	}
	for _, name := range names {
		bad := name == "" || name != strings.ToLower(name) || strings.ContainsAny(name, ": \r\n\x00")
		for _, prefix := range []string{"x-hop-", "x-envoy-", "txn-token", "proxy-", "host"} {
			bad = bad || name == prefix || strings.HasSuffix(prefix, "-") && strings.HasPrefix(name, prefix)
		}
		if bad {
			return "header " + name
		}
	}
	return ""
}
