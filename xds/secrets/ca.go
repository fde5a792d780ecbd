package secrets

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"
)

// CA signs leaves. It never changes.
type CA struct {
	cert *x509.Certificate
	// above are the certificates that a client needs to get from a leaf to a
	// root: cert, unless that is a root, and those above it.
	above [][]byte
	key   crypto.Signer
}

// Bounds of what is read.
const (
	maxPEM   = 64 << 10
	maxChain = 8
)

const (
	pemCertificate = "CERTIFICATE"
	pemKey         = "PRIVATE KEY"
)

// ErrCA is in every error about a CA that cannot be used.
var ErrCA = errors.New("the CA cannot be used")

func refuse(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrCA, fmt.Errorf(format, args...))
}

// ParseCA reads a CA as `hopgate ca init` and cert-manager write it: a
// certificate, those above it if there are any, and the key of the first. What
// could not sign a leaf that clients believe is refused.
func ParseCA(cert, key []byte, now time.Time) (*CA, error) {
	chain, err := parseChain(cert)
	if err != nil {
		return nil, err
	}
	if err := signs(chain, now); err != nil {
		return nil, err
	}
	signer, err := parseKey(key)
	if err != nil {
		return nil, err
	}
	if public, ok := signer.Public().(interface{ Equal(crypto.PublicKey) bool }); !ok || !public.Equal(chain[0].PublicKey) {
		return nil, refuse("the key is not that of the certificate")
	}
	c := &CA{cert: chain[0], key: signer}
	for _, x := range chain {
		if !selfSigned(x) {
			c.above = append(c.above, x.Raw)
		}
	}
	return c, nil
}

func parseChain(raw []byte) ([]*x509.Certificate, error) {
	if len(raw) > maxPEM {
		return nil, refuse("its certificate has more than %d bytes", maxPEM)
	}
	var chain []*x509.Certificate
	for len(bytes.TrimSpace(raw)) > 0 {
		block, rest := pem.Decode(raw)
		switch {
		case block == nil:
			return nil, refuse("its certificate holds what is no PEM")
		case block.Type != pemCertificate:
			return nil, refuse("its certificate holds a PEM block %q, which does not belong there", block.Type)
		case len(chain) == maxChain:
			return nil, refuse("it has more than %d certificates", maxChain)
		}
		x, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, refuse("read its certificate: %w", err)
		}
		chain, raw = append(chain, x), rest
	}
	if len(chain) == 0 {
		return nil, refuse("there is no certificate in it")
	}
	return chain, nil
}

// signs refuses certificates by which no leaf would be believed (RFC 5280
// section 6.1).
func signs(chain []*x509.Certificate, now time.Time) error {
	for i, x := range chain {
		switch {
		case !x.BasicConstraintsValid || !x.IsCA:
			return refuse("%s is no CA", nameOf(x))
		case x.KeyUsage != 0 && x.KeyUsage&x509.KeyUsageCertSign == 0:
			return refuse("%s may not sign certificates", nameOf(x))
		case !servers(x):
			return refuse("%s may not sign certificates of servers", nameOf(x))
		case now.Before(x.NotBefore):
			return refuse("%s is not valid before %s", nameOf(x), x.NotBefore.UTC().Format(time.RFC3339))
		case !now.Before(x.NotAfter):
			return refuse("%s has expired on %s", nameOf(x), x.NotAfter.UTC().Format(time.RFC3339))
		case len(x.UnhandledCriticalExtensions) > 0:
			return refuse("%s has a critical extension that is not known here", nameOf(x))
		case i > 0 && (x.MaxPathLen > 0 || x.MaxPathLenZero) && x.MaxPathLen < i:
			return refuse("%s allows a path of %d certificates below it, and there are %d", nameOf(x), x.MaxPathLen, i)
		case i > 0 && chain[i-1].CheckSignatureFrom(x) != nil:
			return refuse("%s is not signed by %s, which follows it", nameOf(chain[i-1]), nameOf(x))
		}
	}
	return nil
}

// servers reports whether what x signs may be a server.
func servers(x *x509.Certificate) bool {
	if len(x.ExtKeyUsage)+len(x.UnknownExtKeyUsage) == 0 {
		return true
	}
	return slices.Contains(x.ExtKeyUsage, x509.ExtKeyUsageServerAuth) || slices.Contains(x.ExtKeyUsage, x509.ExtKeyUsageAny)
}

func selfSigned(x *x509.Certificate) bool {
	return bytes.Equal(x.RawSubject, x.RawIssuer) && x.CheckSignatureFrom(x) == nil
}

// nameOf is a certificate's for a person. Quotes keep what a stranger wrote in
// one line.
func nameOf(x *x509.Certificate) string { return fmt.Sprintf("%q", x.Subject.String()) }

// parseKey reads one private key, as openssl and cert-manager write it. No
// error of it says anything of what it read.
func parseKey(raw []byte) (crypto.Signer, error) {
	if len(raw) > maxPEM {
		return nil, refuse("its key has more than %d bytes", maxPEM)
	}
	block, rest := pem.Decode(raw)
	if block != nil && block.Type == "EC PARAMETERS" {
		block, rest = pem.Decode(rest)
	}
	if block == nil || len(bytes.TrimSpace(rest)) > 0 {
		return nil, refuse("its key is not exactly one private key in PEM")
	}
	signer, ok := privateKey(block)
	if !ok {
		return nil, refuse("its key cannot be read: it must be PKCS #8, EC or RSA, and not encrypted")
	}
	switch k := signer.(type) {
	case *ecdsa.PrivateKey:
		return k, nil
	case *rsa.PrivateKey:
		if k.N.BitLen() < 2048 {
			return nil, refuse("its RSA key has less than 2048 bits")
		}
		return k, nil
	default:
		return nil, refuse("its key is of a kind that many clients do not know: it must be ECDSA or RSA")
	}
}

func privateKey(b *pem.Block) (any, bool) {
	var k any
	var err error
	switch b.Type {
	case pemKey:
		k, err = x509.ParsePKCS8PrivateKey(b.Bytes)
	case "EC PRIVATE KEY":
		k, err = x509.ParseECPrivateKey(b.Bytes)
	case "RSA PRIVATE KEY":
		k, err = x509.ParsePKCS1PrivateKey(b.Bytes)
	default:
		return nil, false
	}
	return k, err == nil
}

// Certificate is the one that signs.
func (c *CA) Certificate() *x509.Certificate { return c.cert }

// Valid reports whether the CA can sign now.
func (c *CA) Valid(now time.Time) bool {
	return !now.Before(c.cert.NotBefore) && now.Before(c.cert.NotAfter)
}

// ErrName is of a name that the CA may not sign for.
var ErrName = errors.New("the CA may not sign for this name")

// Permits reports by an error that the CA's name constraints keep a name out
// (RFC 5280 section 4.2.1.10).
func (c *CA) Permits(name string) error {
	in := func(d string) bool { return within(name, d) }
	switch x := c.cert; {
	case slices.ContainsFunc(x.ExcludedDNSDomains, in):
		return fmt.Errorf("%w: %q is excluded", ErrName, name)
	case len(x.PermittedDNSDomains) > 0 && !slices.ContainsFunc(x.PermittedDNSDomains, in):
		return fmt.Errorf("%w: it may for %s", ErrName, strings.Join(x.PermittedDNSDomains, ", "))
	}
	return nil
}

// within reports whether a name is a domain, or below it; with a dot before
// the domain, below it.
func within(name, domain string) bool {
	domain = strings.ToLower(domain)
	bare, below := strings.CutPrefix(domain, ".")
	return bare == "" || !below && name == bare || strings.HasSuffix(name, "."+bare)
}

// String names the CA, and keeps its key out of formatted text.
func (c *CA) String() string { return nameOf(c.cert) }

// Format keeps the key out of every verb.
func (c *CA) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) } // fmt has no place for an error

// LogValue keeps the key out of logs.
func (c *CA) LogValue() slog.Value { return slog.StringValue(c.String()) }
