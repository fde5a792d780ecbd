package explain

import (
	"net/netip"
	"testing"

	"github.com/hopgate/hopgate/authz/denial"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

// TestCaptured: what is captured is explained by its listener, its port and
// the address that it came from.
func TestCaptured(t *testing.T) {
	t.Parallel()
	f, at := feed(t), netip.MustParseAddr("127.0.0.1")
	f.Gateways[0].Listeners = append(f.Gateways[0].Listeners,
		feedv1.Listener{Name: "tls", Protocol: v1alpha1.ProtocolCaptureTLS, Address: at, Port: 3443, CapturedPort: 443},
		feedv1.Listener{Name: "http", Protocol: v1alpha1.ProtocolCaptureHTTP, Address: at, Port: 3480, CapturedPort: 80})
	f.Policies = append(f.Policies[:0:0], policyOf(t, "captured", `[{name: in, from: {peers: [{type: Address, address: 10.1.2.0/24}]}, transaction: {type: None}, to: {type: Hosts, hosts: [{names: [api.example]}]}, action: Allow}]`,
		v1alpha1.ModeEnforce, feedv1.PolicyTarget{Kind: "Gateway", Key: key("egress")}))
	c := configOf(t, f)
	for _, tc := range []struct{ name, hop, verdict, code string }{
		{"listed", "{listener: tls, peer: 10.1.2.3, do: {host: api.example}}", "allow", ""},
		{"from elsewhere", "{listener: tls, peer: 10.1.3.3, do: {host: api.example}}", "deny", denial.NoRule},
		{"not listed", "{listener: tls, peer: 10.1.2.3, do: {host: other.example}}", "deny", denial.NoRule},
		{"what no rule can open", "{listener: tls, peer: 10.1.2.3, do: {host: localhost}}", "deny", denial.NameDenied},
		{"plain HTTP", "{listener: http, peer: 10.1.2.3, do: {surface: HTTP, host: api.example}}", "deny", denial.NoRule},
	} {
		if got := told(t, c, tc.hop); got.Verdict != tc.verdict || got.Code != tc.code {
			t.Errorf("%s: %s %s, want %s %s", tc.name, got.Verdict, got.Code, tc.verdict, tc.code)
		}
	}
	h, err := c.Resolve(&Hop{Listener: "http", Peer: "10.1.2.3", Do: Do{Surface: "HTTP", Host: "api.example"}})
	if err != nil || h.Action.Port != 80 || h.Target.Entry != wire.EntryCaptureHTTP {
		t.Errorf("%+v, %v", h, err)
	}
	if h, err = c.Resolve(&Hop{Do: Do{Host: "api.example"}}); err != nil || h.Target.Target.Listener != "proxy" {
		t.Errorf("without a listener the proxy is meant: %+v, %v", h, err)
	}
}
