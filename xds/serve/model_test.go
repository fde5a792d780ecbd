package serve

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
)

// model is a random history: a desired set that is edited, and Envoys that
// refuse, lose their stream, start anew and read slowly.
type model struct {
	t     *testing.T
	rnd   *rand.Rand
	clock *clock
	told  *told
	s     *Server
	envs  []*fake
	// clusters are the marks of the wanted ones, hosts the routes of each table.
	clusters map[string]cluster
	tables   map[string]map[string]fragment
	pool     map[string]*Resource
	// refused are the versions that any Envoy refused.
	refused map[Key]map[string]bool
	// without are the clusters that a table may go without: they were parked
	// when it was sent, and no Envoy accepted one since.
	without map[Key]map[Key]bool
	rev     Revision
	serial  int
	trace   []string
}

type cluster struct {
	timeout time.Duration
	mark    string
	port    int
}

func newModel(t *testing.T, seed uint64) *model {
	m := &model{
		t: t, rnd: rand.New(rand.NewPCG(seed, 1)), clock: newClock(), told: &told{},
		clusters: map[string]cluster{}, tables: map[string]map[string]fragment{},
		pool: map[string]*Resource{}, refused: map[Key]map[string]bool{}, without: map[Key]map[Key]bool{},
	}
	cfg := Config{Now: m.clock.Now, Observer: m.told}
	withEmptyTables(&cfg)
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	m.s = s
	for range 1 + m.rnd.IntN(3) {
		m.envs = append(m.envs, m.newEnvoy())
	}
	return m
}

func (m *model) newEnvoy() *fake {
	f := newFake(m.t, m.s)
	// lacks are clusters that a table may go without: those that were parked
	// when it was sent.
	lacks, sent := map[Key]map[Key]bool{}, map[string]map[Key]bool{}
	f.onSend = func(resp *discoveryv3.DeltaDiscoveryResponse) {
		m.checkNotParked(resp)
		for _, r := range resp.GetResources() {
			if resp.GetTypeUrl() == TypeRoute {
				sent[r.GetVersion()] = m.mayLack(f, Key{TypeRoute, r.GetName()})
			}
		}
	}
	f.onRemove = func(k Key) { m.trace = append(m.trace, fmt.Sprintf("%p removes %s", f, k)) }
	f.onRead = func(k Key, v string, refused bool) {
		m.trace = append(m.trace, fmt.Sprintf("%p read %s refused %v", f, k, refused))
		if refused && m.wants(k) {
			if m.refused[k] == nil {
				m.refused[k] = map[string]bool{}
			}
			m.refused[k][v] = true
		} else if !refused && k.TypeURL == TypeRoute {
			if lacks[k] == nil {
				lacks[k] = map[Key]bool{}
			}
			maps.Copy(lacks[k], sent[v])
		} else if !refused && k.TypeURL == TypeCluster {
			for _, w := range m.without {
				delete(w, k)
			}
		}
		m.checkReferences(f, lacks)
	}
	return f
}

// checkNotParked fails when a version leaves the server that was refused.
func (m *model) checkNotParked(resp *discoveryv3.DeltaDiscoveryResponse) {
	for _, r := range resp.GetResources() {
		if k := (Key{resp.GetTypeUrl(), r.GetName()}); m.refused[k][r.GetVersion()] {
			m.fail("%s is sent again in a version that was refused", k)
		}
	}
}

// mayLack are the clusters that a table which is sent may go without: those
// that are parked, or all when its gate was over.
func (m *model) mayLack(f *fake, table Key) map[Key]bool {
	if m.without[table] == nil {
		m.without[table] = map[Key]bool{}
	}
	for k, vs := range m.refused {
		if k.TypeURL == TypeCluster && len(vs) > 0 {
			m.without[table][k] = true
		}
	}
	out := maps.Clone(m.without[table])
	if f.c.counts.Overdue > 0 {
		for i := range 4 {
			out[Key{TypeCluster, fmt.Sprint("c", i)}] = true
		}
	}
	return out
}

// checkReferences fails when an Envoy routes to a cluster that it does not
// have, and that was not parked when it was told to.
func (m *model) checkReferences(f *fake, lacks map[Key]map[Key]bool) {
	for k, msg := range f.has {
		if k.TypeURL != TypeRoute {
			continue
		}
		for _, v := range msg.(*routev3.RouteConfiguration).GetVirtualHosts() {
			c := Key{TypeCluster, v.GetRoutes()[0].GetRoute().GetCluster()}
			if f.has[c] != nil {
				delete(lacks[k], c)
			} else if !lacks[k][c] {
				m.fail("%s routes %s to the missing %s", k, v.GetName(), c)
			}
		}
	}
}

func (m *model) fail(format string, args ...any) {
	m.t.Helper()
	for _, c := range m.s.streams {
		m.trace = append(m.trace, fmt.Sprintf("STREAM %d", c.id))
		for _, sub := range c.order {
			for _, sl := range sub.slots {
				_, lv := c.leaving[sl]
				h := "nil"
				if sl.has != nil {
					h = fmt.Sprint(sl.has.version[:min(4, len(sl.has.version))], sl.has.seq, sl.has.foreign, sl.has.stopgap)
				}
				m.trace = append(m.trace, fmt.Sprintf("  %s has %s flight %v force %v loose %v rel %v leaving %v sweepAt %v", sl.key, h, sl.flight != nil, sl.force, sl.loose, sl.released, lv, c.sweepAt))
			}
		}
	}
	for k, e := range m.s.cat.entries {
		sh := func(ed *edition) string {
			if ed == nil {
				return "nil"
			}
			return fmt.Sprint(ed.version[:4], ed.seq)
		}
		m.trace = append(m.trace, fmt.Sprintf("ENTRY %s src %v good %v whole %v offer %v trial %+v faults %v", k, e.source != nil, sh(e.good), e.whole, sh(e.offer), e.trial, e.faults))
	}
	m.t.Fatalf("%s\n%s", fmt.Sprintf(format, args...), strings.Join(m.trace, "\n"))
}

func (m *model) step() {
	switch n := m.rnd.IntN(100); {
	case n < 25:
		m.edit()
	case n < 70:
		m.deliver()
	case n < 78:
		m.envs[m.rnd.IntN(len(m.envs))].toggle(m)
	case n < 80:
		m.restart()
	default:
		m.clock.advance(time.Duration(m.rnd.IntN(500)) * time.Millisecond)
	}
}

// toggle ends the stream or begins one.
func (f *fake) toggle(m *model) {
	m.trace = append(m.trace, fmt.Sprintf("toggle %p", f))
	if f.c != nil {
		f.disconnect()
	} else {
		f.connect()
	}
}

// restart replaces an Envoy by one that has nothing.
func (m *model) restart() {
	i := m.rnd.IntN(len(m.envs))
	m.trace = append(m.trace, fmt.Sprint("restart ", i))
	if m.envs[i].c != nil {
		m.envs[i].disconnect()
	}
	m.envs[i] = m.newEnvoy()
	m.envs[i].connect()
}

func (m *model) deliver() {
	f := m.envs[m.rnd.IntN(len(m.envs))]
	if f.c == nil {
		return
	}
	f.pull(m.rnd.IntN(5))
	for range m.rnd.IntN(5) {
		f.read()
	}
}

func (m *model) edit() {
	for range 1 + m.rnd.IntN(4) {
		switch m.rnd.IntN(8) {
		case 0, 1:
			m.editCluster()
		case 2:
			m.dropCluster()
		case 3:
			name := fmt.Sprint("t", m.rnd.IntN(2))
			delete(m.tables, name)
		default:
			m.editRoute()
		}
	}
	m.apply()
}

func (m *model) editCluster() {
	name := fmt.Sprint("c", m.rnd.IntN(4))
	m.serial++
	m.clusters[name] = cluster{
		timeout: time.Duration(m.serial) * time.Second, port: 1000 + m.rnd.IntN(2),
		mark: m.oneOf("", "", "", "bad"),
	}
}

// dropCluster removes a cluster and what routes to it.
func (m *model) dropCluster() {
	name := fmt.Sprint("c", m.rnd.IntN(4))
	delete(m.clusters, name)
	for _, hosts := range m.tables {
		for h, f := range hosts {
			if f.cluster == name {
				delete(hosts, h)
			}
		}
	}
}

func (m *model) editRoute() {
	if len(m.clusters) == 0 {
		return
	}
	name := fmt.Sprint("t", m.rnd.IntN(2))
	if m.tables[name] == nil {
		m.tables[name] = map[string]fragment{}
	}
	host := fmt.Sprint("h", m.rnd.IntN(8))
	if m.rnd.IntN(4) == 0 {
		delete(m.tables[name], host)
		return
	}
	var names []string
	for c := range m.clusters {
		names = append(names, c)
	}
	slices.Sort(names)
	m.tables[name][host] = fragment{host: host, cluster: m.oneOf(names...), mark: m.oneOf("", "", "", "", "bad", "clash", "x", "y")}
}

func (m *model) oneOf(s ...string) string { return s[m.rnd.IntN(len(s))] }

// apply gives the server the wanted set, sharing what did not change. Tables
// without a route are not wanted, nor are their listeners.
func (m *model) apply() {
	var set []*Resource
	add := func(r *Resource) {
		id := fmt.Sprint(r.key(), r.Parts)
		if m.rnd.IntN(4) > 0 && m.pool[id] != nil {
			r = m.pool[id]
		}
		m.pool[id] = r
		set = append(set, r)
	}
	for name, c := range m.clusters {
		add(markedCluster(name, c.timeout, c.mark))
		add(endpoints(name, netipPort(c.port)))
	}
	for name, hosts := range m.tables {
		if len(hosts) == 0 {
			continue
		}
		var fs []fragment
		for _, f := range hosts {
			fs = append(fs, f)
		}
		slices.SortFunc(fs, func(a, b fragment) int { return strings.Compare(a.host, b.host) })
		add(table(name, fs...))
		add(rdsListener(name, netipPort(2000+int(name[1]))))
	}
	slices.SortFunc(set, func(a, b *Resource) int { return a.key().compare(b.key()) })
	rev, err := m.s.Set(set)
	if err != nil {
		m.fail("set: %v", err)
	}
	m.forget()
	m.rev = rev
	m.trace = append(m.trace, fmt.Sprintf("set %d: %v %v", rev, m.clusters, m.tables))
}

// forget lets resources that left be refused anew.
func (m *model) forget() {
	for k := range m.refused {
		if !m.wants(k) {
			delete(m.refused, k)
		}
	}
}

// wants reports whether the server was last told to serve k.
func (m *model) wants(k Key) bool {
	return slices.ContainsFunc(m.s.cat.desired, func(r *Resource) bool { return r.key() == k })
}

// settle lets everything come to its end.
func (m *model) settle() {
	for _, f := range m.envs {
		if f.c == nil {
			f.connect()
		}
	}
	for range 60 {
		for _, f := range m.envs {
			f.run()
		}
		m.clock.advance(m.s.cfg.Linger / sweepsPerLinger)
	}
}

// checkEnd fails unless all Envoys have what they should, and every owner was
// told what is true.
func (m *model) checkEnd() {
	if _, live := m.s.look(m.rev); m.rev > 0 && !live {
		m.fail("not live at the end: %+v", m.s.Snapshot())
	}
	if len(m.s.cat.narrowing) > 0 {
		m.fail("narrowing at the end: %v", m.s.cat.narrowing)
	}
	m.s.tell()
	want := map[string]string{}
	for name, c := range m.clusters {
		want["Service/"+name] = m.checkCluster(name, c)
	}
	for name, hosts := range m.tables {
		if len(hosts) > 0 {
			want["Gateway/"+name] = "Programmed"
			m.checkTable(name, hosts, want)
		}
	}
	for _, f := range m.envs {
		m.checkNothingElse(f)
	}
	for k, v := range want {
		kind, name, _ := strings.Cut(k, "/")
		if got := m.told.state(owner(kind, name)); got != v {
			m.fail("%s was told %s, want %s", k, got, v)
		}
	}
}

func (m *model) checkCluster(name string, c cluster) string {
	if c.mark == "bad" {
		return "Rejected"
	}
	want := hashOf(markedCluster(name, c.timeout, c.mark))
	for i, f := range m.envs {
		if got := f.from[Key{TypeCluster, name}]; got != want {
			m.fail("envoy %d has %s in version %s, want %s", i, name, got, want)
		}
		if f.warming[name] {
			m.fail("envoy %d waits for the endpoints of %s", i, name)
		}
	}
	return "Programmed"
}

func hashOf(r *Resource) string { return r.Parts[0].Version }

// checkTable checks that all Envoys have the same routes, and that an owner is
// rejected exactly if its route is not among them as it is wanted.
func (m *model) checkTable(name string, hosts map[string]fragment, want map[string]string) {
	has := map[string]string{}
	for i, f := range m.envs {
		got := map[string]string{}
		if rc, ok := f.has[Key{TypeRoute, name}].(*routev3.RouteConfiguration); ok {
			for _, v := range rc.GetVirtualHosts() {
				got[v.GetName()] = v.String()
			}
		}
		if i > 0 && fmt.Sprint(got) != fmt.Sprint(has) {
			m.fail("envoys differ in %s:\n%v\n%v", name, got, has)
		}
		has = got
	}
	clashes := 0
	for h, f := range hosts {
		state, served := "Programmed", has[h] == f.vhost().String()
		if !served {
			state = "Rejected"
		}
		if served && f.mark == "bad" || !served && f.mark != "bad" && f.mark != "clash" {
			m.fail("%s of %s: mark %q, served %v", h, name, f.mark, served)
		}
		if served && f.mark == "clash" {
			clashes++
		}
		if o := "HTTPRoute/" + h; want[o] != "Rejected" {
			want[o] = state
		}
	}
	if clashes > 1 {
		m.fail("%d clashing routes are served", clashes)
	}
}

// checkNothingElse fails when an Envoy has what is not wanted and not needed.
func (m *model) checkNothingElse(f *fake) {
	needed := map[string]bool{}
	for k, msg := range f.has {
		if k.TypeURL == TypeRoute {
			for _, v := range msg.(*routev3.RouteConfiguration).GetVirtualHosts() {
				needed[v.GetRoutes()[0].GetRoute().GetCluster()] = true
			}
		}
	}
	for k := range f.has {
		_, wanted := m.clusters[k.Name]
		if k.TypeURL == TypeCluster && !wanted && !needed[k.Name] || k.TypeURL == TypeListener && len(m.tables[k.Name]) == 0 {
			m.fail("an envoy still has %s", k)
		}
	}
}

func TestModel(t *testing.T) {
	t.Parallel()
	seeds := uint64(400)
	if testing.Short() {
		seeds = 40
	}
	for seed := range seeds {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Parallel()
			m := newModel(t, seed)
			for range 3 {
				for range 60 {
					m.step()
				}
				m.settle()
				m.checkEnd()
			}
		})
	}
}
