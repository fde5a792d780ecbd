package envoy

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"

	"github.com/hopgate/hopgate/gateway/graph"
)

const tlsSocket = "envoy.transport_sockets.tls"

// downstreamTLS terminates TLS with secrets that come by SDS, so that a new
// certificate changes no listener.
func downstreamTLS(t *graph.ListenerTLS) *corev3.TransportSocket {
	common := &tlsv3.CommonTlsContext{
		TlsParams:     &tlsv3.TlsParameters{TlsMinimumProtocolVersion: tlsv3.TlsParameters_TLSv1_2},
		AlpnProtocols: []string{"h2", "http/1.1"},
	}
	for _, c := range t.Certificates {
		common.TlsCertificateSdsSecretConfigs = append(common.TlsCertificateSdsSecretConfigs, secretOf(c.Name))
	}
	ctx := &tlsv3.DownstreamTlsContext{CommonTlsContext: common}
	if len(t.ClientCA) > 0 {
		ctx.RequireClientCertificate = yes()
		common.ValidationContextType = &tlsv3.CommonTlsContext_ValidationContextSdsSecretConfig{
			ValidationContextSdsSecretConfig: secretOf(t.ClientCAName),
		}
	}
	return &corev3.TransportSocket{Name: tlsSocket, ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: pack(ctx)}}
}

func secretOf(name string) *tlsv3.SdsSecretConfig {
	return &tlsv3.SdsSecretConfig{Name: name, SdsConfig: ads()}
}

// CertificateSecret is the SDS resource of a served certificate.
func CertificateSecret(c graph.Certificate) *tlsv3.Secret {
	return &tlsv3.Secret{Name: c.Name, Type: &tlsv3.Secret_TlsCertificate{TlsCertificate: &tlsv3.TlsCertificate{
		CertificateChain: inlineBytes(c.Chain), PrivateKey: inlineBytes(c.Key),
	}}}
}

// ClientCASecret is the SDS resource of the roots that clients are checked by.
func ClientCASecret(t *graph.ListenerTLS) *tlsv3.Secret {
	return &tlsv3.Secret{Name: t.ClientCAName, Type: &tlsv3.Secret_ValidationContext{
		ValidationContext: &tlsv3.CertificateValidationContext{TrustedCa: inlineBytes(t.ClientCA)},
	}}
}

func inlineBytes(b []byte) *corev3.DataSource {
	return &corev3.DataSource{Specifier: &corev3.DataSource_InlineBytes{InlineBytes: b}}
}
