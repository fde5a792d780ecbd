package translate

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"
)

// newMaterial makes certificates for tests; files name them as $NAME, base64
// for Secrets and indented text for ConfigMaps.
func newMaterial(t testing.TB) *strings.Replacer {
	t.Helper()
	chain, key := newCertificate(t)
	_, other := newCertificate(t)
	encode := base64.StdEncoding.EncodeToString
	return strings.NewReplacer(
		"$CHAIN", encode(chain), "$KEY", encode(key), "$OTHERKEY", encode(other),
		"$CA", strings.ReplaceAll(strings.TrimSpace(string(chain)), "\n", "\n    "),
		"$PRIVATE", strings.ReplaceAll(strings.TrimSpace(string(key)), "\n", "\n    "),
		"$JWKS", jwks,
	)
}

func newCertificate(t testing.TB) (chain, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotBefore: noon(), NotAfter: noon().Add(24 * time.Hour), DNSNames: []string{"*.example.com"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
}
