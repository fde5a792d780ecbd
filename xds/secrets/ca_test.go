package secrets

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"
)

func now() time.Time { return time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC) }

// made is a CA as `hopgate ca init` makes it, for some domains.
func made(t testing.TB, permit ...string) (cert []byte, key Key, ca *CA) {
	t.Helper()
	cert, key, err := MakeCA(Params{Name: "test CA", Permit: permit, Lifetime: 30 * 24 * time.Hour}, now(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if ca, err = ParseCA(cert, key.Reveal(), now()); err != nil {
		t.Fatal(err)
	}
	return cert, key, ca
}

// other is a CA that something is changed of.
func other(t testing.TB, signer crypto.Signer, parent *x509.Certificate, by crypto.Signer, change func(*x509.Certificate)) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "other"}, NotBefore: now().Add(-time.Hour), NotAfter: now().Add(time.Hour),
		KeyUsage: x509.KeyUsageCertSign, BasicConstraintsValid: true, IsCA: true, MaxPathLen: -1,
	}
	if change != nil {
		change(template)
	}
	if parent == nil {
		parent, by = template, signer
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, signer.Public(), by)
	if err != nil {
		t.Fatal(err)
	}
	x, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func ecKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func certPEM(xs ...*x509.Certificate) []byte {
	var out []byte
	for _, x := range xs {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: x.Raw})...)
	}
	return out
}

func pkcs8(t testing.TB, k any) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func TestMakeCA(t *testing.T) {
	t.Parallel()
	_, _, ca := made(t, "b.example", "A.example", "b.example")
	x := ca.Certificate()
	if !x.IsCA || x.MaxPathLen != 0 || !x.MaxPathLenZero || x.KeyUsage != x509.KeyUsageCertSign || !x.PermittedDNSDomainsCritical {
		t.Errorf("it is no CA for leaves alone: %+v", x)
	}
	if got := strings.Join(x.PermittedDNSDomains, " "); got != "a.example b.example" {
		t.Errorf("it permits %s", got)
	}
	for name, p := range map[string]Params{
		"no name":      {Lifetime: 48 * time.Hour},
		"a moment":     {Name: "x", Lifetime: time.Hour},
		"a wildcard":   {Name: "x", Lifetime: 48 * time.Hour, Permit: []string{"*.example"}},
		"a dot":        {Name: "x", Lifetime: 48 * time.Hour, Permit: []string{".example"}},
		"an address":   {Name: "x", Lifetime: 48 * time.Hour, Permit: []string{"10.0.0.1"}},
		"an empty one": {Name: "x", Lifetime: 48 * time.Hour, Permit: []string{""}},
	} {
		if _, _, err := MakeCA(p, now(), rand.Reader); err == nil {
			t.Errorf("%s: a CA was made", name)
		}
	}
}

// TestParseCA: what cert-manager and openssl write is taken, what would sign
// nothing that is believed is refused, in words that name no key.
func TestParseCA(t *testing.T) {
	t.Parallel()
	cert, key, _ := made(t)
	k, root := ecKey(t), ecKey(t)
	own := other(t, k, nil, nil, nil)
	rootCert := other(t, root, nil, nil, func(x *x509.Certificate) { x.Subject.CommonName = "root" })
	low := other(t, root, nil, nil, func(x *x509.Certificate) { x.Subject.CommonName, x.MaxPathLen, x.MaxPathLenZero = "root", 0, true })
	below := other(t, k, rootCert, root, nil)
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	strong, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sec1, err := x509.MarshalECPrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	changed := func(f func(*x509.Certificate)) []byte { return certPEM(other(t, k, nil, nil, f)) }
	for _, tc := range []struct {
		name      string
		cert, key []byte
		says      string // empty: it is taken
		above     int
	}{
		{"as it was made", cert, key.Reveal(), "", 0},
		{"SEC 1", certPEM(own), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: sec1}), "", 0},
		{"PKCS 1", certPEM(other(t, strong, nil, nil, nil)), pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(strong)}), "", 0},
		{"an intermediate", certPEM(below, rootCert), pkcs8(t, k), "", 1},
		{"an intermediate alone", certPEM(below), pkcs8(t, k), "", 1},
		{"text around", append([]byte("of corp\n"), cert...), key.Reveal(), "", 0},
		{"nothing", nil, key.Reveal(), "there is no certificate", 0},
		{"no PEM", []byte("x"), key.Reveal(), "no PEM", 0},
		{"rest", append(slices.Clone(cert), "x"...), key.Reveal(), "no PEM", 0},
		{"a key among certificates", append(slices.Clone(cert), key.Reveal()...), key.Reveal(), "does not belong there", 0},
		{"long", bytes.Repeat([]byte(" "), maxPEM+1), key.Reveal(), "more than", 0},
		{"many", bytes.Repeat(cert, maxChain+1), key.Reveal(), "more than 8", 0},
		{"garbage", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")}), key.Reveal(), "read its certificate", 0},
		{"no CA", changed(func(x *x509.Certificate) { x.IsCA = false }), pkcs8(t, k), "is no CA", 0},
		{"another use", changed(func(x *x509.Certificate) { x.KeyUsage = x509.KeyUsageDigitalSignature }), pkcs8(t, k), "may not sign certificates", 0},
		{"for clients", changed(func(x *x509.Certificate) { x.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }), pkcs8(t, k), "of servers", 0},
		{"for servers", changed(func(x *x509.Certificate) { x.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }), pkcs8(t, k), "", 0},
		{"expired", changed(func(x *x509.Certificate) { x.NotAfter = now() }), pkcs8(t, k), "has expired", 0},
		{"not yet", changed(func(x *x509.Certificate) { x.NotBefore = now().Add(time.Minute) }), pkcs8(t, k), "not valid before", 0},
		{"another's key", cert, pkcs8(t, k), "not that of the certificate", 0},
		{"a short path", certPEM(other(t, k, low, root, nil), low), pkcs8(t, k), "a path of 0", 0},
		{"another's parent", certPEM(own, rootCert), pkcs8(t, k), "is not signed by", 0},
		{"no key", cert, nil, "exactly one private key", 0},
		{"two keys", cert, append(slices.Clone(key.Reveal()), key.Reveal()...), "exactly one private key", 0},
		{"a certificate for a key", cert, cert, "cannot be read", 0},
		{"a long key", cert, bytes.Repeat([]byte(" "), maxPEM+1), "its key has more", 0},
		{"a weak key", certPEM(other(t, weak, nil, nil, nil)), pkcs8(t, weak), "less than 2048", 0},
		{"Ed25519", certPEM(other(t, ed, nil, nil, nil)), pkcs8(t, ed), "ECDSA or RSA", 0},
	} {
		ca, err := ParseCA(tc.cert, tc.key, now())
		switch {
		case tc.says == "" && err != nil:
			t.Errorf("%s: %v", tc.name, err)
		case tc.says == "" && len(ca.above) != tc.above:
			t.Errorf("%s: %d certificates stand above a leaf, want %d", tc.name, len(ca.above), tc.above)
		case tc.says != "" && (!errors.Is(err, ErrCA) || !strings.Contains(err.Error(), tc.says)):
			t.Errorf("%s: %v, want %q", tc.name, err, tc.says)
		}
	}
}

func TestPermits(t *testing.T) {
	t.Parallel()
	_, _, some := made(t, "corp.example")
	_, _, all := made(t)
	k := ecKey(t)
	not, err := ParseCA(certPEM(other(t, k, nil, nil, func(x *x509.Certificate) { x.ExcludedDNSDomains = []string{".bad.example"} })), pkcs8(t, k), now())
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		ca   *CA
		name string
		want bool
	}{
		{all, "a.example", true},
		{some, "corp.example", true},
		{some, "a.b.corp.example", true},
		{some, "xcorp.example", false},
		{some, "example", false},
		{some, "corp.example.evil.example", false},
		{not, "a.bad.example", false},
		{not, "bad.example", true},
		{not, "good.example", true},
	} {
		leaf, err := tc.ca.mint(tc.name, ecKey(t), time.Hour, now(), rand.Reader)
		if (err == nil) != tc.want || err != nil && !errors.Is(err, ErrName) {
			t.Errorf("%s of %s: %v, want %t", tc.name, tc.ca, err, tc.want)
		}
		// What is not minted would not have been believed, and the other way round.
		if tc.want {
			verify(t, tc.ca, leaf, tc.name)
		}
	}
}

// verify checks a leaf as a client would that trusts the CA.
func verify(t testing.TB, ca *CA, leaf *Leaf, name string) *x509.Certificate {
	t.Helper()
	block, rest := pem.Decode(leaf.Chain)
	x, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	above, roots := x509.NewCertPool(), x509.NewCertPool()
	above.AppendCertsFromPEM(rest)
	roots.AddCert(ca.Certificate())
	if _, err := x.Verify(x509.VerifyOptions{DNSName: name, Roots: roots, Intermediates: above, CurrentTime: now(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}); err != nil {
		t.Errorf("a leaf for %s is not believed: %v", name, err)
	}
	return x
}

func TestMint(t *testing.T) {
	t.Parallel()
	_, _, ca := made(t)
	key := ecKey(t)
	long := strings.Repeat("a", 60) + "." + strings.Repeat("b", 60) + ".example"
	for _, name := range []string{"a.example", "x_y.example", long, "xn--bcher-kva.example"} {
		leaf, err := ca.mint(name, key, 12*time.Hour, now(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		x := verify(t, ca, leaf, name)
		if x.IsCA || len(x.DNSNames) != 1 || !x.NotBefore.Equal(now().Add(-backdate)) || !x.NotAfter.Equal(now().Add(12*time.Hour)) || !x.NotAfter.Equal(leaf.NotAfter) {
			t.Errorf("%s: %v from %s to %s", name, x.DNSNames, x.NotBefore, x.NotAfter)
		}
	}
	for _, name := range []string{"", "*.example", "10.0.0.1", "[::1]", "A.example", "a..example", "a.example.", "-a.example", "a b.example", "a,b.example", strings.Repeat("a", 64) + ".example", strings.Repeat("a.", 127) + "example"} {
		if _, err := ca.mint(name, key, time.Hour, now(), rand.Reader); !errors.Is(err, ErrName) {
			t.Errorf("%q: %v", name, err)
		}
	}
	end := ca.Certificate().NotAfter
	leaf, err := ca.mint("a.example", key, 12*time.Hour, end.Add(-time.Hour), rand.Reader)
	if err != nil || !leaf.NotAfter.Equal(end) {
		t.Errorf("a leaf outlives its CA: %v, %v", leaf, err)
	}
	if _, err := ca.mint("a.example", key, 12*time.Hour, end, rand.Reader); !errors.Is(err, ErrCA) {
		t.Errorf("a CA that has expired signs: %v", err)
	}
}

// TestIntermediate: a client that trusts the root alone believes a leaf of what
// the root has signed.
func TestIntermediate(t *testing.T) {
	t.Parallel()
	k, root := ecKey(t), ecKey(t)
	rootCert := other(t, root, nil, nil, func(x *x509.Certificate) { x.Subject.CommonName = "root" })
	ca, err := ParseCA(certPEM(other(t, k, rootCert, root, nil), rootCert), pkcs8(t, k), now())
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := ca.mint("a.example", ecKey(t), time.Hour, now(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	verify(t, &CA{cert: rootCert}, leaf, "a.example")
}

// TestKeysAreHidden: no verb, log or JSON shows them.
func TestKeysAreHidden(t *testing.T) {
	t.Parallel()
	_, key, ca := made(t)
	l, err := NewLeaves(Config{CA: ca, Now: now, Rand: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "key", key, "ca", ca, "pem", l.pem)
	asJSON, err := json.Marshal(map[string]any{"key": key, "pem": l.pem})
	if err != nil {
		t.Fatal(err)
	}
	d := ca.key.(*ecdsa.PrivateKey).D.String() //nolint:staticcheck // what must not show
	for _, v := range []any{key, &key, ca, *ca, l.pem, struct{ K Key }{key}, struct{ CA *CA }{ca}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			text := fmt.Sprintf(verb, v)
			if strings.Contains(text, "PRIVATE") || strings.Contains(text, d) || strings.Contains(text, "50524956") {
				t.Errorf("%s of %T shows a key: %s", verb, v, text)
			}
		}
	}
	if text := log.String() + string(asJSON); strings.Contains(text, "PRIVATE") || !strings.Contains(text, hidden) {
		t.Errorf("a key shows: %s", text)
	}
	if _, err := ParseCA([]byte("x"), key.Reveal(), now()); err == nil || strings.Contains(err.Error(), "PRIVATE") {
		t.Errorf("an error shows a key, or is none: %v", err)
	}
}

// FuzzParseCA: whatever is read is either refused, or signs a leaf that is
// believed.
func FuzzParseCA(f *testing.F) {
	cert, key, _ := made(f)
	k, root := ecKey(f), ecKey(f)
	rootCert := other(f, root, nil, nil, nil)
	f.Add(cert, key.Reveal())
	f.Add(certPEM(other(f, k, rootCert, root, nil), rootCert), pkcs8(f, k))
	f.Add([]byte(""), []byte(""))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"), []byte("-----BEGIN EC PARAMETERS-----\n-----END EC PARAMETERS-----\n"))
	leafKey := ecKey(f)
	f.Fuzz(func(t *testing.T, cert, key []byte) {
		ca, err := ParseCA(cert, key, now())
		if err != nil {
			if !errors.Is(err, ErrCA) || strings.Contains(err.Error(), "PRIVATE KEY-") {
				t.Errorf("%v", err)
			}
			return
		}
		leaf, err := ca.mint("a.example", leafKey, time.Hour, now(), rand.Reader)
		if err == nil {
			verify(t, ca, leaf, "a.example")
		}
	})
}
