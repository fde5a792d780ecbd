package check

import (
	"context"
	"net/netip"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/authz/denial"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

const capturedRules = `
- name: tunnels
  from: {peers: [{type: Address, address: 10.1.2.0/24}, {type: Address, address: "fd00:1::/32"}]}
  transaction: {type: None}
  to: {type: Hosts, hosts: [{names: ["*.example"], ports: [8443]}]}
  action: Allow
  with: {tls: Opaque}
- name: pages
  from: {peers: [{type: Address, address: 192.0.2.7}]}
  transaction: {type: None}
  to: {type: HTTP, http: [{hosts: [web.example], methods: [GET]}]}
  action: Allow
`

// catching has listeners for what was redirected.
func catching(t *testing.T) *house {
	t.Helper()
	at := netip.MustParseAddr("127.0.0.1")
	return open(t, build{feed: func(f *feedv1.Snapshot) {
		f.Gateways[0].Listeners = append(f.Gateways[0].Listeners,
			feedv1.Listener{Name: "tls", Protocol: v1alpha1.ProtocolCaptureTLS, Address: at, Port: 3443, CapturedPort: 8443},
			feedv1.Listener{Name: "http", Protocol: v1alpha1.ProtocolCaptureHTTP, Address: at, Port: 3480, CapturedPort: 80, TrustDomains: []feedv1.Key{key("corp")}})
		f.Policies = []feedv1.Policy{policyOf(t, "captured", capturedRules)}
	}})
}

func caught(entry wire.Entry, listener string) wire.Target {
	return wire.Target{Entry: entry, Gateway: "agents/egress", Listener: listener}
}

// catch asks about a tunnel that Envoy made of what came from there.
func (h *house) catch(host string, from ...string) *answered {
	h.t.Helper()
	ctx := metadata.NewIncomingContext(context.Background(), metadata.MD{wire.CallSource: from})
	return h.askBytes(ctx, asking{target: caught(wire.EntryCaptureTLS, "tls"), method: "CONNECT", host: host, path: "-"}.bytes(h.t))
}

// description is that of the alert that a denial is said by.
func (a *answered) description() byte {
	a.t.Helper()
	if b := []byte(a.body()); a.status() == 200 && len(b) == 7 && b[0] == 21 && b[5] == 2 {
		return b[6]
	}
	a.t.Errorf("no alert: status %d, %q", a.status(), a.body())
	return 0
}

// TestCapturedTLS: it goes where it names, at the port that is captured, and is
// of the address that the connection came from, whatever the question came from.
func TestCapturedTLS(t *testing.T) {
	t.Parallel()
	h := catching(t)
	for _, tc := range []struct{ name, host, from, peer, code string }{
		{"a name", "web.example:8443", "10.1.2.3:1", "10.1.2.3", ""},
		{"IPv6", "web.example:8443", "[fd00:1::2]:1", "fd00:1::2", ""},
		{"IPv4 in IPv6", "web.example:8443", "[::ffff:10.1.2.3]:1", "10.1.2.3", ""},
		{"with a zone", "web.example:8443", "[fd00:1::2%eth0]:1", "fd00:1::2", ""},
		{"from elsewhere", "web.example:8443", "10.1.3.3:1", "10.1.3.3", denial.NoRule},
		{"another port", "web.example:443", "10.1.2.3:1", "10.1.2.3", denial.Internal},
		{"no port", "web.example", "10.1.2.3:1", "10.1.2.3", denial.Internal},
		{"no name", ":8443", "10.1.2.3:1", "10.1.2.3", denial.NameMissing},
		{"nothing", "-:8443", "10.1.2.3:1", "10.1.2.3", denial.NameMissing},
		{"an address", "10.0.0.5:8443", "10.1.2.3:1", "10.1.2.3", denial.BadAuthority},
		{"an address in IPv6", "[fd00::5]:8443", "10.1.2.3:1", "10.1.2.3", denial.BadAuthority},
		{"a number", "2130706433:8443", "10.1.2.3:1", "10.1.2.3", denial.BadAuthority},
		{"a dot at the end", "web.example.:8443", "10.1.2.3:1", "10.1.2.3", denial.BadAuthority},
		{"a port of its own", "web.example:443:8443", "10.1.2.3:1", "10.1.2.3", denial.BadAuthority},
		{"a local name", "localhost:8443", "10.1.2.3:1", "10.1.2.3", denial.NameDenied},
		{"from nowhere", "web.example:8443", "-", "", denial.Internal},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := h.catch(tc.host, tc.from)
			r := h.last()
			if r.Code != tc.code || got.allowed() != (tc.code == "") || r.Peer != tc.peer {
				t.Errorf("code %q of %q, want %q of %q", r.Code, r.Peer, tc.code, tc.peer)
			}
			if !got.allowed() {
				got.description()
				return
			}
			if got.meta(wire.MetaMode) != wire.ModeHosts || got.meta(wire.MetaHost) != "web.example" || got.meta(wire.MetaPort) != "8443" {
				t.Errorf("it goes on by %v", got.GetDynamicMetadata())
			}
			if r.Method != "CONNECT" || r.Listener != "tls" || r.Surface != "Hosts" {
				t.Errorf("recorded %+v", r)
			}
		})
	}
	if got := h.catch("web.example:8443", "10.1.2.3:1", "10.1.2.3:1"); got.allowed() {
		t.Error("it may come from two places")
	}
	if got := h.catch("web.example:8443"); got.allowed() {
		t.Error("it may come from no place")
	}
}

// TestAlerts: they say what there is to say, and are valid before the guard is.
func TestAlerts(t *testing.T) {
	t.Parallel()
	h := catching(t)
	if got := h.catch("web.example:8443", "10.9.9.9:1").description(); got != 49 {
		t.Errorf("denied by alert %d", got)
	}
	if got := h.catch("-:8443", "10.1.2.3:1").description(); got != 112 {
		t.Errorf("without a name: alert %d", got)
	}
	h.SetWorld(nil)
	if got := h.catch("web.example:8443", "10.1.2.3:1").description(); got != 80 {
		t.Errorf("not ready: alert %d", got)
	}
}

// TestACapturedConnection: what is no TLS is recorded, and never let in; and
// neither is a question that is none.
func TestACapturedConnection(t *testing.T) {
	t.Parallel()
	h := catching(t)
	b, err := proto.Marshal(&authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Source: &authv3.AttributeContext_Peer{Address: &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
			Address: "10.1.2.3", PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: 5},
		}}}},
		TlsSession: &authv3.AttributeContext_TLSSession{Sni: "web.example"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, capture, code string
	}{
		{"no TLS", caught(wire.EntryCaptureTLS, "tls").String(), denial.NameMissing},
		{"of another listener", caught(wire.EntryCaptureHTTP, "http").String(), denial.Internal},
		{"of a proxy", proxyTarget().String(), denial.Internal},
		{"of nothing", "", denial.Internal},
		{"of a listener that is not known", caught(wire.EntryCaptureTLS, "other").String(), denial.NotReady},
	} {
		got := h.askBytes(metadata.NewIncomingContext(context.Background(), metadata.Pairs(wire.CallCapture, tc.capture)), b)
		if r := h.last(); got.allowed() || r.Kind != audit.KindDeny || r.Code != tc.code {
			t.Errorf("%s: recorded %q %q, want %q", tc.name, r.Kind, r.Code, tc.code)
		}
	}
	if h.askBytes(context.Background(), b).allowed() {
		t.Error("a connection that nobody captured is let in")
	}
}

// TestCapturedHTTP: the host is the one it has, and who asks is where it came
// from, or its token.
func TestCapturedHTTP(t *testing.T) {
	t.Parallel()
	h := catching(t)
	to := caught(wire.EntryCaptureHTTP, "http")
	for _, tc := range []struct {
		name string
		ask  asking
		code string
	}{
		{"a page", asking{target: to}, ""},
		{"with its port", asking{target: to, host: "web.example:80"}, ""},
		{"another port", asking{target: to, host: "web.example:8443"}, denial.NoRule},
		{"another host", asking{target: to, host: "api.example"}, denial.NoRule},
		{"two hosts", asking{target: to, host: "web.example,api.example"}, denial.BadAuthority},
		{"absolute form", asking{target: to, path: "http://web.example/"}, denial.BadPath},
		{"a tunnel", asking{target: to, method: "CONNECT", host: "web.example:80", path: "-"}, denial.NoRoute},
		{"a token at a proxy", asking{target: to, host: "api.example"}.with(credentials(goodToken)), denial.NoRule},
	} {
		got := h.ask(tc.ask)
		if got.code() != tc.code {
			t.Errorf("%s: %q, want %q", tc.name, got.code(), tc.code)
		}
		if r := h.last(); r.Peer != "192.0.2.7" {
			t.Errorf("%s: of %q", tc.name, r.Peer)
		}
	}
}
