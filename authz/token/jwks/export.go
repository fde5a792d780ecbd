package jwks

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
)

// Ed25519 is a JWK Set (RFC 7517 section 5) with one Ed25519 key, whose kid is
// its thumbprint.
func Ed25519(public ed25519.PublicKey) []byte {
	return fmt.Appendf(nil, `{"keys":[{"kty":"OKP","crv":"Ed25519","x":"%s","kid":"%s","alg":"EdDSA","use":"sig"}]}`,
		base64.RawURLEncoding.EncodeToString(public), Thumbprint(public))
}

// Thumbprint is the SHA-256 thumbprint of an Ed25519 key (RFC 7638, RFC 8037
// appendix A.3), in base64url.
func Thumbprint(public ed25519.PublicKey) string {
	sum := sha256.Sum256(fmt.Appendf(nil, `{"crv":"Ed25519","kty":"OKP","x":"%s"}`, base64.RawURLEncoding.EncodeToString(public)))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
