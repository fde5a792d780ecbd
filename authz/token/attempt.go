package token

import (
	"context"
	"crypto/sha256"
	"slices"
	"strings"
	"time"

	"github.com/hopgate/hopgate/authz/strictjson"
	"github.com/hopgate/hopgate/authz/token/jwks"
)

// attempt is one verification on its way: what is known of the token so far.
type attempt struct {
	// raw, now, peers, peer and candidates are given.
	raw  string
	now  time.Time
	peer Peer
	// peers is whether the listener authenticates peers.
	peers bool
	// candidates are the trust domains that are believed.
	candidates []*domain
	// starts remember when transactions began; nil: nobody does.
	starts *starts
	// slots bound how many signatures are looked at, at once.
	slots chan struct{}

	compact compact
	header  header
	head    strictjson.Doc
	body    strictjson.Doc
	domain  *domain
	view    *jwks.View
	key     *jwks.Key
	claims  *Claims
	cnf     confirmation
	from    time.Time // the later one of iat and nbf
	start   *start
	began   time.Time
}

// reset keeps the memory of the documents, and nothing else.
func (a *attempt) reset() {
	head, body := a.head, a.body
	head.Reset()
	body.Reset()
	*a = attempt{head: head, body: body}
}

// fact is something that a step finds out and later ones need.
type fact uint8

const (
	factParts fact = 1 << iota
	factHeader
	factPayload
	factDomain
	factKey
	factClaims
)

// step is one thing that a verifier looks at. Names are shown to people.
type step struct {
	name        string
	needs, adds fact
	run         func(*attempt, context.Context) *Rejection
}

// steps are all of them; the first that fails decides. A signature is the only
// one that costs, and comes behind all that needs no key.
func steps() [12]step {
	return [...]step{
		{"form", 0, factParts, (*attempt).split},
		{"header", factParts, factHeader, (*attempt).readHeader},
		{"type", factHeader, 0, (*attempt).checkType},
		{"payload", factParts, factPayload, (*attempt).readPayload},
		{"trust domain", factPayload, factDomain, (*attempt).findDomain},
		{"algorithm", factHeader | factDomain, 0, (*attempt).checkAlgorithm},
		{"key", factHeader | factDomain, factKey, (*attempt).findKey},
		{"signature", factParts | factKey, 0, (*attempt).checkSignature},
		{"claims", factPayload | factDomain, factClaims, (*attempt).readClaims},
		{"issuer", factClaims, 0, (*attempt).checkIssuer},
		{"lifetime", factClaims, 0, (*attempt).checkLifetime},
		{"binding", factClaims, 0, (*attempt).checkBinding},
	}
}

func (a *attempt) split(context.Context) (rej *Rejection) {
	a.compact, rej = split(a.raw)
	return rej
}

func (a *attempt) readHeader(context.Context) (rej *Rejection) {
	a.header, rej = readHeader(a.compact.header, &a.head)
	return rej
}

func (a *attempt) checkType(context.Context) *Rejection {
	if !a.header.isTxnToken() {
		return &Rejection{ReasonBadType, "its typ is not " + Type}
	}
	return nil
}

func (a *attempt) readPayload(context.Context) *Rejection {
	return readPayload(a.compact.payload, &a.body)
}

// findDomain compares aud to the byte.
func (a *attempt) findDomain(context.Context) *Rejection {
	aud, rej := audience(a.body.Root())
	if rej != nil {
		return rej
	}
	for _, d := range a.candidates {
		if d.Audience == aud {
			a.domain = d
			return nil
		}
	}
	return &Rejection{ReasonWrongDomain, "its aud is not that of a trust domain that is believed here"}
}

func (a *attempt) checkAlgorithm(context.Context) *Rejection {
	if !jwks.Known(a.header.alg) || !slices.Contains(a.domain.Algorithms, a.header.alg) {
		return &Rejection{ReasonBadAlg, "its alg is not among " + strings.Join(a.domain.Algorithms, ", ")}
	}
	return nil
}

// findKey looks the kid up, and where it is not there has the source loaded
// once more, if that can help.
func (a *attempt) findKey(ctx context.Context) *Rejection {
	src := a.domain.source
	a.view = src.View()
	a.key = a.view.Find(a.header.kid, a.now)
	if a.key == nil && src.MayAsk(a.header.kid) && src.Ask(ctx, a.header.kid) {
		a.view = src.View()
		a.key = a.view.Find(a.header.kid, a.now)
	}
	switch {
	case a.key != nil:
		return nil
	case !a.view.Usable(a.now):
		return &Rejection{ReasonKeySource, "the keys of its trust domain are not to be had"}
	case a.header.kid == "":
		return &Rejection{ReasonUnknownKey, "it has no kid, and its trust domain has not exactly one key"}
	default:
		return &Rejection{ReasonUnknownKey, "its kid is not among the keys of its trust domain"}
	}
}

// checkSignature takes the algorithm from the key; the token only agrees
// (RFC 8725 section 3.1).
func (a *attempt) checkSignature(ctx context.Context) *Rejection {
	if a.key.Algorithm != a.header.alg {
		return &Rejection{ReasonBadAlg, "its key is for " + a.key.Algorithm}
	}
	if a.slots != nil {
		select {
		case a.slots <- struct{}{}:
			defer func() { <-a.slots }()
		case <-ctx.Done():
			return &Rejection{ReasonOverloaded, "too many signatures are to be looked at"}
		}
	}
	if !a.key.Verify(a.compact.signed, a.compact.signature) {
		return &Rejection{Reason: ReasonBadSignature}
	}
	return nil
}

// readClaims wants every claim that section 9.2 of the draft requires, in the
// form that it must have.
func (a *attempt) readClaims(context.Context) *Rejection {
	m := members{v: a.body.Root()}
	c := &Claims{
		Domain: a.domain.Key, Audience: a.domain.Audience, Issuer: m.optional("iss"),
		IssuedAt: m.time("iat"), ExpiresAt: m.time("exp"), Txn: m.text("txn"), Subject: m.text("sub"),
		Requester: m.text("req_wl"), Scopes: m.scopes(), Actors: m.actors(a.domain.AgentProfile),
		Hash: sha256.Sum256([]byte(a.compact.signed)),
	}
	if a.key != nil { // Inspect reads claims also without
		c.KeyID, c.Rules = a.key.ID, a.domain.rules
	}
	if len(c.Actors) > 0 {
		c.Agent = c.Actors[0]
	}
	if tctx, ok := m.object("tctx"); ok {
		c.Context, _ = tctx.Any().(map[string]any)
	}
	m.object("rctx")
	a.from = c.IssuedAt
	if _, ok := m.v.Member("nbf"); ok {
		if nbf := m.time("nbf"); nbf.After(a.from) {
			a.from = nbf
		}
	}
	a.cnf = m.confirmation()
	if m.rej != nil {
		return m.rej
	}
	a.claims = c
	return nil
}

func (a *attempt) checkIssuer(context.Context) *Rejection {
	if a.domain.Issuer != "" && a.claims.Issuer != a.domain.Issuer {
		return &Rejection{ReasonWrongIssuer, "its iss is not that of its trust domain"}
	}
	return nil
}

// checkLifetime looks at the token's own times, and then at those of its
// transaction, which no replacement may prolong.
func (a *attempt) checkLifetime(context.Context) *Rejection {
	c, d := a.claims, a.domain
	switch {
	case !c.ExpiresAt.Add(d.Leeway).After(a.now):
		return &Rejection{ReasonExpired, "its exp is past"}
	case a.from.After(a.now.Add(d.Leeway)):
		return &Rejection{ReasonNotYet, "its iat or nbf is in the future"}
	case !c.ExpiresAt.After(c.IssuedAt):
		return &Rejection{ReasonMissingClaim, "its exp is not after its iat"}
	case c.ExpiresAt.Sub(c.IssuedAt) > d.MaxLifetime:
		return &Rejection{ReasonTooLong, "exp - iat is more than " + d.MaxLifetime.String()}
	}
	a.start = a.starts.first(d.Key, c.Txn, c.IssuedAt)
	a.began = a.start.at()
	end := a.began.Add(d.MaxTxn)
	if !end.After(a.now) {
		return tooLong(d)
	}
	if c.ExpiresAt.After(end) {
		c.ExpiresAt = end
	}
	return nil
}

func tooLong(d *domain) *Rejection {
	return &Rejection{ReasonTransaction, "its transaction began more than " + d.MaxTxn.String() + " ago"}
}

func (a *attempt) checkBinding(context.Context) *Rejection {
	if !a.cnf.holds(a.domain.Binding, a.claims, a.peers, a.peer) {
		return &Rejection{ReasonNotBound, "who presents it is not who it is bound to"}
	}
	return nil
}
