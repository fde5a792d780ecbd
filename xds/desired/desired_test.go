package desired

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/hopgate/hopgate/gateway/graph"
	"github.com/hopgate/hopgate/xds/envoy"
	"github.com/hopgate/hopgate/xds/serve"
)

// list shows resources, one a line: type, name, owners.
func list(rs []*serve.Resource) string {
	var out []string
	for _, r := range rs {
		var owners []string
		for _, p := range r.Parts {
			owners = append(owners, p.Owner.String())
		}
		out = append(out, strings.Join(append([]string{label(r)}, owners...), " "))
	}
	return strings.Join(out, "\n")
}

func label(r *serve.Resource) string {
	return r.TypeURL[strings.LastIndexByte(r.TypeURL, '.')+1:] + " " + r.Name
}

func TestResources(t *testing.T) {
	t.Parallel()
	want := strings.TrimSpace(`
Cluster Service/agents/tools/80 Service/agents/tools
Cluster XBackend/agents/llm XBackend/agents/llm
Cluster host/agents/egress/web.example/8443 GatewayConfig/agents/laptop
ClusterLoadAssignment Service/agents/tools/80 Service/agents/tools
Listener agents/egress/3128@127.0.0.1 Gateway/agents/egress
Listener agents/egress/8080@127.0.0.1 Gateway/agents/egress
Listener agents/egress/8443@127.0.0.1 Gateway/agents/egress
Secret Secret/agents/tls Gateway/agents/egress
Secret ConfigMap/agents/roots Gateway/agents/egress
RouteConfiguration agents/egress/3128 Gateway/agents/egress
RouteConfiguration agents/egress/8080 Gateway/agents/egress HTTPRoute/agents/llm HTTPRoute/agents/tools
RouteConfiguration agents/egress/8443 Gateway/agents/egress
TypedExtensionConfig authz.routes Hopgate//own
TypedExtensionConfig hold.headers Hopgate//own
TypedExtensionConfig hold.relay Hopgate//own
TypedExtensionConfig meter Hopgate//own
TypedExtensionConfig trailers Hopgate//own
TypedExtensionConfig forward.routes.guard Hopgate//own
TypedExtensionConfig forward.routes.inside Hopgate//own
TypedExtensionConfig authz.proxy Hopgate//own
TypedExtensionConfig target Hopgate//own
TypedExtensionConfig forward.proxy.guard Hopgate//own
TypedExtensionConfig forward.proxy.inside Hopgate//own
TypedExtensionConfig authz.capture-tls Hopgate//own
TypedExtensionConfig authz.capture-http Hopgate//own
Cluster hopgate/direct/guard Hopgate//own
TypedExtensionConfig authz.inner Hopgate//own
TypedExtensionConfig forward.inner.guard Hopgate//own
Cluster hopgate/direct/inside Hopgate//own
TypedExtensionConfig forward.inner.inside Hopgate//own
Cluster hopgate/tunnel/guard Hopgate//own
Listener hopgate/tunnel/guard Hopgate//own
RouteConfiguration hopgate/tunnel/guard Hopgate//own
Cluster hopgate/tunnel/inside Hopgate//own
Listener hopgate/tunnel/inside Hopgate//own
RouteConfiguration hopgate/tunnel/inside Hopgate//own
Cluster hopgate/tunnel/hosts Hopgate//own
Listener hopgate/tunnel/hosts Hopgate//own
RouteConfiguration hopgate/tunnel/hosts Hopgate//own
`)
	if diff := cmp.Diff(want, list(New(settings()).Resources(fixture()))); diff != "" {
		t.Errorf("resources differ (-want +got):\n%s", diff)
	}
}

// TestOnlyWhatIsNeeded: what tunnels go through is there for Proxy listeners
// alone, and nothing is there for nothing.
func TestOnlyWhatIsNeeded(t *testing.T) {
	t.Parallel()
	b := New(settings())
	if got := list(b.Resources(&graph.Graph{})); got != "" {
		t.Errorf("resources of nothing:\n%s", got)
	}
	g := fixture()
	g.Listeners, g.Tables = g.Listeners[1:2], g.Tables[1:2]
	if got := list(b.Resources(g)); strings.Contains(got, "tunnel") || strings.Contains(got, "authz.proxy") || !strings.Contains(got, "authz.routes") {
		t.Errorf("resources of a route listener:\n%s", got)
	}
	g = fixture()
	g.Listeners, g.Tables = g.Listeners[:1], g.Tables[:1]
	if got := list(b.Resources(g)); strings.Contains(got, "authz.routes") || !strings.Contains(got, "hopgate/tunnel/hosts") {
		t.Errorf("resources of a Proxy listener:\n%s", got)
	}
}

// TestCanariesAlways: an Envoy is proven whatever it is to serve, and nothing.
func TestCanariesAlways(t *testing.T) {
	t.Parallel()
	s := settings()
	s.CanaryDir = "/run/hopgate"
	b := New(s)
	bare := list(b.Resources(&graph.Graph{}))
	for _, want := range []string{
		"Listener hopgate/canary/routes", "Listener hopgate/canary/proxy", "RouteConfiguration hopgate/canary/proxy", "Cluster hopgate/canary/two",
		"Listener hopgate/canary/tls", "Listener hopgate/canary/http", "Listener hopgate/capture/hopgate/canary/tls", "Cluster hopgate/canary/never", "TypedExtensionConfig meter",
		"TypedExtensionConfig authz.routes", "TypedExtensionConfig authz.proxy", "Listener hopgate/tunnel/guard", "RouteConfiguration hopgate/tunnel/hosts",
	} {
		if !strings.Contains(bare, want+" Hopgate//own") {
			t.Errorf("there is no %s for an Envoy without a listener", want)
		}
	}
	_, canaries, _ := strings.Cut(bare, "Cluster hopgate/canary")
	if full := list(b.Resources(fixture())); canaries == "" || !strings.HasSuffix(full, canaries) {
		t.Errorf("with listeners there are other canaries:\n%s", full)
	}
}

// TestTheServerTakesThem: every resource is built, named as it says, valid,
// and there once.
func TestTheServerTakesThem(t *testing.T) {
	t.Parallel()
	seen := &outcomes{}
	s, err := serve.New(serve.Config{Check: envoy.Check, Observer: seen})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Set(New(settings()).Resources(fixture())); err != nil {
		t.Fatal(err)
	}
	if st := s.Snapshot(); st.Resources != st.Desired || len(st.Parked) != 0 {
		t.Errorf("%d of %d resources can be served: %+v", st.Resources, st.Desired, st.Parked)
	}
}

// snapshot is what the resources are by label: their pointer, and bytes.
type snapshot map[string]built

type built struct {
	resource *serve.Resource
	versions string
	raw      string
}

func look(t *testing.T, rs []*serve.Resource) snapshot {
	t.Helper()
	out := snapshot{}
	for _, r := range rs {
		if _, twice := out[label(r)]; twice {
			t.Errorf("%s is there twice", label(r))
		}
		out[label(r)] = built{r, versions(r), bytesOf(t, r)}
	}
	return out
}

func versions(r *serve.Resource) string {
	var out []string
	for _, p := range r.Parts {
		out = append(out, p.Owner.String()+"="+p.Version)
	}
	return strings.Join(out, " ")
}

func bytesOf(t *testing.T, r *serve.Resource) string {
	t.Helper()
	m, err := r.Build(r.Parts)
	if err != nil {
		t.Fatalf("%s: %v", label(r), err)
	}
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// TestSameGraphSameBytes: whoever builds it, and whether it was built before.
func TestSameGraphSameBytes(t *testing.T) {
	t.Parallel()
	b := New(settings())
	g := fixture()
	first := look(t, b.Resources(g))
	for name, again := range map[string]snapshot{
		"the same graph":                     look(t, b.Resources(g)),
		"a graph that shares all its parts":  look(t, b.Resources(&graph.Graph{Listeners: g.Listeners, Tables: g.Tables, Backends: g.Backends, Endpoints: g.Endpoints})),
		"an equal graph":                     look(t, b.Resources(fixture())),
		"an equal graph by another Builder":  look(t, New(settings()).Resources(fixture())),
		"the first graph again, after these": look(t, b.Resources(g)),
	} {
		if len(again) != len(first) {
			t.Errorf("%s: %d resources, want %d", name, len(again), len(first))
		}
		for l, f := range first {
			a := again[l]
			if a.raw != f.raw || a.versions != f.versions {
				t.Errorf("%s: %s differs", name, l)
			}
			if shares := strings.HasPrefix(name, "the same") || strings.HasPrefix(name, "a graph that shares"); shares && a.resource != f.resource {
				t.Errorf("%s: %s was made again", name, l)
			}
		}
	}
}

// TestOneChange changes one object: its resources alone are other ones.
func TestOneChange(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(g *graph.Graph)
		want   []string // labels of what changed, came or went
	}{
		{"endpoints", func(g *graph.Graph) {
			e := *g.Endpoints[0]
			e.Ready = []netip.AddrPort{netip.MustParseAddrPort("10.0.0.9:1")}
			g.Endpoints = []*graph.Endpoints{&e}
		}, []string{"ClusterLoadAssignment Service/agents/tools/80"}},
		{"a backend with endpoints", func(g *graph.Graph) {
			be := *g.Backends[0]
			be.Protocol = graph.ProtocolHTTP2
			g.Backends = replaced(g.Backends, 0, &be)
		}, []string{"Cluster Service/agents/tools/80"}},
		{"a backend with a name, whose routes say it", func(g *graph.Graph) {
			be := *g.Backends[1]
			be.Port = 8443
			g.Backends = replaced(g.Backends, 1, &be)
		}, []string{"Cluster XBackend/agents/llm", "RouteConfiguration agents/egress/3128", "RouteConfiguration agents/egress/8080"}},
		{"a route", func(g *graph.Graph) {
			table := *g.Tables[1]
			f := *table.Fragments[1]
			r := *f.Rules[0]
			r.Status, r.Forward = 500, nil
			f.Rules = []*graph.Rule{&r}
			table.Fragments = replaced(table.Fragments, 1, &f)
			g.Tables = replaced(g.Tables, 1, &table)
		}, []string{"RouteConfiguration agents/egress/8080"}},
		{"a route that goes", func(g *graph.Graph) {
			table := *g.Tables[1]
			table.Fragments = table.Fragments[:1]
			g.Tables = replaced(g.Tables, 1, &table)
		}, []string{"RouteConfiguration agents/egress/8080"}},
		{"a host", func(g *graph.Graph) {
			be := *g.Backends[2]
			be.Name = "host/agents/egress/another.example/1"
			table := *g.Tables[0]
			p := *table.Proxy
			p.Hosts = append(slices.Clone(p.Hosts), be.Name)
			table.Proxy = &p
			g.Tables = replaced(g.Tables, 0, &table)
			g.Backends = append(slices.Clone(g.Backends), &be)
		}, []string{"Cluster host/agents/egress/another.example/1", "RouteConfiguration agents/egress/3128", "RouteConfiguration hopgate/tunnel/hosts"}},
		{"a certificate", func(g *graph.Graph) {
			l := *g.Listeners[2]
			tls := *l.TLS
			tls.Certificates = []graph.Certificate{{Name: "Secret/agents/tls", Chain: []byte("new"), Key: []byte("new")}}
			l.TLS = &tls
			g.Listeners = replaced(g.Listeners, 2, &l)
		}, []string{"Secret Secret/agents/tls"}},
		{"the roots of clients", func(g *graph.Graph) {
			l := *g.Listeners[2]
			tls := *l.TLS
			tls.ClientCA = []byte("new")
			l.TLS = &tls
			g.Listeners = replaced(g.Listeners, 2, &l)
		}, []string{"Secret ConfigMap/agents/roots"}},
		{"another certificate", func(g *graph.Graph) {
			l := *g.Listeners[2]
			tls := *l.TLS
			tls.Certificates = append(slices.Clone(tls.Certificates), graph.Certificate{Name: "Secret/agents/more", Chain: []byte("m"), Key: []byte("m")})
			l.TLS = &tls
			g.Listeners = replaced(g.Listeners, 2, &l)
		}, []string{"Listener agents/egress/8443@127.0.0.1", "Secret Secret/agents/more"}},
		{"a listener that goes", func(g *graph.Graph) {
			g.Listeners, g.Tables = g.Listeners[:2], g.Tables[:2]
		}, []string{"Listener agents/egress/8443@127.0.0.1", "RouteConfiguration agents/egress/8443", "Secret ConfigMap/agents/roots", "Secret Secret/agents/tls"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := New(settings())
			g := fixture()
			before := look(t, b.Resources(g))
			next := *g
			tt.change(&next)
			after := look(t, b.Resources(&next))
			if diff := cmp.Diff(tt.want, changed(before, after)); diff != "" {
				t.Errorf("changes differ (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.want, changed(after, look(t, b.Resources(g)))); diff != "" {
				t.Errorf("changes back differ (-want +got):\n%s", diff)
			}
			checkVersions(t, before, after)
		})
	}
}

// checkVersions: equal versions are equal bytes, which the server takes on
// trust.
func checkVersions(t *testing.T, before, after snapshot) {
	t.Helper()
	for l, a := range after {
		if b, ok := before[l]; ok && a.versions == b.versions && a.raw != b.raw {
			t.Errorf("%s: other bytes under the same version", l)
		}
	}
}

func replaced[T any](in []T, i int, v T) []T {
	out := slices.Clone(in)
	out[i] = v
	return out
}

func changed(before, after snapshot) []string {
	var out []string
	for l, b := range before {
		if a, ok := after[l]; !ok || a.versions != b.versions {
			out = append(out, l)
		}
	}
	for l := range after {
		if _, ok := before[l]; !ok {
			out = append(out, l)
		}
	}
	slices.Sort(out)
	return out
}

// TestWhatDidNotChangeIsNotMadeAgain: a thousand routes cost nothing when one
// of them changes.
func TestWhatDidNotChangeIsNotMadeAgain(t *testing.T) {
	t.Parallel()
	b := New(settings())
	g := fixture()
	before := look(t, b.Resources(g))
	next := *g
	table := *g.Tables[1]
	f := *table.Fragments[1]
	table.Fragments = replaced(table.Fragments, 1, &f)
	next.Tables = replaced(next.Tables, 1, &table)
	after := look(t, b.Resources(&next))
	for l, a := range after {
		if same := a.resource == before[l].resource; same == (l == "RouteConfiguration agents/egress/8080") {
			t.Errorf("%s is the same resource: %v", l, same)
		}
	}
	old, now := before["RouteConfiguration agents/egress/8080"].resource, after["RouteConfiguration agents/egress/8080"].resource
	if old.Parts[1].Content != now.Parts[1].Content {
		t.Error("the route beside the one that changed was built again")
	}
}

// TestATableOfSomeRoutes: what Envoy refuses of a table is left out of it.
func TestATableOfSomeRoutes(t *testing.T) {
	t.Parallel()
	r := look(t, New(settings()).Resources(fixture()))["RouteConfiguration agents/egress/8080"].resource
	if !r.Divisible {
		t.Fatal("the table cannot be divided")
	}
	whole := bytesOf(t, r)
	for _, tt := range []struct {
		parts []serve.Part
		llm   bool
		tools bool
	}{{r.Parts, true, true}, {r.Parts[:2], true, false}, {r.Parts[2:], false, true}, {r.Parts[:1], false, false}, {nil, false, false}} {
		m, err := r.Build(tt.parts)
		if err != nil {
			t.Fatal(err)
		}
		text := m.(interface{ String() string }).String()
		if strings.Contains(text, "agents/llm#") != tt.llm || strings.Contains(text, "agents/tools#") != tt.tools {
			t.Errorf("of %d parts: llm %v, tools %v: %s", len(tt.parts), tt.llm, tt.tools, text)
		}
	}
	if bytesOf(t, r) != whole {
		t.Error("to build a part changed the whole")
	}
}

// TestAGatewaysOwnFragment takes the place of the part that keeps a table.
func TestAGatewaysOwnFragment(t *testing.T) {
	t.Parallel()
	g := fixture()
	g.Tables[1].Fragments = append(g.Tables[1].Fragments, &graph.Fragment{Owner: gateway()})
	r := look(t, New(settings()).Resources(g))["RouteConfiguration agents/egress/8080"].resource
	n := 0
	for _, p := range r.Parts {
		if p.Owner == gateway() {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d parts of the Gateway, want one", n)
	}
}

// TestEveryNameHasAnAnswer: a graph may lack what its listeners and backends
// lead to. Envoy asks for it, and waits.
func TestEveryNameHasAnAnswer(t *testing.T) {
	t.Parallel()
	g := fixture()
	g.Endpoints, g.Tables = nil, nil
	b := New(settings())
	got := list(b.Resources(g))
	for _, want := range []string{
		"ClusterLoadAssignment Service/agents/tools/80 Service/agents/tools",
		"RouteConfiguration agents/egress/3128 Gateway/agents/egress", "RouteConfiguration agents/egress/8080 Gateway/agents/egress",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is missing:\n%s", want, got)
		}
	}
	for name, g := range map[string]*graph.Graph{"whole": fixture(), "bare": g} {
		rs := b.Resources(g)
		have := look(t, rs)
		for _, r := range rs {
			for _, want := range subscriptions(t, r) {
				if _, ok := have[want]; !ok {
					t.Errorf("%s: %s asks for %s, which is not there", name, label(r), want)
				}
			}
		}
	}
}

// TestListenersShareASecret: it is there once, for the first of them.
func TestListenersShareASecret(t *testing.T) {
	t.Parallel()
	g := fixture()
	l := *g.Listeners[2]
	l.Name, l.Port = "agents/egress/9443", 9443
	tls := *l.TLS
	l.TLS = &tls
	g.Listeners = append(g.Listeners, &l)
	look(t, New(settings()).Resources(g))
}

func TestABackendThatCannotBeVerified(t *testing.T) {
	t.Parallel()
	s := settings()
	s.TrustedCA = ""
	for _, r := range New(s).Resources(fixture()) {
		_, err := r.Build(r.Parts)
		if want := label(r) == "Cluster XBackend/agents/llm"; want != errors.Is(err, envoy.ErrNoRoots) {
			t.Errorf("%s: Build = %v", label(r), err)
		}
	}
}

// TestABackendThatIsFoundOtherwise: a backend that turns from a name into addresses changes the
// routes that lead to it.
func TestABackendThatIsFoundOtherwise(t *testing.T) {
	t.Parallel()
	b := New(settings())
	g := fixture()
	before := look(t, b.Resources(g))
	next := *g
	be := *g.Backends[1]
	be.Kind, be.Addresses = graph.BackendAddresses, []netip.AddrPort{netip.MustParseAddrPort("10.0.0.1:443")}
	next.Backends = replaced(next.Backends, 1, &be)
	after := look(t, b.Resources(&next))
	checkVersions(t, before, after)
	if diff := cmp.Diff([]string{
		"Cluster XBackend/agents/llm", "RouteConfiguration agents/egress/3128", "RouteConfiguration agents/egress/8080",
	}, changed(before, after)); diff != "" {
		t.Errorf("changes differ (-want +got):\n%s", diff)
	}
}

// TestInspecting: where TLS can be inspected, all that it goes through is there,
// and each fixed host by TLS beside what it is without.
func TestInspecting(t *testing.T) {
	t.Parallel()
	s := settings()
	if got := list(New(s).Resources(fixture())); strings.Contains(got, "inspect") {
		t.Errorf("without a CA there is:\n%s", got)
	}
	s.Inspect = true
	b := New(s)
	first := b.Resources(fixture())
	got := list(first)
	for _, want := range []string{
		"Listener hopgate/inspect/guard Hopgate//own", "RouteConfiguration hopgate/inspect/guard Hopgate//own", "RouteConfiguration hopgate/inspect/hosts Hopgate//own",
		"Cluster hopgate/inspected/guard/upgrade Hopgate//own", "Cluster hopgate/inspected/host/agents/egress/web.example/8443 GatewayConfig/agents/laptop",
		"Cluster hopgate/inspected/host/agents/egress/web.example/8443/upgrade GatewayConfig/agents/laptop", "TypedExtensionConfig identity Hopgate//own",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("there is no %s in:\n%s", want, got)
		}
	}
	g := fixture()
	one, two := b.Resources(g), b.Resources(g)
	if !slices.Equal(one, two) {
		t.Error("what did not change was made again")
	}
}
