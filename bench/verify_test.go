package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"testing"
	"time"

	"github.com/hopgate/hopgate/authz/token"
)

// Both kinds of token are believed, by who looks at all of them and by who
// looks at the signature alone; and those of one key are not by the other.
func TestTokensAreBelieved(t *testing.T) {
	t.Parallel()
	key, err := token.Generate(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ed, es, err := tokens(key, ec, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	ecJWKS, err := ecKeys(&ec.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		keys []byte
		all  []signed
		ok   bool
	}{
		{"EdDSA", key.JWKS(), ed, true},
		{"ES256", ecJWKS, es, true},
		{"EdDSA by the other key", ecJWKS, ed, false},
		{"ES256 by the other key", key.JWKS(), es, false},
	} {
		if _, err := verifying(tt.name, tt.keys, tt.all, 1); (err == nil) != tt.ok {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	for _, w := range []*work{rawEd(key.Public(), ed), rawEC(&ec.PublicKey, es)} {
		w.do() // panics where a signature is none
	}
}
