package secrets

import (
	"crypto/ecdsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io"
	"time"
)

// Leaf is a certificate for one name. It never changes.
type Leaf struct {
	// Chain is the certificate and those above it, in PEM.
	Chain []byte
	// Version is another one for each leaf.
	Version  string
	NotAfter time.Time
}

// mint signs a leaf for a name. It lives for life, and no longer than the CA.
func (c *CA) mint(name string, key *ecdsa.PrivateKey, life time.Duration, now time.Time, random io.Reader) (*Leaf, error) {
	if !plain(name) {
		return nil, fmt.Errorf("mint for %q: %w: it is no host name", name, ErrName)
	}
	if err := c.Permits(name); err != nil {
		return nil, err
	}
	if !c.Valid(now) {
		return nil, refuse("it has expired on %s", c.cert.NotAfter.UTC().Format(time.RFC3339))
	}
	serial, err := serialNumber(random)
	if err != nil {
		return nil, fmt.Errorf("mint for %q: %w", name, err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: commonName(name)}, DNSNames: []string{name},
		NotBefore: later(now.Add(-backdate), c.cert.NotBefore), NotAfter: sooner(now.Add(life), c.cert.NotAfter),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(random, template, c.cert, key.Public(), c.key)
	if err != nil {
		return nil, fmt.Errorf("mint for %q: %w", name, err)
	}
	chain := pem.EncodeToMemory(&pem.Block{Type: pemCertificate, Bytes: der})
	for _, above := range c.above {
		chain = append(chain, pem.EncodeToMemory(&pem.Block{Type: pemCertificate, Bytes: above})...)
	}
	return &Leaf{Chain: chain, Version: hex.EncodeToString(serial.Bytes()), NotAfter: template.NotAfter}, nil
}

// commonName is empty for names that are too long to be one (RFC 5280 appendix
// A.1); clients go by the other field.
func commonName(name string) string {
	if len(name) > 64 {
		return ""
	}
	return name
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func sooner(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
