package serve

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/hopgate/hopgate/gateway/graph"
)

// fake is an Envoy as far as the protocol goes. It drives the server's
// machines directly, without goroutines.
type fake struct {
	t testing.TB
	s *Server
	c *connection
	// has is what it accepted, from is of which version.
	has  map[Key]proto.Message
	from map[Key]string
	subs map[string]map[string]bool
	// inbox is sent and not read.
	inbox []*discoveryv3.DeltaDiscoveryResponse
	// log is what was read, one line each.
	log []string
	// refuses says why a resource is refused; "": it is not.
	refuses func(k Key, m proto.Message) string
	// warming are clusters that wait for their endpoints.
	warming map[string]bool
	// onSend and onRead see responses when they leave the server and when
	// they were taken.
	onSend   func(*discoveryv3.DeltaDiscoveryResponse)
	onRead   func(k Key, version string, refused bool)
	onRemove func(k Key)
}

func newFake(t testing.TB, s *Server) *fake {
	return &fake{
		t: t, s: s, has: map[Key]proto.Message{}, from: map[Key]string{},
		subs: map[string]map[string]bool{}, refuses: refusesMarks, warming: map[string]bool{},
	}
}

// refusesMarks refuses what is marked, and two parts that clash.
func refusesMarks(k Key, m proto.Message) string {
	switch m := m.(type) {
	case *clusterv3.Cluster:
		if m.GetAltStatName() == "bad" {
			return "bad cluster"
		}
	case *routev3.RouteConfiguration:
		return refusesHosts(m)
	}
	return ""
}

func refusesHosts(m *routev3.RouteConfiguration) string {
	clash := ""
	for _, v := range m.GetVirtualHosts() {
		switch mark := strings.Join(v.GetRequestHeadersToRemove(), ""); {
		case mark == "bad":
			return "bad host " + v.GetName()
		case mark == "clash" && clash != "":
			return clash + " and " + v.GetName() + " clash"
		case mark == "clash":
			clash = v.GetName()
		}
	}
	return ""
}

// connect begins a stream; what was accepted earlier is remembered.
func (f *fake) connect() {
	f.t.Helper()
	c, err := f.s.connect()
	if err != nil {
		f.t.Fatal(err)
	}
	f.c, f.inbox = c, nil
	for _, t := range []string{TypeCluster, TypeEndpoint, TypeFilter, TypeListener, TypeRoute} {
		if t == TypeCluster || t == TypeListener || len(f.subs[t]) > 0 {
			f.request(&discoveryv3.DeltaDiscoveryRequest{
				Node: fakeNode(1, 40, 0), TypeUrl: t,
				ResourceNamesSubscribe: slices.Sorted(maps.Keys(f.subs[t])), InitialResourceVersions: f.versions(t),
			})
		}
	}
}

func fakeNode(major, minor, patch uint32) *corev3.Node {
	return &corev3.Node{Id: "fake", UserAgentVersionType: &corev3.Node_UserAgentBuildVersion{
		UserAgentBuildVersion: &corev3.BuildVersion{Version: &typev3.SemanticVersion{MajorNumber: major, MinorNumber: minor, Patch: patch}},
	}}
}

func (f *fake) versions(typeURL string) map[string]string {
	out := map[string]string{}
	for k, v := range f.from {
		if k.TypeURL == typeURL {
			out[k.Name] = v
		}
	}
	return out
}

func (f *fake) disconnect() {
	f.s.disconnect(f.c)
	f.c, f.inbox = nil, nil
}

func (f *fake) request(req *discoveryv3.DeltaDiscoveryRequest) {
	f.t.Helper()
	if err := f.s.request(f.c, req); err != nil {
		f.t.Fatalf("request %v: %v", req, err)
	}
}

// pull moves at most n responses into the inbox, and gives how many came.
func (f *fake) pull(n int) int {
	for i := range n {
		resp, _ := f.s.next(f.c)
		if resp == nil {
			return i
		}
		if f.onSend != nil {
			f.onSend(resp)
		}
		f.inbox = append(f.inbox, resp)
	}
	return n
}

// read takes one response from the inbox and answers it.
func (f *fake) read() {
	f.t.Helper()
	if len(f.inbox) == 0 {
		return
	}
	resp := f.inbox[0]
	f.inbox = f.inbox[1:]
	if len(resp.GetResources())+len(resp.GetRemovedResources()) != 1 {
		f.t.Fatalf("a response with more or less than one resource: %v", resp)
	}
	req := &discoveryv3.DeltaDiscoveryRequest{TypeUrl: resp.GetTypeUrl(), ResponseNonce: resp.GetNonce()}
	for _, n := range resp.GetRemovedResources() {
		f.log = append(f.log, "-"+Key{resp.GetTypeUrl(), n}.String())
		if f.onRemove != nil {
			f.onRemove(Key{resp.GetTypeUrl(), n})
		}
		f.remove(Key{resp.GetTypeUrl(), n})
	}
	for _, r := range resp.GetResources() {
		req.ErrorDetail = f.take(Key{resp.GetTypeUrl(), r.GetName()}, r)
	}
	f.request(req)
	f.subscribe()
}

func (f *fake) take(k Key, r *discoveryv3.Resource) *status.Status {
	f.t.Helper()
	m, err := r.GetResource().UnmarshalNew()
	if err != nil {
		f.t.Fatal(err)
	}
	why := f.refuses(k, m)
	if f.onRead != nil {
		defer func() { f.onRead(k, r.GetVersion(), why != "") }()
	}
	if why != "" {
		f.log = append(f.log, "!"+k.String())
		return &status.Status{Code: 13, Message: why}
	}
	f.log = append(f.log, "+"+k.String())
	if k.TypeURL != TypeCluster && k.TypeURL != TypeListener && f.subs[k.TypeURL] != nil && !f.subs[k.TypeURL][k.Name] {
		return nil // it has lost interest
	}
	f.has[k], f.from[k] = m, r.GetVersion()
	switch k.TypeURL {
	case TypeCluster:
		f.warming[k.Name] = true
	case TypeEndpoint:
		delete(f.warming, k.Name)
	}
	return nil
}

func (f *fake) remove(k Key) {
	if k.TypeURL == TypeRoute {
		return // Envoy takes no notice
	}
	delete(f.has, k)
	delete(f.from, k)
	if k.TypeURL == TypeCluster {
		delete(f.warming, k.Name)
	}
	if k.TypeURL == TypeEndpoint {
		delete(f.warming, k.Name) // it goes on without
	}
}

// subscribe asks for what is referred to, as Envoy does.
func (f *fake) subscribe() {
	want := map[string]map[string]bool{TypeEndpoint: {}, TypeRoute: {}, TypeFilter: {}}
	for k, m := range f.has {
		if k.TypeURL != TypeCluster && k.TypeURL != TypeListener {
			continue
		}
		refs, err := references(m)
		if err != nil {
			f.t.Fatal(err)
		}
		for _, r := range refs {
			if want[r.TypeURL] != nil {
				want[r.TypeURL][r.Name] = true
			}
		}
	}
	for _, t := range []string{TypeEndpoint, TypeFilter, TypeRoute} {
		f.interest(t, want[t])
	}
}

func (f *fake) interest(typeURL string, want map[string]bool) {
	req := &discoveryv3.DeltaDiscoveryRequest{TypeUrl: typeURL}
	for _, n := range slices.Sorted(maps.Keys(want)) {
		if !f.subs[typeURL][n] {
			req.ResourceNamesSubscribe = append(req.ResourceNamesSubscribe, n)
		}
	}
	for _, n := range slices.Sorted(maps.Keys(f.subs[typeURL])) {
		if !want[n] {
			req.ResourceNamesUnsubscribe = append(req.ResourceNamesUnsubscribe, n)
			delete(f.has, Key{typeURL, n})
			delete(f.from, Key{typeURL, n})
		}
	}
	f.subs[typeURL] = want
	if len(req.ResourceNamesSubscribe)+len(req.ResourceNamesUnsubscribe) > 0 {
		f.request(req)
	}
}

// run reads everything there is.
func (f *fake) run() {
	f.t.Helper()
	for n := 0; f.pull(1) > 0 || len(f.inbox) > 0; n++ {
		if n > 200000 {
			f.t.Fatal("the server never ends sending")
		}
		f.read()
	}
}

// took gives the log since the last call.
func (f *fake) took() string {
	out := strings.Join(f.log, "\n")
	f.log = nil
	return out
}

// hosts are the names of the virtual hosts of a table that it has.
func (f *fake) hosts(name string) string {
	rc, ok := f.has[Key{TypeRoute, name}].(*routev3.RouteConfiguration)
	if !ok {
		return "none"
	}
	var out []string
	for _, v := range rc.GetVirtualHosts() {
		out = append(out, v.GetName()+">"+v.GetRoutes()[0].GetRoute().GetCluster())
	}
	return strings.Join(out, " ")
}

// rig is a server with a moved clock and one fake Envoy.
type rig struct {
	t     testing.TB
	s     *Server
	clock *clock
	told  *told
	*fake
}

func newRig(t testing.TB, change ...func(*Config)) *rig {
	t.Helper()
	r := &rig{t: t, clock: newClock(), told: &told{}}
	cfg := Config{Now: r.clock.Now, Observer: r.told}
	for _, f := range change {
		f(&cfg)
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r.s, r.fake = s, newFake(t, s)
	return r
}

func (r *rig) set(rs ...*Resource) Revision {
	r.t.Helper()
	rev, err := r.s.Set(rs)
	if err != nil {
		r.t.Fatal(err)
	}
	return rev
}

// states are the last outcomes after everything was told.
func (r *rig) states() string {
	r.s.tell()
	return r.told.states()
}

// live reports whether a revision is live, without waiting.
func (r *rig) live(rev Revision) bool {
	_, live := r.s.look(rev)
	return live
}

// after lets time pass in small steps, reading all along.
func (r *rig) after(steps int) {
	for range steps {
		r.clock.advance(r.s.cfg.Linger / sweepsPerLinger)
		r.run()
	}
}

func (o *told) state(w graph.Owner) string { return fmt.Sprint(o.last[w].State) }
