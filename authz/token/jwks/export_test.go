package jwks

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
)

// Bounds of demand.
const (
	MaxWaiting = maxWaiting
	MaxMissing = maxMissing
	MissingFor = missingFor
)

// Missing is how many kids s remembers as not there.
func (s *Source) Missing() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.missing.Len()
}

// Waiting is how many wait for an attempt of s.
func (s *Source) Waiting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waiting
}

// NewTransport is what fetches URLs where a Config has no Transport; with
// roots, it trusts those.
func NewTransport(roots *x509.CertPool) http.RoundTripper {
	t := newTransport()
	if roots != nil {
		t.tls.TLSClientConfig = &tls.Config{RootCAs: roots}
	}
	return t
}
