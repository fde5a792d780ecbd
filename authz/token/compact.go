package token

import (
	"encoding/base64"
	"strings"
)

// MaxBytes is the longest token, in bytes. It is looked at before anything
// else: what is longer costs nothing.
const MaxBytes = 8 << 10

// compact is a token in its parts (RFC 7515 section 7.1).
type compact struct {
	// signed is header and payload as they came: what the signature is of.
	signed                     string
	header, payload, signature []byte
}

// split takes a token apart. It refuses what another reader could take for
// something else: padding, white space, bits behind the last whole byte, a
// comma by which a header field was joined, a fourth part.
func split(raw string) (c compact, rej *Rejection) {
	if len(raw) == 0 || len(raw) > MaxBytes {
		return c, &Rejection{ReasonMalformed, "it is empty, or longer than 8 KiB"}
	}
	if !alphabet(raw) {
		return c, &Rejection{ReasonMalformed, "it has a character that is neither base64url nor a dot"}
	}
	header, rest, _ := strings.Cut(raw, ".")
	payload, signature, ok := strings.Cut(rest, ".")
	if !ok || strings.Contains(signature, ".") {
		return c, &Rejection{ReasonMalformed, "it does not have three parts"}
	}
	c.signed = raw[:len(header)+1+len(payload)]
	for _, p := range []struct {
		to   *[]byte
		from string
	}{{&c.header, header}, {&c.payload, payload}, {&c.signature, signature}} {
		b, err := base64.RawURLEncoding.Strict().DecodeString(p.from)
		if err != nil || len(b) == 0 {
			return c, &Rejection{ReasonMalformed, "one of its parts is not base64url"}
		}
		*p.to = b
	}
	return c, nil
}

// alphabet reports whether s is base64url and dots alone. The decoder of the
// standard library would pass over line breaks.
func alphabet(s string) bool {
	for i := range len(s) {
		switch b := s[i]; {
		case 'a' <= b && b <= 'z', 'A' <= b && b <= 'Z', '0' <= b && b <= '9', b == '-', b == '_', b == '.':
		default:
			return false
		}
	}
	return true
}
