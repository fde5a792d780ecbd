package token

import (
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/hopgate/hopgate/gateway/api/feedv1"
)

// Claims are those of a verified Txn-Token
// (draft-ietf-oauth-transaction-tokens-11 section 9.2). They are shared and
// never changed.
type Claims struct {
	// Domain is the TrustDomain that vouches for them.
	Domain feedv1.Key
	// Audience is the trust domain's name, aud.
	Audience  string
	Issuer    string
	Subject   string
	Txn       string
	Requester string // req_wl
	Scopes    []string
	IssuedAt  time.Time
	ExpiresAt time.Time
	// Agent is the actor of the hop, by the domain's profile; empty: none
	// named.
	Agent string
	// Actors is the chain, newest first, Agent among them.
	Actors []string
	// Context is tctx, decoded: map[string]any, []any, string, int64 (a number
	// that is whole), float64, bool, nil. Nil: none.
	Context map[string]any
	// KeyID is the kid of the key that signed; empty: it has none.
	KeyID string
	// Hash is SHA-256 of what was signed, header and payload: the token's name
	// in records and revocations. A signature can be written in two ways.
	Hash [32]byte
	// Rules names the rules of the trust domain that they were verified by: no
	// other has the same number in this process.
	Rules uint64
}

// Name is how records and orders name a token: the first 8 bytes of its hash.
type Name [8]byte

// NameOf is the name of the token that claims were read from.
func NameOf(c *Claims) Name { return Name(c.Hash[:len(Name{})]) }

// String is 16 lower-case hexadecimal digits.
func (n Name) String() string { return hex.EncodeToString(n[:]) }

// HasScope reports whether s is among the scopes.
func (c *Claims) HasScope(s string) bool {
	return slices.Contains(c.Scopes, s)
}

// Secret is a token as it came. It never shows itself.
type Secret string

// LogValue keeps a token out of logs.
func (Secret) LogValue() slog.Value { return slog.StringValue("[token]") }

// String keeps a token out of formatted text.
func (Secret) String() string { return "[token]" }

// Format keeps a token out of every verb: of one that does not go with a text,
// fmt would show the text itself.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) } // fmt has no place for an error

// MarshalText keeps a token out of JSON. Who means to hand it on says
// string(s).
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
