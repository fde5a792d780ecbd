package egress_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/hopgate/hopgate/authz/surface/egress"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

func planConfig() egress.PlanConfig {
	return egress.PlanConfig{
		Egress: feedv1.Egress{
			Hosts: []feedv1.Host{
				{Name: "web.example", Addresses: addrs("127.0.0.1"), Ports: []uint16{8443, 9443}, Clusters: []string{"Host/web/8443", "Host/web/9443"}},
				{Name: "db.svc.cluster.local", Addresses: addrs("10.96.0.7", "10.96.0.8"), Ports: []uint16{6443}, Clusters: []string{"Host/db"}},
				{Name: "empty.example"},
				{Name: "own.example", Addresses: addrs("127.0.0.1"), Ports: []uint16{3128}, Clusters: []string{"Host/own"}},
				{Name: "meta.example", Addresses: addrs("169.254.169.254"), Ports: []uint16{80}, Clusters: []string{"Host/meta"}},
				{Name: "mapped.example", Addresses: addrs("::ffff:127.0.0.1"), Ports: []uint16{80}, Clusters: []string{"Host/mapped"}},
				{Name: "short.example", Addresses: addrs("10.0.0.1"), Ports: []uint16{80, 81}, Clusters: []string{"Host/short"}},
			},
			InsideRanges: prefixes("10.20.0.0/16"),
			Backends: []feedv1.Backend{
				{Ref: "XBackend/a/mcp", Hostname: "mcp.example", Port: 443, Surface: v1alpha1.SurfaceTools, Mode: wire.ModeGuard, Cluster: "XBackend/a/mcp"},
				{Ref: "XBackend/a/llm", Hostname: "LLM.example", Port: 443, Surface: v1alpha1.SurfaceModels, Mode: wire.ModeInside, Cluster: "XBackend/a/llm/inside"},
				{Ref: "XBackend/a/web", Hostname: "web.example", Port: 9443, Surface: v1alpha1.SurfaceTools, Mode: wire.ModeHosts, Cluster: "XBackend/a/web/hosts"},
			},
		},
		Listeners: []feedv1.Listener{{Name: "proxy", Address: netip.MustParseAddr("127.0.0.1"), Port: 3128}, {Name: "all", Address: netip.IPv4Unspecified(), Port: 8080}},
		Own:       []netip.AddrPort{netip.MustParseAddrPort("10.20.0.9:9900")},
		Local:     addrs("10.20.0.9"),
	}
}

func TestRoute(t *testing.T) {
	t.Parallel()
	p, _ := egress.NewPlan(planConfig())
	for _, c := range []struct {
		at   string
		want egress.Way
		ref  string
		err  string
	}{
		{at: "api.example:443", want: egress.Way{}},
		{at: "web.example:8443", want: egress.Way{Mode: wire.ModeHosts, Cluster: "Host/web/8443", Addrs: addrs("127.0.0.1")}},
		{at: "WEB.example.:8443", want: egress.Way{Mode: wire.ModeHosts, Cluster: "Host/web/8443", Addrs: addrs("127.0.0.1")}},
		{at: "web.example:9443", want: egress.Way{Mode: wire.ModeHosts, Cluster: "XBackend/a/web/hosts", Addrs: addrs("127.0.0.1")}, ref: "XBackend/a/web"},
		{at: "web.example:443", err: "host_port"},
		{at: "a.web.example:8443", want: egress.Way{}},
		{at: "db.svc.cluster.local:6443", want: egress.Way{Mode: wire.ModeHosts, Cluster: "Host/db", Addrs: addrs("10.96.0.7", "10.96.0.8")}},
		{at: "other.svc.cluster.local:6443", err: "private_name"},
		{at: "empty.example:443", err: "host_port"},
		{at: "own.example:3128", err: "host_port"},
		{at: "meta.example:80", err: "host_port"},
		{at: "mapped.example:80", err: "host_port"},
		{at: "short.example:80", err: "host_port"},
		{at: "127.0.0.1:8443", err: "address_class loopback"}, // the name is open, not the address
		{at: "127.0.0.1:3128", err: "own_listener loopback"},
		{at: "10.20.0.9:9900", err: "own_listener private"},
		{at: "10.20.0.9:8080", err: "own_listener private"},
		{at: "10.20.0.9:443", want: egress.Way{Mode: wire.ModeInside, Addrs: addrs("10.20.0.9")}},
		{at: "10.21.0.9:443", err: "address_class private"},
		{at: "[2606:4700::1]:443", want: egress.Way{Mode: wire.ModeGuard, Addrs: addrs("2606:4700::1")}},
		{at: "mcp.example:443", want: egress.Way{}, ref: "XBackend/a/mcp"},
		{at: "llm.example:443", want: egress.Way{}, ref: "XBackend/a/llm"},
		{at: "mcp.example:8443", want: egress.Way{}},
		{at: "localhost:8080", err: "private_name"},
	} {
		t.Run(c.at, func(t *testing.T) {
			t.Parallel()
			d, err := egress.ParseAuthority(c.at, 0)
			if err != nil {
				t.Fatal(err)
			}
			got, err := p.Route(d)
			if c.err != "" {
				if err == nil || reasonOf(t, err) != c.err {
					t.Errorf("error is %v, want %s", err, c.err)
				}
				c.want = egress.Way{}
			} else if err != nil {
				t.Fatal(err)
			}
			ref := ""
			if got.Backend != nil {
				ref, got.Backend = got.Backend.Ref, nil
			}
			if diff := cmp.Diff(c.want, got, cmpopts.EquateComparable(netip.Addr{}), cmpopts.IgnoreUnexported(egress.Way{})); diff != "" || ref != c.ref {
				t.Errorf("backend %q, way (-want +got):\n%s", ref, diff)
			}
			if got.NeedsResolution() != (c.want.Mode == "") {
				t.Errorf("needs resolution: %v", got.NeedsResolution())
			}
		})
	}
}

// TestBackendOfEveryPort: an XBackend that was not accepted, whose port nobody
// knows, closes its host name, but for what another one has.
func TestBackendOfEveryPort(t *testing.T) {
	t.Parallel()
	c := planConfig()
	c.Egress.Backends = append(c.Egress.Backends,
		feedv1.Backend{Ref: "XBackend/a/broken", Hostname: "mcp.example", Rejected: "spec.port: is required"},
		feedv1.Backend{Ref: "XBackend/a/odd", Hostname: "odd.example", Mode: wire.ModeGuard, Cluster: "XBackend/a/odd"})
	p, _ := egress.NewPlan(c)
	for at, want := range map[string]struct {
		ref    string
		closed bool
	}{
		"mcp.example:443": {"XBackend/a/mcp", false}, "mcp.example:8443": {"XBackend/a/broken", true}, "mcp.example:80": {"XBackend/a/broken", true},
		"odd.example:443": {"XBackend/a/odd", true}, "api.example:443": {"", false},
	} {
		d, err := egress.ParseAuthority(at, 0)
		if err != nil {
			t.Fatal(err)
		}
		w, err := p.Route(d)
		if err != nil {
			t.Fatal(err)
		}
		ref := ""
		if w.Backend != nil {
			ref = w.Backend.Ref
		}
		if ref != want.ref || w.Closed() != want.closed {
			t.Errorf("%s is of %q, closed %v, want %q, %v", at, ref, w.Closed(), want.ref, want.closed)
		}
	}
}

func TestPlanWarnings(t *testing.T) {
	t.Parallel()
	c := planConfig()
	c.Egress.Hosts = append(c.Egress.Hosts, feedv1.Host{Name: "10.0.0.1"}, feedv1.Host{Name: "web.example"})
	c.Egress.Backends = append(c.Egress.Backends, feedv1.Backend{Ref: "XBackend/a/bad", Hostname: "127.1"})
	c.Egress.InsideRanges = prefixes("0.0.0.0/0")
	_, warnings := egress.NewPlan(c)
	var got []string
	for _, w := range warnings {
		field, text, _ := strings.Cut(w.String(), ": ")
		got = append(got, field+": "+strings.SplitN(text, " (", 2)[0])
	}
	want := []string{
		"0.0.0.0/0: is wider than what it opens; what it covers of these stays closed: broadcast, documentation, link-local, loopback, multicast, reserved, this-network, unspecified",
		"own.example: leads to one of our own listeners",
		"meta.example: has an address that never opens",
		"mapped.example: has an address that never opens",
		"short.example: has not one cluster for each port; it is closed",
		"10.0.0.1: is no host name",
		"web.example: is there twice: the first one serves",
		"XBackend/a/bad: has no host name that can be reached",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSettle(t *testing.T) {
	t.Parallel()
	p, _ := egress.NewPlan(planConfig())
	if !p.Space().IsOwn(netip.MustParseAddr("127.0.0.1"), 3128) {
		t.Error("the plan's space does not know its listeners")
	}
	for _, c := range []struct {
		name, at string
		addrs    []netip.Addr
		mode     string
		err      string
	}{
		{"public", "api.example:443", addrs("8.8.8.8", "2606:4700::1"), wire.ModeGuard, ""},
		{"inside", "api.example:443", addrs("10.20.0.1"), wire.ModeInside, ""},
		{"inside, control plane", "api.example:6443", addrs("10.20.0.1"), "", "control_plane_port private"},
		{"inside, our own", "api.example:9900", addrs("10.20.0.1", "10.20.0.9"), "", "own_listener private"},
		{"private", "api.example:443", addrs("192.168.0.1"), "", "address_class private"},
		{"mixed", "api.example:443", addrs("8.8.8.8", "10.20.0.1"), "", "mixed_answer private"},
		{"none", "api.example:443", nil, "", "no_address invalid"},
		{"backend on the public cache", "mcp.example:443", addrs("8.8.8.8"), wire.ModeGuard, ""},
		{"backend on the public cache, inside", "mcp.example:443", addrs("10.20.0.1"), "", "address_class private"},
		{"backend on the inside cache", "llm.example:443", addrs("10.20.0.1"), wire.ModeInside, ""},
		{"backend on the inside cache, public", "llm.example:443", addrs("8.8.8.8"), wire.ModeInside, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d, err := egress.ParseAuthority(c.at, 0)
			if err != nil {
				t.Fatal(err)
			}
			w, err := p.Route(d)
			if err != nil {
				t.Fatal(err)
			}
			w, err = p.Settle(d, w, c.addrs)
			if c.err != "" {
				if err == nil || reasonOf(t, err) != c.err || w.Mode != "" {
					t.Errorf("%+v, %v, want %s", w, err, c.err)
				}
				return
			}
			if err != nil || w.Mode != c.mode || len(w.Addrs) != len(c.addrs) {
				t.Errorf("%+v, %v, want %s", w, err, c.mode)
			}
		})
	}
}
