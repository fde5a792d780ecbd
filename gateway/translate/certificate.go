package translate

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/hopgate/hopgate/gateway/graph"
)

// certificates returns the certificates in a ConfigMap, as PEM and nothing
// else.
func (r *reader) certificates(namespace, name string) ([]byte, error) {
	data, ok := r.data(kindConfigMap, namespace, name, caKey)
	if !ok {
		return nil, fmt.Errorf("ConfigMap/%s/%s has no %s", namespace, name, caKey)
	}
	var out bytes.Buffer
	for len(data) > 0 {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("ConfigMap/%s/%s holds a %s in %s", namespace, name, quote(block.Type), caKey)
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return nil, fmt.Errorf("ConfigMap/%s/%s holds a certificate in %s that cannot be read", namespace, name, caKey)
		}
		// A buffer takes everything.
		_ = pem.Encode(&out, &pem.Block{Type: block.Type, Bytes: block.Bytes})
	}
	if out.Len() == 0 {
		return nil, fmt.Errorf("ConfigMap/%s/%s has no certificate in %s", namespace, name, caKey)
	}
	return out.Bytes(), nil
}

// servedCertificate reads a Secret of type kubernetes.io/tls. Nothing of its
// values is in an error.
func (r *reader) servedCertificate(namespace, name string) (graph.Certificate, error) {
	secret := fmt.Sprintf("Secret/%s/%s", namespace, name)
	v, ok := get[*corev1.Secret](r, kindSecret, namespace, name)
	if !ok {
		return graph.Certificate{}, fmt.Errorf("there is no %s", secret)
	}
	if v.Type != corev1.SecretTypeTLS {
		return graph.Certificate{}, fmt.Errorf("%s is not of type %s", secret, corev1.SecretTypeTLS)
	}
	c := graph.Certificate{Name: secret, Chain: v.Data[corev1.TLSCertKey], Key: v.Data[corev1.TLSPrivateKeyKey]}
	if _, err := tls.X509KeyPair(c.Chain, c.Key); err != nil {
		return graph.Certificate{}, fmt.Errorf("%s holds no certificate with its key", secret)
	}
	return c, nil
}
