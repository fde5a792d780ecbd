package translate

import (
	"errors"
	"fmt"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/hopgate/hopgate/gateway/graph"
	"github.com/hopgate/hopgate/gateway/source"
)

// readTLS finds what the listeners of a port terminate TLS with. Certificates
// and client authorities that cannot be used are left out; err says so. A
// listener without any is not served: usable is false.
func (r *reader) readTLS(v *gatewayv1.Gateway, l *gatewayv1.Listener) (out graph.ListenerTLS, usable bool, err error) {
	for i := range l.TLS.CertificateRefs {
		c, refErr := r.certificate(v.Namespace, &l.TLS.CertificateRefs[i])
		if refErr != nil {
			err = errors.Join(err, prefixed(fmt.Sprintf("tls.certificateRefs[%d]", i), refErr))
			continue
		}
		out.Certificates = append(out.Certificates, c)
	}
	if len(l.TLS.CertificateRefs) == 0 {
		err = reject(string(gatewayv1.ListenerReasonInvalidCertificateRef), "tls.certificateRefs: is empty")
	}
	return out, len(out.Certificates) > 0, err
}

// prefixed says where a rejection arose.
func prefixed(field string, err error) error {
	reason, message := rejected(err)
	return rejection{reason, field + ": " + message}
}

func (r *reader) certificate(namespace string, ref *gatewayv1.SecretObjectReference) (graph.Certificate, error) {
	const reason = string(gatewayv1.ListenerReasonInvalidCertificateRef)
	if deref(ref.Group, source.GroupCore) != source.GroupCore || deref(ref.Kind, kindSecret) != kindSecret {
		return graph.Certificate{}, reject(reason, "%s is not supported, only Secret", quote(string(deref(ref.Kind, kindSecret))))
	}
	to := refOf(kindSecret, string(deref(ref.Namespace, gatewayv1.Namespace(namespace))), string(ref.Name))
	if !r.permitted(kindGateway, namespace, to) {
		return graph.Certificate{}, reject(string(gatewayv1.ListenerReasonRefNotPermitted), "no ReferenceGrant permits %s", to)
	}
	c, err := r.servedCertificate(to.Namespace, to.Name)
	if err != nil {
		return c, reject(reason, "%v", err)
	}
	return c, nil
}

// clientCA finds the authorities that clients of a port are checked by: that
// of the port, or the default. None given: clients are not authenticated.
func (r *reader) clientCA(v *gatewayv1.Gateway, port uint16) (pem []byte, wanted bool, err error) {
	validation := frontendValidation(v.Spec.TLS, port)
	if validation == nil {
		return nil, false, nil
	}
	if validation.Mode != "" && validation.Mode != gatewayv1.AllowValidOnly {
		return nil, true, reject(string(gatewayv1.ListenerReasonUnsupportedValue),
			"spec.tls.frontend: mode %s is not supported, only AllowValidOnly", quote(string(validation.Mode)))
	}
	for i := range validation.CACertificateRefs {
		more, refErr := r.clientCARef(v.Namespace, &validation.CACertificateRefs[i])
		if refErr != nil {
			err = errors.Join(err, prefixed(fmt.Sprintf("spec.tls.frontend: caCertificateRefs[%d]", i), refErr))
			continue
		}
		pem = append(pem, more...)
	}
	if len(validation.CACertificateRefs) == 0 {
		err = reject(string(gatewayv1.ListenerReasonInvalidCACertificateRef), "spec.tls.frontend: caCertificateRefs is empty")
	}
	return pem, true, err
}

func frontendValidation(t *gatewayv1.GatewayTLSConfig, port uint16) *gatewayv1.FrontendTLSValidation {
	if t == nil || t.Frontend == nil {
		return nil
	}
	for i := range t.Frontend.PerPort {
		if t.Frontend.PerPort[i].Port == int32(port) {
			return t.Frontend.PerPort[i].TLS.Validation
		}
	}
	return t.Frontend.Default.Validation
}

func (r *reader) clientCARef(namespace string, ref *gatewayv1.ObjectReference) ([]byte, error) {
	if ref.Group != source.GroupCore || ref.Kind != kindConfigMap {
		return nil, reject(string(gatewayv1.ListenerReasonInvalidCACertificateKind), "%s is not supported, only ConfigMap", quote(string(ref.Kind)))
	}
	to := refOf(kindConfigMap, string(deref(ref.Namespace, gatewayv1.Namespace(namespace))), string(ref.Name))
	if !r.permitted(kindGateway, namespace, to) {
		return nil, reject(string(gatewayv1.ListenerReasonRefNotPermitted), "no ReferenceGrant permits %s", to)
	}
	pem, err := r.certificates(to.Namespace, to.Name)
	if err != nil {
		return nil, reject(string(gatewayv1.ListenerReasonInvalidCACertificateRef), "%v", err)
	}
	return pem, nil
}

// deref is what p points to, or the default.
func deref[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}
