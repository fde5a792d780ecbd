package check

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/authz/denial"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

// tunnel is a CONNECT by a client that has its token in the proxy's URL.
func tunnel(to string) asking {
	return asking{target: proxyTarget(), method: "CONNECT", host: to, path: "-"}.with(credentials(goodToken))
}

func credentials(token string) [2]string {
	return [2]string{"proxy-authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte("agent:"+token))}
}

// absolute is a request in absolute-form.
func absolute(host string) asking {
	return asking{target: proxyTarget(), host: host, path: "/a"}.with(credentials(goodToken))
}

// upgrading is a request whose connection is to become another protocol's.
func upgrading(a asking, to string) asking { return a.with([2]string{"upgrade", to}) }

// unbuffered is what Envoy asks about a request to a surface that upgrades.
func unbuffered(a asking) asking {
	a.target.BodyBytes, a.body = 0, ""
	return a
}

// way is what metadata says of the way on.
type way struct{ Mode, Host, Port, Cluster string }

func wayOf(a *answered) way {
	return way{a.meta(wire.MetaMode), a.meta(wire.MetaHost), a.meta(wire.MetaPort), a.meta(wire.MetaCluster)}
}

func TestProxy(t *testing.T) {
	t.Parallel()
	old := func(a asking) asking { a.protocol = "HTTP/1.0"; return a }
	h2 := func(a asking) asking { a.protocol = "HTTP/2"; return a }
	for _, tc := range []struct {
		name string
		a    asking
		code string
		way  way
	}{
		{"a tunnel", tunnel("api.example:443"), "", way{"guard", "api.example", "443", ""}},
		{"a tunnel, HTTP/2", h2(tunnel("api.example:443")), "", way{"guard", "api.example", "443", ""}},
		{"a tunnel, HTTP/1.0", old(tunnel("api.example:443")), "", way{"guard", "api.example", "443", ""}},
		{"a tunnel in another spelling", tunnel("API.example.:443"), "", way{"guard", "api.example", "443", ""}},
		{"a tunnel inside", tunnel("inside.example:443"), "", way{"inside", "inside.example", "443", ""}},
		{"a tunnel to an inside address", tunnel("10.20.0.9:443"), "", way{"inside", "10.20.0.9", "443", ""}},
		{"a tunnel to an address", tunnel("198.200.0.9:443"), "", way{"guard", "198.200.0.9", "443", ""}},
		{"a tunnel to the operator's host", tunnel("web.example:8443"), "", way{"hosts", "web.example", "8443", "host/web/8443"}},
		{"a tunnel whose bytes are not read", tunnel("raw.example:5432"), "", way{"guard-opaque", "raw.example", "5432", ""}},
		{"a tunnel to a host that is not listed", tunnel("evil.example:443"), denial.NoRule, way{}},
		{"a tunnel to a port that is not", tunnel("api.example:22"), denial.NoRule, way{}},
		{"a tunnel to no port", tunnel("api.example"), denial.BadAuthority, way{}},
		{"a tunnel to metadata", tunnel("169.254.169.254:80"), denial.AddressDenied, way{}},
		{"a tunnel to metadata, by another spelling", tunnel("0xa9fea9fe:80"), denial.BadAuthority, way{}},
		{"a tunnel to loopback", tunnel("127.0.0.1:8443"), denial.AddressDenied, way{}},
		{"a tunnel to us", tunnel("127.0.0.1:3128"), denial.AddressDenied, way{}},
		{"a tunnel to localhost", tunnel("localhost:80"), denial.NameDenied, way{}},
		{"a tunnel to a private address", tunnel("10.21.0.9:443"), denial.AddressDenied, way{}},
		{"a tunnel to the operator's host at another port", tunnel("web.example:22"), denial.NameDenied, way{}},
		{"a tunnel to a name that is not there", tunnel("gone.example:443"), denial.NameUnresolved, way{}},
		{"a tunnel to a name that leads inside", tunnel("refused.wild.example:443"), denial.AddressDenied, way{}},
		{"a tunnel to a name that leads to metadata", tunnel("trap.example:443"), denial.AddressDenied, way{}},
		{"a resolver that fails oddly", tunnel("odd.wild.example:443"), denial.Internal, way{}},
		{"a tunnel to a tool server", tunnel("mcp.example:443"), denial.SurfaceRequired, way{}},
		{"a tunnel to a tool server, in another spelling", tunnel("MCP.example.:443"), denial.SurfaceRequired, way{}},
		{"a tunnel to a tool server, on its own target", func() asking { a := tunnel("mcp.example:443"); a.target = proxyToolTarget(); return a }(), denial.SurfaceRequired, way{}},
		{"a tunnel with limits that nobody can count", tunnel("metered.example:443"), denial.LimitMissing, way{}},

		{"absolute-form", absolute("api.example"), "", way{"guard", "api.example", "80", ""}},
		{"absolute-form with its port", absolute("api.example:80"), "", way{"guard", "api.example", "80", ""}},
		{"absolute-form to another port", absolute("api.example:8080"), denial.NoRule, way{}},
		{"absolute-form to the operator's host", absolute("web.example"), "", way{"hosts", "web.example", "80", "host/web/80"}},
		{"absolute-form to an address", absolute("198.200.0.9"), "", way{"guard", "198.200.0.9", "80", ""}},
		{"absolute-form to an address that is not public", absolute("198.51.100.7"), denial.AddressDenied, way{}},
		{"absolute-form to us", absolute("127.0.0.1:8080"), denial.AddressDenied, way{}},
		{"absolute-form to a host that is not listed", absolute("evil.example"), denial.NoRule, way{}},
		{"absolute-form to a tool server", absolute("mcp.example:443"), denial.SurfaceRequired, way{}},
		{"a tool server as such", proxyCall(), "", way{"guard", "mcp.example", "443", ""}},
		{"a tool server's target for another host", func() asking { a := proxyCall(); a.host = "api.example:443"; return a }(), denial.NotReady, way{}},
		{"a WebSocket", upgrading(absolute("api.example"), "websocket"), "", way{"guard", "api.example", "80", ""}},
		{"a WebSocket in upper case", upgrading(absolute("api.example"), "WebSocket"), "", way{"guard", "api.example", "80", ""}},
		{"an upgrade to CONNECT", upgrading(absolute("api.example"), "CONNECT"), denial.BodyUnreadable, way{}},
		{"an upgrade to CONNECT in lower case", upgrading(absolute("api.example"), "connect"), denial.BodyUnreadable, way{}},
		{"an upgrade to anything", upgrading(absolute("api.example"), "x"), denial.BodyUnreadable, way{}},
		{"an upgrade to nothing", upgrading(absolute("api.example"), ""), denial.BodyUnreadable, way{}},
		{"an upgrade to one of two", upgrading(absolute("api.example"), "websocket, CONNECT"), denial.BodyUnreadable, way{}},
		{"two upgrades", upgrading(upgrading(absolute("api.example"), "websocket"), "CONNECT"), denial.BodyUnreadable, way{}},
		{"an upgrade at a tool server", upgrading(unbuffered(proxyCall()), "CONNECT"), denial.BodyUnreadable, way{}},
		{"a WebSocket to a tool server", upgrading(unbuffered(proxyCall()), "websocket"), denial.BodyUnreadable, way{}},
		{"no token", tunnel("api.example:443").without("proxy-authorization"), denial.TokenMissing, way{}},
		{"no token, to metadata: told why at once", tunnel("169.254.169.254:80").without("proxy-authorization"), denial.AddressDenied, way{}},
		{"an expired token", tunnel("api.example:443").without("proxy-authorization").with(credentials(denial.TokenExpired)), denial.TokenExpired, way{}},
		{"two tokens", tunnel("api.example:443").bearing("another"), denial.TokenMalformed, way{}},
		{"the same token twice", tunnel("api.example:443").bearing(goodToken), "", way{"guard", "api.example", "443", ""}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			h := open(t, build{})
			got := h.ask(tc.a)
			if got.code() != tc.code {
				t.Fatalf("code %q, want %q: %s", got.code(), tc.code, got.body())
			}
			if diff := cmp.Diff(tc.way, wayOf(got)); diff != "" {
				t.Errorf("way (-want +got):\n%s", diff)
			}
			if tc.code == "" && !slices.Contains(checkModes(), got.meta(wire.MetaMode)) {
				t.Errorf("no route knows mode %q", got.meta(wire.MetaMode))
			}
			if r := h.last(); tc.code == denial.BodyUnreadable && (!strings.HasSuffix(r.Reason, ": upgrade") || r.Surface == "") {
				t.Errorf("recorded reason %q, surface %q", r.Reason, r.Surface)
			}
			if tc.code != "" && len(h.names.approved) != 0 {
				t.Errorf("Envoy may look up %v", h.names.approved)
			}
		})
	}
}

func proxyCall() asking {
	a := call("search_code", `{"repo":"acme/site"}`)
	a.target, a.host = proxyToolTarget(), "mcp.example:443"
	return a
}

// TestANameIsLookedUpForWhoMayGoThere, once, and Envoy may then for as long as
// the hop lives.
func TestANameIsLookedUpForWhoMayGoThere(t *testing.T) {
	t.Parallel()
	h := open(t, build{})
	h.ask(tunnel("evil.example:443"))
	h.ask(tunnel("api.example:443").without("proxy-authorization"))
	h.ask(tunnel("198.200.0.9:443"))
	h.ask(tunnel("web.example:8443"))
	if len(h.names.asked) != 0 {
		t.Errorf("looked up %v", h.names.asked)
	}
	h.ask(tunnel("api.example:443"))
	if !slices.Equal(h.names.asked, []string{"api.example"}) {
		t.Errorf("looked up %v", h.names.asked)
	}
	if until := h.names.approved["api.example"]; !until.Equal(start().Add(10*time.Minute + 5*time.Second)) {
		t.Errorf("Envoy may look it up until %s", until)
	}
}

// TestAShortHopIsApprovedForAWhile: Envoy's cache asks again for as long as a
// host is in use.
func TestAShortHopIsApprovedForAWhile(t *testing.T) {
	t.Parallel()
	h := open(t, build{feed: func(f *feedv1.Snapshot) { f.Gateways[0].MinRemain = 0 }})
	if got := h.ask(tunnel("api.example:443").without("proxy-authorization").with(credentials(dyingToken))); !got.allowed() {
		t.Fatal(got.code())
	}
	if until := h.names.approved["api.example"]; !until.Equal(start().Add(approvedFor)) {
		t.Errorf("Envoy may look it up until %s", until)
	}
}

// TestAProxyAsksForATokenOnce: 407 for none, 403 for a bad one.
func TestAProxyAsksForATokenOnce(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		a      asking
		status int
		asks   bool
	}{
		{"none", tunnel("api.example:443").without("proxy-authorization"), 407, true},
		{"an empty password", tunnel("api.example:443").without("proxy-authorization").with(credentials("")), 407, true},
		{"absolute-form, none", absolute("api.example").without("proxy-authorization"), 407, true},
		{"a tool call, none", proxyCall().without(wire.HeaderTxnToken), 407, true},
		{"an expired one", tunnel("api.example:443").without("proxy-authorization").with(credentials(denial.TokenExpired)), 403, false},
		{"a malformed one", tunnel("api.example:443").with(credentials(goodToken)), 403, false},
		{"a good one", tunnel("evil.example:443"), 403, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got := open(t, build{}).ask(tc.a)
			challenge, asks := got.header("proxy-authenticate")
			if got.status() != tc.status || asks != tc.asks {
				t.Errorf("status %d, Proxy-Authenticate %q: %s", got.status(), challenge, got.body())
			}
			if s, _ := got.header("proxy-status"); !strings.HasPrefix(s, "hopgate; error=") || !strings.Contains(s, got.code()) {
				t.Errorf("Proxy-Status %q", s)
			}
		})
	}
}

// TestWithoutAPlanNothingIsReached.
func TestWithoutAPlanNothingIsReached(t *testing.T) {
	t.Parallel()
	h := open(t, build{})
	w := worldOf(t, 2, feed(t), h.names)
	w.Egress = nil
	h.SetWorld(w)
	if got := h.ask(tunnel("api.example:443")); got.code() != denial.NotReady {
		t.Errorf("code %q", got.code())
	}
}
