package secrets

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"
	"strings"
	"time"
)

// Params are of a CA that is to be made.
type Params struct {
	// Name is for people: it shows in their stores of certificates.
	Name string
	// Permit are domains; the CA may sign for them and for what is below them
	// alone. Empty: for any name.
	Permit []string
	// Lifetime is how long it is valid; at least a day.
	Lifetime time.Duration
}

// backdate is by how much a certificate is valid before it is made: clocks of
// clients are behind.
const backdate = 10 * time.Minute

// MakeCA makes a CA that signs leaves and nothing below them, and its key.
func MakeCA(p Params, now time.Time, random io.Reader) (cert []byte, key Key, err error) {
	if p.Lifetime < 24*time.Hour || p.Name == "" {
		return nil, Key{}, errors.New("make CA: it needs a name, and at least a day to live")
	}
	var permit []string
	for _, d := range p.Permit {
		domain := strings.ToLower(d)
		if !plain(domain) {
			return nil, Key{}, fmt.Errorf("make CA: %q is no domain: write it as example.com, which names what is below it too", d)
		}
		permit = append(permit, domain)
	}
	slices.Sort(permit)
	signer, err := ecdsa.GenerateKey(elliptic.P256(), random)
	if err != nil {
		return nil, Key{}, fmt.Errorf("make CA: %w", err)
	}
	serial, err := serialNumber(random)
	if err != nil {
		return nil, Key{}, fmt.Errorf("make CA: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: p.Name},
		NotBefore: now.Add(-backdate), NotAfter: now.Add(p.Lifetime),
		KeyUsage: x509.KeyUsageCertSign, BasicConstraintsValid: true, IsCA: true, MaxPathLenZero: true,
		PermittedDNSDomains: slices.Compact(permit), PermittedDNSDomainsCritical: len(permit) > 0,
	}
	der, err := x509.CreateCertificate(random, template, template, signer.Public(), signer)
	if err != nil {
		return nil, Key{}, fmt.Errorf("make CA: %w", err)
	}
	if key, err = encodeKey(signer); err != nil {
		return nil, Key{}, fmt.Errorf("make CA: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemCertificate, Bytes: der}), key, nil
}

func encodeKey(k *ecdsa.PrivateKey) (Key, error) {
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		return Key{}, err
	}
	return newKey(pem.EncodeToMemory(&pem.Block{Type: pemKey, Bytes: der})), nil
}

// serialNumber is of 127 random bits, and positive (RFC 5280 section 4.1.2.2).
func serialNumber(random io.Reader) (*big.Int, error) {
	n, err := rand.Int(random, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	return n.Add(n, big.NewInt(1)), nil
}

// plain reports whether a name can stand in a certificate as one host or
// domain: lower-case, of at least one letter in its last label, without a
// wildcard.
func plain(name string) bool {
	if name == "" || len(name) > 253 {
		return false
	}
	last := ""
	for l := range strings.SplitSeq(name, ".") {
		if l == "" || len(l) > 63 || l[0] == '-' || l[len(l)-1] == '-' ||
			strings.Trim(l, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
		last = l
	}
	return strings.ContainsAny(last, "abcdefghijklmnopqrstuvwxyz")
}
