package token

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/pem"
	"net/url"

	"github.com/hopgate/hopgate/authz/strictjson"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

// confirmation is cnf: to whom a token is bound (RFC 7800 section 3.1).
type confirmation struct {
	// thumbprint is the SHA-256 of a certificate (RFC 8705 section 3.1); nil:
	// the token is bound to none.
	thumbprint []byte
	// other is true where a token is bound to what is not looked at here: a
	// key whose possession would have to be proven.
	other bool
}

func (m *members) confirmation() confirmation {
	var c confirmation
	cnf, ok := m.object("cnf")
	if !ok {
		return c
	}
	if cnf.Len() == 0 {
		m.wrong("cnf does not say to whom")
	}
	for name, v := range cnf.Members() {
		if name != "x5t#S256" {
			c.other = true
			continue
		}
		c.thumbprint = thumbprint(v)
		if c.thumbprint == nil {
			m.wrong("cnf.x5t#S256 is not a SHA-256 in base64url")
		}
	}
	return c
}

func thumbprint(v strictjson.Value) []byte {
	text, ok := v.Text()
	if !ok || len(text) != base64.RawURLEncoding.EncodedLen(sha256.Size) || !alphabet(text) {
		return nil
	}
	sum, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil
	}
	return sum
}

// holds reports whether peer may present a token of these claims. peers is
// whether the listener authenticates peers. A token that says to whom it is
// bound is bound, unless the trust domain has written that nothing is.
func (c confirmation) holds(binding v1alpha1.TokenBinding, claims *Claims, peers bool, p Peer) bool {
	switch binding {
	case v1alpha1.BindingNone:
		return true
	case "":
		if !peers && c.thumbprint == nil && !c.other {
			return true
		}
	case v1alpha1.BindingPeer:
	default: // Proof is not there yet, and what is not known binds
		return false
	}
	switch {
	case c.other:
		return false
	case c.thumbprint != nil:
		return p.has(c.thumbprint)
	default:
		return p.SPIFFE != "" && (p.SPIFFE == claims.Requester || p.SPIFFE == claims.Agent)
	}
}

// has reports whether the peer's certificate has this SHA-256.
func (p Peer) has(sum []byte) bool {
	text, err := url.PathUnescape(p.Certificate)
	if err != nil {
		return false
	}
	block, _ := pem.Decode([]byte(text))
	if block == nil || block.Type != "CERTIFICATE" {
		return false
	}
	have := sha256.Sum256(block.Bytes)
	return subtle.ConstantTimeCompare(have[:], sum) == 1
}
