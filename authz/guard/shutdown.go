package guard

import (
	"github.com/hopgate/hopgate/authz/denial"
	"github.com/hopgate/hopgate/authz/leash"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

// EndAll ends every live hop because the gateway goes down, with a word where
// there is a place for one, and says how many.
func (g *Guard) EndAll() int {
	n := 0
	for _, h := range g.register.Hops() {
		if g.register.Cut(h.ID, leash.Cut{Code: denial.ShuttingDown, Detail: wire.DetailShutdown}) {
			n++
		}
	}
	return n
}
