package envoy

import (
	"errors"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"

	"github.com/hopgate/hopgate/gateway/graph"
)

// ErrNoRoots is returned for a backend that is verified by the system's roots
// where there are none.
var ErrNoRoots = errors.New("no file of system root certificates was found")

// upstreamTLS makes c speak TLS and believe only the backend's own names.
func upstreamTLS(c *clusterv3.Cluster, b *graph.Backend, s Settings) error {
	if b.TLS == nil {
		return nil
	}
	check := &tlsv3.CertificateValidationContext{MatchTypedSubjectAltNames: sanMatchers(b.TLS)}
	switch {
	case len(b.TLS.CA) > 0:
		check.TrustedCa = inlineBytes(b.TLS.CA)
	case s.TrustedCA != "":
		check.TrustedCa = &corev3.DataSource{Specifier: &corev3.DataSource_Filename{Filename: s.TrustedCA}}
	default:
		return ErrNoRoots
	}
	ctx := &tlsv3.UpstreamTlsContext{
		Sni: b.TLS.ServerName,
		CommonTlsContext: &tlsv3.CommonTlsContext{
			TlsParams:             &tlsv3.TlsParameters{TlsMinimumProtocolVersion: tlsv3.TlsParameters_TLSv1_2},
			ValidationContextType: &tlsv3.CommonTlsContext_ValidationContext{ValidationContext: check},
			AlpnProtocols:         alpn(b.Protocol),
		},
	}
	c.TransportSocket = &corev3.TransportSocket{Name: tlsSocket, ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: pack(ctx)}}
	return nil
}

// alpn is empty for auto: Envoy then offers what the pool can speak.
func alpn(p graph.Protocol) []string {
	switch p {
	case graph.ProtocolHTTP2:
		return []string{"h2"}
	case graph.ProtocolHTTP1:
		return []string{"http/1.1"}
	default:
		return nil
	}
}

func sanMatchers(t *graph.BackendTLS) []*tlsv3.SubjectAltNameMatcher {
	names := t.SANs
	if len(names) == 0 {
		names = []string{t.ServerName}
	}
	var out []*tlsv3.SubjectAltNameMatcher
	for _, n := range names {
		out = append(out, &tlsv3.SubjectAltNameMatcher{SanType: tlsv3.SubjectAltNameMatcher_DNS, Matcher: exactly(n)})
	}
	return out
}
