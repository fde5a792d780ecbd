package jwks

import (
	"crypto"

	"github.com/golang-jwt/jwt/v5"
)

// Algorithms (RFC 7518 section 3.1, RFC 8037 section 3.1) that keys can have.
const (
	EdDSA = "EdDSA"
	ES256 = "ES256"
	ES384 = "ES384"
	RS256 = "RS256"
	PS256 = "PS256"
)

// Known reports whether alg is one that keys can have. Every other, none and
// all symmetric ones among them, is refused wherever it is named.
func Known(alg string) bool {
	switch alg {
	case EdDSA, ES256, ES384, RS256, PS256:
		return true
	default:
		return false
	}
}

// Key is one public key. It verifies with one algorithm only, its own: what a
// token names is compared with that, and never chooses (RFC 8725 section 3.1).
type Key struct {
	// ID is the kid; empty: it has none, and is used only where it is the only
	// key of its set.
	ID        string
	Algorithm string

	public publicKey
	method jwt.SigningMethod
}

// publicKey is what every public key of the standard library is.
type publicKey interface {
	Equal(crypto.PublicKey) bool
}

// Verify reports whether sig is a signature of signed by this key.
func (k *Key) Verify(signed string, sig []byte) bool {
	return k.method.Verify(signed, sig, k.public) == nil
}

func (k *Key) same(o *Key) bool {
	return k.ID == o.ID && k.Algorithm == o.Algorithm && k.public.Equal(o.public)
}
