package translate

import (
	"slices"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayxv1alpha1 "sigs.k8s.io/gateway-api/apisx/v1alpha1"

	"github.com/hopgate/hopgate/gateway/graph"
	"github.com/hopgate/hopgate/gateway/source"
)

// caKey is the entry of a ConfigMap that holds certificates.
const caKey = "ca.crt"

// backendTLS reads how an XBackend is verified; nil: no TLS. TLS without a way
// to verify the server is refused.
func (r *reader) backendTLS(v *gatewayxv1alpha1.XBackend) (*graph.BackendTLS, error) {
	t := v.Spec.TLS
	if t == nil || t.Mode == gatewayxv1alpha1.BackendTLSModeNone {
		return nil, nil
	}
	if t.Mode != gatewayxv1alpha1.BackendTLSModeServerOnly {
		return nil, reject(reasonUnsupportedTLS, "spec.tls.mode: %s is not supported, only None and ServerOnly", quote(string(t.Mode)))
	}
	host, ok := hostName(string(t.Validation.Hostname))
	if !ok {
		return nil, reject(reasonInvalid, "spec.tls.validation.hostname: %s is no host name", quote(string(t.Validation.Hostname)))
	}
	out := &graph.BackendTLS{ServerName: host}
	var err error
	if out.SANs, err = subjectNames(t.Validation.SubjectAltNames); err != nil {
		return nil, err
	}
	out.CA, err = r.backendCA(v.Namespace, &t.Validation)
	return out, err
}

func subjectNames(list []gatewayv1.SubjectAltName) ([]string, error) {
	var out []string
	for i, n := range list {
		switch n.Type {
		case gatewayv1.HostnameSubjectAltNameType:
			host, ok := hostPatternOf(string(n.Hostname))
			if !ok {
				return nil, reject(reasonInvalid, "spec.tls.validation.subjectAltNames[%d].hostname: %s is no host name", i, quote(string(n.Hostname)))
			}
			out = append(out, host)
		default:
			return nil, reject(reasonUnsupportedTLS, "spec.tls.validation.subjectAltNames[%d].type: %s is not supported, only Hostname", i, quote(string(n.Type)))
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// backendCA returns PEM certificates; nil: the system's.
func (r *reader) backendCA(namespace string, v *gatewayv1.BackendTLSPolicyValidation) ([]byte, error) {
	known := v.WellKnownCACertificates
	switch {
	case known != nil && len(v.CACertificateRefs) > 0:
		return nil, reject(reasonInvalid, "spec.tls.validation: caCertificateRefs and wellKnownCACertificates are both given")
	case known != nil && *known == gatewayv1.WellKnownCACertificatesSystem:
		return nil, nil
	case known != nil:
		return nil, reject(reasonUnsupportedTLS, "spec.tls.validation.wellKnownCACertificates: %s is not supported, only System", quote(string(*known)))
	case len(v.CACertificateRefs) == 0:
		return nil, reject(reasonInvalid, "spec.tls.validation: neither caCertificateRefs nor wellKnownCACertificates are given")
	}
	var out []byte
	for i, ref := range v.CACertificateRefs {
		if string(ref.Group) != source.GroupCore || ref.Kind != kindConfigMap {
			return nil, reject(string(gatewayv1.BackendTLSPolicyReasonInvalidKind), "spec.tls.validation.caCertificateRefs[%d]: %s is not supported, only ConfigMap", i, quote(string(ref.Kind)))
		}
		pem, err := r.certificates(namespace, string(ref.Name))
		if err != nil {
			return nil, reject(string(gatewayv1.BackendTLSPolicyReasonInvalidCACertificateRef), "spec.tls.validation.caCertificateRefs[%d]: %v", i, err)
		}
		out = append(out, pem...)
	}
	return out, nil
}
