package check

import (
	"hash/maphash"
	"net/netip"
	"strconv"

	"github.com/hopgate/hopgate/authz/decide"
)

// caller is who shares connections: nobody else has the same token, or the same
// peer without one. What was decided by another state, or led elsewhere, is
// never shared, for what is open to somewhere may since have been closed.
type caller struct {
	target *decide.Target
	epoch  uint64
	peer   string
	token  [32]byte
}

// pool names the connections that a request may use. What one caller's bytes
// did to a connection reaches nobody else's, and a caller who cannot be told from
// others shares none.
func (s *Service) pool(w *work) string {
	if w.hop.Claims == nil && w.hop.Peer == "" {
		return w.name
	}
	c := caller{target: w.hop.Target, epoch: w.world.State.Epoch, peer: w.hop.Peer}
	if w.hop.Claims != nil {
		c.token = w.hop.Claims.Hash
	}
	return strconv.FormatUint(maphash.Comparable(s.pools, c)+sumOf(s.pools, w.way.Addrs), 16)
}

// sumOf is the same for the same addresses in any order.
func sumOf(seed maphash.Seed, addrs []netip.Addr) (sum uint64) {
	for _, a := range addrs {
		sum += maphash.Comparable(seed, a)
	}
	return sum
}
