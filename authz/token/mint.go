package token

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"

	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

// Params are the claims of a token that Mint makes.
type Params struct {
	Audience string
	// Issuer is left out when empty.
	Issuer  string
	Subject string
	// Txn is made up when empty.
	Txn string
	// Requester is req_wl; empty: DefaultRequester.
	Requester string
	Scopes    []string
	// Agent is the actor of the hop; empty: none is named, and then there are
	// no Actors.
	Agent string
	// Actors are those that Agent acts for, newest first.
	Actors []string
	// Context is tctx; nil: none.
	Context  map[string]any
	IssuedAt time.Time
	// Lifetime is exp - iat, at least a second. What is below a second is cut
	// off.
	Lifetime time.Duration
}

// DefaultRequester is the req_wl of tokens that are made for development.
const DefaultRequester = "hopgate-token-sign"

type mintedHeader struct {
	Type      string `json:"typ"`
	Algorithm string `json:"alg"`
	KeyID     string `json:"kid"`
}

type mintedClaims struct {
	Issuer    string         `json:"iss,omitempty"`
	IssuedAt  int64          `json:"iat"`
	Audience  string         `json:"aud"`
	ExpiresAt int64          `json:"exp"`
	Txn       string         `json:"txn"`
	Subject   string         `json:"sub"`
	Scope     string         `json:"scope"`
	Requester string         `json:"req_wl"`
	Actor     *mintedActor   `json:"act,omitempty"`
	Context   map[string]any `json:"tctx,omitempty"`
}

type mintedActor struct {
	Subject string       `json:"sub"`
	Actor   *mintedActor `json:"act,omitempty"`
}

// Mint makes a Txn-Token signed by k. What a verifier would refuse for its form
// is not made; r is for the txn.
func (k *Key) Mint(p Params, r io.Reader) (Secret, error) {
	claims, err := p.claims(r)
	if err != nil {
		return "", fmt.Errorf("make token: %w", err)
	}
	header, err := json.Marshal(mintedHeader{Type: Type, Algorithm: jwt.SigningMethodEdDSA.Alg(), KeyID: k.ID()})
	if err != nil {
		return "", fmt.Errorf("make token: %w", err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("make token: %w", err)
	}
	signed := base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString(payload)
	sig, err := jwt.SigningMethodEdDSA.Sign(signed, k.Private())
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	out := signed + "." + base64.RawURLEncoding.EncodeToString(sig)
	if len(out) > MaxBytes {
		return "", fmt.Errorf("make token: it would have %d bytes, and none is believed above %d", len(out), MaxBytes)
	}
	if err := readable(out); err != nil {
		return "", fmt.Errorf("make token: no verifier could read it: %w", err)
	}
	return Secret(out), nil
}

// readable reads a token as Verify would, as far as no key is needed.
func readable(raw string) error {
	a := attempt{raw: raw, domain: &domain{TrustDomain: feedv1.TrustDomain{AgentProfile: v1alpha1.AgentProfileActor}}}
	for _, read := range []func(*attempt, context.Context) *Rejection{
		(*attempt).split, (*attempt).readHeader, (*attempt).checkType, (*attempt).readPayload, (*attempt).readClaims,
	} {
		if rej := read(&a, context.Background()); rej != nil { // none of them waits
			return rej
		}
	}
	return nil
}

func (p *Params) claims(r io.Reader) (*mintedClaims, error) {
	switch {
	case p.Audience == "" || p.Subject == "":
		return nil, errors.New("it needs an audience and a subject")
	case p.Lifetime < time.Second:
		return nil, fmt.Errorf("its life is %s, and must be at least 1s", p.Lifetime)
	case !utf8.ValidString(strings.Join(append([]string{p.Audience, p.Issuer, p.Subject, p.Txn, p.Requester, p.Agent}, p.Actors...), " ")):
		return nil, errors.New("one of its names is not UTF-8") // JSON would make another name of it
	case p.Agent == "" && len(p.Actors) > 0:
		return nil, errors.New("it has actors, and no agent that acts for them")
	}
	c := &mintedClaims{
		Issuer: p.Issuer, IssuedAt: p.IssuedAt.Unix(), ExpiresAt: p.IssuedAt.Unix() + int64(p.Lifetime/time.Second), Audience: p.Audience,
		Txn: p.Txn, Subject: p.Subject, Requester: p.Requester, Context: p.Context,
	}
	var err error
	if c.Scope, err = scopeOf(p.Scopes); err != nil {
		return nil, err
	}
	if c.Requester == "" {
		c.Requester = DefaultRequester
	}
	if c.Txn == "" {
		if c.Txn, err = newTxn(r); err != nil {
			return nil, err
		}
	}
	if p.Agent != "" {
		c.Actor = actorOf(append([]string{p.Agent}, p.Actors...))
	}
	return c, nil
}

// NoScope stands in a token that was made without scopes: a Txn-Token must
// have one.
const NoScope = "none"

func scopeOf(scopes []string) (string, error) {
	if len(scopes) == 0 {
		return NoScope, nil
	}
	for _, s := range scopes {
		if !scopeToken(s) {
			return "", fmt.Errorf("scope %q is not one word", s)
		}
	}
	return strings.Join(scopes, " "), nil
}

// actorOf nests names, the first outermost.
func actorOf(names []string) *mintedActor {
	var out *mintedActor
	for _, name := range slices.Backward(names) {
		out = &mintedActor{Subject: name, Actor: out}
	}
	return out
}

// newTxn is a random UUID (RFC 9562 section 5.4).
func newTxn(r io.Reader) (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return "", fmt.Errorf("make txn: %w", err)
	}
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:]), nil
}
