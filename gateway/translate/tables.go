package translate

import (
	"github.com/hopgate/hopgate/gateway/graph"
	"github.com/hopgate/hopgate/gateway/translate/incr"
)

// tables collects the route tables: their heads, and what routes add.
type tables struct {
	heads     incr.Sorted[tableHead]
	proxies   incr.Sorted[*graph.ProxyTable]
	fragments map[string]*incr.Sorted[*graph.Fragment]
	list      []*graph.RouteTable
	byName    map[string]*graph.RouteTable
}

type tableHead struct {
	name  string
	owner graph.Owner
}

// of is the fragments of a table.
func (t *tables) of(name string) *incr.Sorted[*graph.Fragment] {
	if t.fragments == nil {
		t.fragments = map[string]*incr.Sorted[*graph.Fragment]{}
	}
	if t.fragments[name] == nil {
		t.fragments[name] = &incr.Sorted[*graph.Fragment]{}
	}
	return t.fragments[name]
}

// build returns the tables, sorted by name; those that did not change are the
// ones of before.
func (t *tables) build() ([]*graph.RouteTable, bool) {
	heads := t.heads.Values()
	changed := len(heads) != len(t.list)
	list := make([]*graph.RouteTable, 0, len(heads))
	byName := make(map[string]*graph.RouteTable, len(heads))
	for _, h := range heads {
		next := t.table(h)
		changed = changed || next != t.byName[h.name]
		list = append(list, next)
		byName[h.name] = next
	}
	for name, f := range t.fragments {
		if byName[name] == nil && f.Len() == 0 {
			delete(t.fragments, name)
		}
	}
	if changed || t.list == nil {
		t.list, t.byName = list, byName
	}
	return t.list, changed
}

func (t *tables) table(h tableHead) *graph.RouteTable {
	old := t.byName[h.name]
	changed := t.of(h.name).Changed()
	fragments := t.of(h.name).Values()
	proxy, _ := t.proxies.Get(h.name)
	if old != nil && !changed && old.Owner == h.owner && old.Proxy == proxy {
		return old
	}
	return &graph.RouteTable{Name: h.name, Owner: h.owner, Fragments: fragments, Proxy: proxy}
}
