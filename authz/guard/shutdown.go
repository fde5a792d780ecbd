package guard

import (
	"github.com/hopgate/hopgate/authz/denial"
	"github.com/hopgate/hopgate/authz/leash"
)

// EndAll ends every live hop because the gateway goes down, with a word where
// there is a place for one, and says how many.
func (g *Guard) EndAll() int {
	return g.end(g.register.Hops(), func(*leash.Hop) string { return denial.ShuttingDown })
}
