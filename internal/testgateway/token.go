package testgateway

import (
	"crypto/rand"
	"time"

	"github.com/hopgate/hopgate/authz/token"
	"github.com/hopgate/hopgate/cmd/hopgate/laptop"
)

// Audience is that of the built-in TrustDomain.
const Audience = "local"

// Agent and Subject are those of a token that nobody changed.
const (
	Agent   = "researcher"
	Subject = "user:alice"
)

// Key is the key of the built-in TrustDomain.
func (g *Gateway) Key() *token.Key {
	g.t.Helper()
	k, err := token.LoadOrCreate(laptop.LocalKey(g.State))
	if err != nil {
		g.t.Fatal(err)
	}
	return k
}

// Token is a token that the gateway believes, good for ten minutes, unless it
// is changed.
func (g *Gateway) Token(change ...func(*token.Params)) string {
	g.t.Helper()
	p := token.Params{
		Audience: Audience, Subject: Subject, Txn: "txn-1", Requester: "spiffe://local/agent", Scopes: []string{"research.read"},
		Agent: Agent, IssuedAt: time.Now(), Lifetime: 10 * time.Minute,
	}
	for _, c := range change {
		c(&p)
	}
	s, err := g.Key().Mint(p, rand.Reader)
	if err != nil {
		g.t.Fatal(err)
	}
	return string(s)
}
