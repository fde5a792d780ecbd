package serve

import (
	"strings"
	"testing"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/google/go-cmp/cmp"
)

// small is one listener with a route to one cluster.
func small(hosts ...fragment) []*Resource {
	if len(hosts) == 0 {
		hosts = []fragment{plainRoute("a", "one")}
	}
	return []*Resource{edsCluster("one", time.Second), endpoints("one", port1), rdsListener("web", port1), table("web", hosts...)}
}

func lines(s ...string) string { return strings.Join(s, "\n") }

func TestStartsInOrder(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	rev := r.set(small()...)
	r.connect()
	r.run()
	want := lines("+Cluster one", "+ClusterLoadAssignment one", "+Listener web", "+RouteConfiguration web")
	if got := r.took(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if !r.live(rev) || !r.s.Ready() {
		t.Errorf("live %v, ready %v", r.live(rev), r.s.Ready())
	}
	if got := r.states(); got != lines("Gateway/web Programmed", "HTTPRoute/a Programmed", "Service/one Programmed") {
		t.Error(got)
	}
}

func TestOutcomesAreOnlySaidWhenTheyChange(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.set(small()...)
	if got := r.states(); got != lines("Gateway/web Pending", "HTTPRoute/a Pending", "Service/one Pending") {
		t.Error(got)
	}
	r.connect()
	r.run()
	r.states()
	r.told.last = nil
	r.set(append(small(), table("other", plainRoute("x", "one")))...)
	if got := r.states(); got != "HTTPRoute/x Pending" {
		t.Error(got)
	}
}

func TestUnchangedIsNotSentAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.set(small()...)
	r.connect()
	r.run()
	r.took()
	r.set(small()...)
	r.run()
	if got := r.took(); got != "" {
		t.Errorf("sent %s", got)
	}
}

func TestRouteWaitsForItsNewCluster(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.set(small()...)
	r.connect()
	r.run()
	r.took()
	rev := r.set(append(small(plainRoute("a", "one"), plainRoute("b", "two")), edsCluster("two", time.Second), endpoints("two", port1))...)
	if n := r.pull(10); n != 1 || r.inbox[0].GetTypeUrl() != TypeCluster {
		t.Fatalf("%d responses before the cluster was answered: %v", n, r.inbox)
	}
	r.read()
	if n := r.pull(10); n != 1 || r.inbox[0].GetTypeUrl() != TypeEndpoint {
		t.Fatalf("%d responses before the endpoints were answered: %v", n, r.inbox)
	}
	if r.live(rev) {
		t.Error("live too early")
	}
	r.run()
	if got := r.hosts("web"); got != "a>one b>two" || !r.live(rev) {
		t.Errorf("hosts %s, live %v", got, r.live(rev))
	}
}

func TestRouteWaitsNoLongerThanTheGate(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.set(small()...)
	r.connect()
	r.run()
	r.took()
	r.set(append(small(plainRoute("b", "two")), edsCluster("two", time.Second))...)
	r.pull(1) // the cluster, never answered
	if resp, wake := r.s.next(r.c); resp != nil || wake != time.Second {
		t.Fatalf("got %v, wake in %s", resp, wake)
	}
	r.clock.advance(time.Second)
	resp, _ := r.s.next(r.c)
	if resp.GetTypeUrl() != TypeRoute {
		t.Fatalf("got %v", resp)
	}
	if n := r.s.Snapshot().Streams[0].Overdue; n != 1 {
		t.Errorf("overdue %d", n)
	}
}

func TestRemovalComesAfterTheLinger(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	two := []*Resource{edsCluster("two", time.Second), endpoints("two", port1)}
	r.set(append(small(plainRoute("a", "two")), two...)...)
	r.connect()
	r.run()
	r.took()
	rev := r.set(small(plainRoute("a", "one"))...)
	r.pull(1)
	if r.inbox[0].GetTypeUrl() != TypeRoute {
		t.Fatalf("got %v", r.inbox)
	}
	r.clock.advance(time.Minute) // the route table is not answered
	if n := r.pull(10); n != 0 {
		t.Fatalf("removed while in use: %v", r.inbox)
	}
	r.run()
	if !r.live(rev) {
		t.Error("removals count")
	}
	r.after(3)
	if got := r.took(); got != "+RouteConfiguration web" {
		t.Errorf("too early: %s", got)
	}
	r.after(3)
	if got := r.took(); got != "-Cluster two" {
		t.Errorf("got %s", got)
	}
	if _, has := r.has[Key{TypeEndpoint, "two"}]; has {
		t.Error("endpoints are still subscribed")
	}
}

func TestListenerLeavesBeforeAnotherComes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.set(small()...)
	r.connect()
	r.run()
	r.took()
	set := small()
	set[2], set[3] = rdsListener("api", port1), table("api", plainRoute("a", "one"))
	r.set(set...)
	r.run()
	if got := r.took(); got != lines("-Listener web", "+Listener api", "+RouteConfiguration api") {
		t.Error(got)
	}
}

func TestClusterUpdateGetsItsEndpointsAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.set(small()...)
	r.connect()
	r.run()
	r.took()
	set := small()
	set[0] = edsCluster("one", 2*time.Second)
	r.set(set...)
	r.run()
	if got := r.took(); got != lines("+Cluster one", "+ClusterLoadAssignment one") {
		t.Error(got)
	}
	if len(r.warming) > 0 {
		t.Error("still warming")
	}
}

func TestRefusedRouteLeavesTheClusterItStillUses(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	two := []*Resource{edsCluster("two", time.Second), endpoints("two", port1)}
	r.set(append(small(plainRoute("a", "two"), plainRoute("b", "one")), two...)...)
	r.connect()
	r.run()
	r.took()
	r.set(small(fragment{host: "a", cluster: "one", mark: "bad"}, plainRoute("b", "one"))...)
	r.after(20)
	if got := r.took(); got != "!RouteConfiguration web" {
		t.Errorf("got %s", got)
	}
	if got := r.hosts("web"); got != "a>two b>one" {
		t.Errorf("hosts %s", got)
	}
	t.Run("for an Envoy that comes later too", func(t *testing.T) {
		late := newFake(t, r.s)
		late.connect()
		late.run()
		if got := late.hosts("web"); got != "a>two b>one" || late.has[Key{TypeCluster, "two"}] == nil || late.has[Key{TypeEndpoint, "two"}] == nil {
			t.Errorf("hosts %s, has %v", got, late.from)
		}
		late.disconnect()
	})
	r.set(small(plainRoute("a", "one"), plainRoute("b", "one"))...)
	r.after(20)
	if got := r.took(); got != lines("+RouteConfiguration web", "-Cluster two") {
		t.Errorf("got %s", got)
	}
}

func TestMissingNamesAreAnsweredAtOnce(t *testing.T) {
	t.Parallel()
	ask := func(r *rig, typeURL string, names ...string) {
		r.fake.request(&discoveryv3.DeltaDiscoveryRequest{Node: fakeNode(1, 40, 0), TypeUrl: typeURL, ResourceNamesSubscribe: names})
	}
	t.Run("with a removal", func(t *testing.T) {
		r := newRig(t)
		r.c, _ = r.s.connect()
		ask(r, TypeSecret, "nowhere")
		r.pull(10)
		if len(r.inbox) != 1 || !cmp.Equal(r.inbox[0].GetRemovedResources(), []string{"nowhere"}) {
			t.Errorf("got %v", r.inbox)
		}
	})
	t.Run("with what the caller gives", func(t *testing.T) {
		r := newRig(t, withEmptyTables)
		r.set(rdsListener("web", port1))
		r.connect()
		r.run()
		if got := r.took(); got != lines("+Listener web", "+RouteConfiguration web") || r.hosts("web") != "" {
			t.Errorf("got %s, hosts %q", got, r.hosts("web"))
		}
		r.set(rdsListener("web", port1), table("web", plainRoute("a", "one")))
		r.run()
		if got := r.hosts("web"); got != "a>one" {
			t.Errorf("hosts %s", got)
		}
		r.set(rdsListener("web", port1))
		r.after(8)
		if got := r.hosts("web"); got != "" {
			t.Errorf("hosts %q", got)
		}
	})
	t.Run("and again when asked again", func(t *testing.T) {
		r := newRig(t)
		r.c, _ = r.s.connect()
		ask(r, TypeSecret, "nowhere")
		r.run()
		ask(r, TypeSecret, "nowhere")
		if n := r.pull(10); n != 1 {
			t.Errorf("%d answers", n)
		}
	})
}

func TestAskedAgainIsSentAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.set(small()...)
	r.connect()
	r.run()
	r.took()
	r.fake.request(&discoveryv3.DeltaDiscoveryRequest{TypeUrl: TypeRoute, ResourceNamesSubscribe: []string{"web"}})
	r.fake.request(&discoveryv3.DeltaDiscoveryRequest{TypeUrl: TypeCluster, ResourceNamesSubscribe: []string{"one"}})
	r.run()
	if got := r.took(); got != lines("+Cluster one", "+ClusterLoadAssignment one", "+RouteConfiguration web") {
		t.Error(got)
	}
}

func TestSlowEnvoyGetsTheNewestOnly(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.set(small()...)
	r.connect()
	r.run()
	r.took()
	for i := range 100 {
		set := small()
		set[1] = endpoints("one", netipPort(20000+i))
		r.set(set...)
		r.pull(10)
	}
	if len(r.inbox) != 1 {
		t.Fatalf("%d unread responses", len(r.inbox))
	}
	r.run()
	if got := r.took(); got != lines("+ClusterLoadAssignment one", "+ClusterLoadAssignment one") {
		t.Error(got)
	}
	if got := r.has[Key{TypeEndpoint, "one"}].(interface{ String() string }).String(); !strings.Contains(got, "20099") {
		t.Error(got)
	}
}

func TestStaleAnswersSayNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.set(small()...)
	r.connect()
	r.pull(1)
	for _, req := range []*discoveryv3.DeltaDiscoveryRequest{
		{TypeUrl: TypeCluster, ResponseNonce: "99"},
		{TypeUrl: TypeRoute, ResponseNonce: r.inbox[0].GetNonce()},
		{TypeUrl: TypeCluster, ResponseNonce: "other"},
	} {
		r.fake.request(req)
	}
	st := r.s.Snapshot().Streams[0]
	if st.Stale != 3 || st.Acked != 0 || st.Types[0].Sent != 1 {
		t.Errorf("%+v", st)
	}
	r.fake.request(&discoveryv3.DeltaDiscoveryRequest{TypeUrl: TypeCluster, ResponseNonce: r.inbox[0].GetNonce()})
	r.fake.request(&discoveryv3.DeltaDiscoveryRequest{TypeUrl: TypeCluster, ResponseNonce: r.inbox[0].GetNonce()})
	if st := r.s.Snapshot().Streams[0]; st.Stale != 4 || st.Acked != 1 {
		t.Errorf("%+v", st)
	}
}

func TestWildcards(t *testing.T) {
	t.Parallel()
	req := func(sub, unsub []string) *discoveryv3.DeltaDiscoveryRequest {
		return &discoveryv3.DeltaDiscoveryRequest{TypeUrl: TypeCluster, ResourceNamesSubscribe: sub, ResourceNamesUnsubscribe: unsub}
	}
	names := func(ns ...string) []string { return ns }
	tests := []struct {
		name string
		reqs []*discoveryv3.DeltaDiscoveryRequest
		want []string
	}{
		{"none named is all", []*discoveryv3.DeltaDiscoveryRequest{req(nil, nil)}, []string{"+Cluster a", "+Cluster b"}},
		{"a star is all", []*discoveryv3.DeltaDiscoveryRequest{req(names("*"), nil)}, []string{"+Cluster a", "+Cluster b"}},
		{"a name is itself", []*discoveryv3.DeltaDiscoveryRequest{req(names("b"), nil)}, []string{"+Cluster b"}},
		{"a star later", []*discoveryv3.DeltaDiscoveryRequest{req(names("b"), nil), req(names("*"), nil)}, []string{"+Cluster a", "+Cluster b"}},
		{"none named later says nothing", []*discoveryv3.DeltaDiscoveryRequest{req(names("b"), nil), req(nil, nil)}, []string{"+Cluster b"}},
		{"no star any more", []*discoveryv3.DeltaDiscoveryRequest{req(nil, nil), req(names("b"), names("*"))}, []string{"+Cluster b"}},
		{"a name below a star goes", []*discoveryv3.DeltaDiscoveryRequest{req(names("*", "b"), nil), req(nil, names("b"))}, []string{"+Cluster a", "+Cluster b"}},
		{"a name goes", []*discoveryv3.DeltaDiscoveryRequest{req(names("a", "b"), nil), req(nil, names("b", "c"))}, []string{"+Cluster a"}},
		{"a name that is missing, below a star", []*discoveryv3.DeltaDiscoveryRequest{req(names("*", "c"), nil)}, []string{"+Cluster a", "+Cluster b", "-Cluster c"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.set(staticCluster("a"), staticCluster("b"))
			r.c, _ = r.s.connect()
			for _, q := range tt.reqs {
				r.fake.request(q)
			}
			r.run()
			if got := r.took(); got != lines(tt.want...) {
				t.Errorf("got\n%s", got)
			}
		})
	}
	t.Run("not for other types", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		r.set(endpoints("a"))
		r.c, _ = r.s.connect()
		r.fake.request(&discoveryv3.DeltaDiscoveryRequest{TypeUrl: TypeEndpoint})
		r.run()
		if got := r.took(); got != "" {
			t.Error(got)
		}
	})
}

func TestReconnect(t *testing.T) {
	t.Parallel()
	t.Run("sends what changed alone", func(t *testing.T) {
		r := newRig(t)
		r.set(small()...)
		r.connect()
		r.run()
		r.disconnect()
		r.took()
		rev := r.set(append(small(plainRoute("b", "one")), edsCluster("two", time.Second))...)
		r.connect()
		r.run()
		if got := r.took(); got != lines("+Cluster two", "+ClusterLoadAssignment one", "-ClusterLoadAssignment two", "+RouteConfiguration web") || !r.live(rev) {
			t.Errorf("got\n%s\nlive %v", got, r.live(rev))
		}
	})
	t.Run("what Envoy says it has counts as accepted", func(t *testing.T) {
		r := newRig(t)
		r.set(small()...)
		r.connect()
		r.run()
		again := newRig(t)
		again.set(small()...)
		again.fake.has, again.fake.from, again.fake.subs = r.has, r.from, r.subs
		again.connect()
		again.run()
		// Endpoints alone come again: a cluster may wait for them.
		if got := again.took(); got != "+ClusterLoadAssignment one" {
			t.Errorf("sent %s", got)
		}
		if got := again.states(); got != lines("Gateway/web Programmed", "HTTPRoute/a Programmed", "Service/one Programmed") {
			t.Error(got)
		}
	})
	t.Run("removes what a server before it left, when nothing can use it", func(t *testing.T) {
		r := newRig(t)
		two := []*Resource{edsCluster("two", time.Second), endpoints("two", port1)}
		r.set(append(small(plainRoute("a", "two")), two...)...)
		r.connect()
		r.run()
		again := newRig(t)
		again.set(small()...)
		again.fake.has, again.fake.from, again.fake.subs = r.has, r.from, r.subs
		again.connect()
		again.pull(10)
		again.clock.advance(time.Minute)
		again.pull(10)
		if len(again.inbox) != 2 || again.inbox[1].GetTypeUrl() != TypeRoute {
			t.Fatalf("got %v", again.inbox)
		}
		again.after(8)
		if got := again.took(); got != lines("+ClusterLoadAssignment one", "+RouteConfiguration web", "-Cluster two") {
			t.Error(got)
		}
	})
}

func TestProtocolBounds(t *testing.T) {
	t.Parallel()
	many := make([]string, 12)
	for i := range many {
		many[i] = strings.Repeat("x", i+1)
	}
	tests := []struct {
		name string
		req  *discoveryv3.DeltaDiscoveryRequest
		want string
	}{
		{"no type", &discoveryv3.DeltaDiscoveryRequest{}, "InvalidArgument"},
		{"long type", &discoveryv3.DeltaDiscoveryRequest{TypeUrl: strings.Repeat("t", maxName+1)}, "ResourceExhausted"},
		{"many names", &discoveryv3.DeltaDiscoveryRequest{TypeUrl: TypeRoute, ResourceNamesSubscribe: many}, "ResourceExhausted"},
		{"many versions", &discoveryv3.DeltaDiscoveryRequest{TypeUrl: TypeRoute, InitialResourceVersions: map[string]string{
			"1": "", "2": "", "3": "", "4": "", "5": "", "6": "", "7": "", "8": "", "9": "", "10": "", "11": "",
		}}, "ResourceExhausted"},
		{"empty name", &discoveryv3.DeltaDiscoveryRequest{TypeUrl: TypeRoute, ResourceNamesSubscribe: []string{""}}, "InvalidArgument"},
		{"long name", &discoveryv3.DeltaDiscoveryRequest{TypeUrl: TypeRoute, ResourceNamesSubscribe: []string{strings.Repeat("n", maxName+1)}}, "InvalidArgument"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, func(c *Config) { c.MaxNames = 10 })
			c, err := r.s.connect()
			if err != nil {
				t.Fatal(err)
			}
			if err := r.s.request(c, tt.req); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("names that come one by one", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, func(c *Config) { c.MaxNames = 10 })
		c, _ := r.s.connect()
		var err error
		for _, n := range many {
			err = r.s.request(c, &discoveryv3.DeltaDiscoveryRequest{TypeUrl: TypeRoute, ResourceNamesSubscribe: []string{n}})
			if err != nil {
				break
			}
		}
		if err == nil || len(c.subs[TypeRoute].slots) > 11 {
			t.Errorf("got %v, %d slots", err, len(c.subs[TypeRoute].slots))
		}
	})
	t.Run("types that come one by one", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		c, _ := r.s.connect()
		var err error
		for i := range maxTypes + 1 {
			if err != nil {
				t.Fatal(i, err)
			}
			err = r.s.request(c, &discoveryv3.DeltaDiscoveryRequest{TypeUrl: strings.Repeat("t", i+1)})
		}
		if err == nil {
			t.Error("no bound")
		}
	})
	t.Run("a client that never answers", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, func(c *Config) { c.MaxNames = 10 })
		c, _ := r.s.connect()
		for range 1000 {
			for _, q := range []*discoveryv3.DeltaDiscoveryRequest{
				{TypeUrl: TypeSecret, ResourceNamesSubscribe: []string{"a"}}, {TypeUrl: TypeSecret, ResourceNamesUnsubscribe: []string{"a"}},
			} {
				if err := r.s.request(c, q); err != nil {
					t.Fatal(err)
				}
				r.s.next(c)
			}
		}
		if n := len(c.flights); n > 10 {
			t.Errorf("%d flights", n)
		}
	})
}

func TestVersionFloor(t *testing.T) {
	t.Parallel()
	floor := Version{1, 39, 3}
	tests := []struct {
		name                string
		major, minor, patch uint32
		want                string
	}{
		{"newer", 1, 40, 0, ""},
		{"the floor itself", 1, 39, 3, ""},
		{"a patch below", 1, 39, 2, "envoy 1.39.2 is too old; 1.39.3 or newer is needed"},
		{"a minor below", 1, 38, 9, "envoy 1.38.9 is too old"},
		{"a major below", 0, 99, 9, "envoy 0.99.9 is too old"},
		{"a major above", 2, 0, 0, ""},
		{"unsaid", 0, 0, 0, "does not say its version"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, func(c *Config) { c.MinVersion = floor })
			c, _ := r.s.connect()
			err := r.s.request(c, &discoveryv3.DeltaDiscoveryRequest{TypeUrl: TypeCluster, Node: fakeNode(tt.major, tt.minor, tt.patch)})
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "FailedPrecondition")) {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("without a node", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, func(c *Config) { c.MinVersion = floor })
		c, _ := r.s.connect()
		if err := r.s.request(c, &discoveryv3.DeltaDiscoveryRequest{TypeUrl: TypeCluster}); err == nil {
			t.Error("admitted")
		}
	})
}
