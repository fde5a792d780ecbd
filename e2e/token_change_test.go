package e2e

import (
	"time"

	"github.com/hopgate/hopgate/authz/token"
)

// What a token can have that is not as usual.

func agent(name string) func(*token.Params) { return func(p *token.Params) { p.Agent = name } }

func scopes(s ...string) func(*token.Params) { return func(p *token.Params) { p.Scopes = s } }

func audience(a string) func(*token.Params) { return func(p *token.Params) { p.Audience = a } }

func txn(id string) func(*token.Params) { return func(p *token.Params) { p.Txn = id } }

func lifetime(d time.Duration) func(*token.Params) { return func(p *token.Params) { p.Lifetime = d } }

// issued is a token's age.
func issued(ago time.Duration) func(*token.Params) {
	return func(p *token.Params) { p.IssuedAt = p.IssuedAt.Add(-ago) }
}

// longAgo is longer than a token lives, and the leeway.
const longAgo = 20 * time.Minute
