package contain

import (
	"time"

	"github.com/hopgate/hopgate/authz/token"
)

// Hop is what orders look at.
type Hop struct {
	// Claims are verified; nil: there is no token.
	Claims *token.Claims
	// Before are the tokens that the hop stood on before it was renewed: whoever
	// revokes one of them means what was opened by it.
	Before []token.Name
	// Peer is the SPIFFE ID of the connection; empty: none.
	Peer string
	// Backends are all that the hop may go to, KIND/NAMESPACE/NAME.
	Backends []string
	// Host is the destination where no backend is.
	Host string
}

// TokenName is how records and orders name a token.
func TokenName(c *token.Claims) string { return token.NameOf(c).String() }

// keys calls f for everything by which h can be named, until f returns true.
func (h *Hop) keys(f func(Key) bool) {
	if h.Peer != "" && f(Key{Kind: KindPeer, Value: h.Peer}) {
		return
	}
	c := h.Claims
	if c == nil {
		return
	}
	domain := c.Domain.String()
	if f(Key{KindTxn, domain, c.Txn}) || f(Key{KindSubject, domain, c.Subject}) || f(Key{KindToken, domain, TokenName(c)}) {
		return
	}
	for _, n := range h.Before {
		if f(Key{KindToken, domain, n.String()}) {
			return
		}
	}
	for _, a := range c.Actors {
		if f(Key{KindAgent, domain, a}) {
			return
		}
	}
}

// Keys are everything by which h can be named.
func (h *Hop) Keys() []Key {
	var out []Key
	h.keys(func(k Key) bool { out = append(out, k); return false })
	return out
}

// standing is an order as it is asked for.
type standing struct {
	Order
	places []place
}

// open reports whether every way that h may take is a place that stays open.
func (s *standing) open(h *Hop) bool {
	if len(s.places) == 0 {
		return false
	}
	if len(h.Backends) == 0 {
		return h.Host != "" && s.anyPlace(func(p *place) bool { return p.Backend == "" && p.host.Match(h.Host) })
	}
	for _, b := range h.Backends {
		if !s.anyPlace(func(p *place) bool { return p.Backend == b }) {
			return false
		}
	}
	return true
}

func (s *standing) anyPlace(fits func(*place) bool) bool {
	for i := range s.places {
		if fits(&s.places[i]) {
			return true
		}
	}
	return false
}

// cuts reports whether the order cuts h off at now.
func (s *standing) cuts(h *Hop, now time.Time) bool { return now.Before(s.Until) && !s.open(h) }
