package envoy

import (
	"slices"
	"strings"
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	statev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/common/set_filter_state/v3"
	setstatev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/set_filter_state/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	httpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"

	"github.com/hopgate/hopgate/gateway/api/wire"
)

// TestNothingInspectsWithoutACA.
func TestNothingInspectsWithoutACA(t *testing.T) {
	t.Parallel()
	s := testSettings()
	s.Inspect = false
	if got := Inspecting(s); len(got) != 0 {
		t.Errorf("there is %s", got[0].Name)
	}
}

// TestInspectedTLSNamesItsTarget: what is resumed would name nothing, and who
// names another target than the tunnel's is closed before a request is read.
func TestInspectedTLSNamesItsTarget(t *testing.T) {
	t.Parallel()
	for _, m := range tunnelModes() {
		chain := one[*listenerv3.Listener](t, inspectName(m)).GetFilterChains()[1]
		if chain.GetFilterChainMatch().GetTransportProtocol() != "tls" || chain.GetFilters()[0].GetName() != "envoy.filters.network.rbac" || chain.GetTransportSocketConnectTimeout().AsDuration() <= 0 {
			t.Errorf("%s: %v", m, chain)
		}
		var ctx tlsv3.DownstreamTlsContext
		if err := chain.GetTransportSocket().GetTypedConfig().UnmarshalTo(&ctx); err != nil {
			t.Fatal(err)
		}
		if !ctx.GetDisableStatelessSessionResumption() || !ctx.GetDisableStatefulSessionResumption() {
			t.Errorf("%s: sessions are resumed", m)
		}
		c := ctx.GetCommonTlsContext()
		if c.GetTlsParams().GetTlsMinimumProtocolVersion() != tlsv3.TlsParameters_TLSv1_2 || strings.Join(c.GetAlpnProtocols(), " ") != "h2 http/1.1" {
			t.Errorf("%s: %v", m, c)
		}
		if len(c.GetTlsCertificates())+len(c.GetTlsCertificateSdsSecretConfigs()) > 0 || c.GetCustomTlsCertificateSelector() == nil {
			t.Errorf("%s: a certificate is there before it is asked for", m)
		}
	}
}

// TestTheOtherEndIsVerified: by roots, by the name of the decision, and anew
// each time.
func TestTheOtherEndIsVerified(t *testing.T) {
	t.Parallel()
	n := 0
	for name, cs := range all[*clusterv3.Cluster](t) {
		if !strings.HasPrefix(name, "hopgate/inspected/") {
			continue
		}
		n++
		var ctx tlsv3.UpstreamTlsContext
		if err := cs[0].GetTransportSocket().GetTypedConfig().UnmarshalTo(&ctx); err != nil {
			t.Fatal(err)
		}
		c := ctx.GetCommonTlsContext()
		if c.GetValidationContext().GetTrustedCa().GetFilename() != testSettings().TrustedCA || c.GetTlsParams().GetTlsMinimumProtocolVersion() != tlsv3.TlsParameters_TLSv1_2 {
			t.Errorf("%s: %v", name, c)
		}
		if ctx.GetMaxSessionKeys() == nil || ctx.GetMaxSessionKeys().GetValue() != 0 {
			t.Errorf("%s resumes sessions of others", name)
		}
		var o httpv3.HttpProtocolOptions
		if err := cs[0].GetTypedExtensionProtocolOptions()[protocolOptionsName].UnmarshalTo(&o); err != nil {
			t.Fatal(err)
		}
		if u := o.GetUpstreamHttpProtocolOptions(); !u.GetAutoSni() || !u.GetAutoSanValidation() {
			t.Errorf("%s verifies no name", name)
		}
		if up := strings.HasSuffix(name, "/upgrade"); up != (o.GetAutoConfig() == nil) || up != slices.Equal(c.GetAlpnProtocols(), []string{"http/1.1"}) {
			t.Errorf("%s speaks %v", name, c.GetAlpnProtocols())
		}
	}
	if n != 6 {
		t.Errorf("%d clusters were looked at", n)
	}
	for _, v := range identity().Config.(*setstatev3.Config).GetOnRequestHeaders() {
		if v.GetSharedWithUpstream() != statev3.FilterStateValue_NONE || v.GetFormatString().GetTextFormatSource().GetInlineString() != metadata(wire.MetaHost) {
			t.Errorf("identity: %v", v)
		}
	}
}

// TestInspectedRequestsLeadToTLS: none of them leads to a cluster that speaks
// plainly.
func TestInspectedRequestsLeadToTLS(t *testing.T) {
	t.Parallel()
	for name, rs := range all[*routev3.RouteAction](t) {
		for _, a := range rs {
			inspected := strings.HasPrefix(a.GetCluster(), "hopgate/inspected/")
			plainly := a.GetCluster() != unresolved && !strings.HasPrefix(a.GetCluster(), "hopgate/canary/")
			if from := strings.HasPrefix(name, "hopgate/inspect/"); from && plainly && !inspected || !from && inspected {
				t.Errorf("%s leads to %s", name, a.GetCluster())
			}
		}
	}
}

// TestSecretsStarveNobody: they have a cluster and limits of their own.
func TestSecretsStarveNobody(t *testing.T) {
	t.Parallel()
	for _, c := range socketClusters("/s") {
		most := c.GetCircuitBreakers().GetThresholds()[0].GetMaxRequests().GetValue()
		if (c.GetName() == ClusterSecrets) != (most == maxSecrets) {
			t.Errorf("%s has %d requests at most", c.GetName(), most)
		}
	}
	if got := mints().GetApiConfigSource().GetGrpcServices()[0].GetEnvoyGrpc().GetClusterName(); got != ClusterSecrets {
		t.Errorf("certificates come by %s", got)
	}
}
