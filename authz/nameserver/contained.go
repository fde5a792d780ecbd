package nameserver

import (
	"net/netip"
	"time"

	"github.com/hopgate/hopgate/authz/contain"
	"github.com/hopgate/hopgate/authz/denial"
)

// Contained says what is cut off now (contain.Store).
type Contained interface {
	Cut(h *contain.Hop, now time.Time) (contain.Order, bool)
}

// cutOff is the verdict on a client that an order cuts off, by its address, as
// it does on what is captured. A name is answered all the same where something
// that it leads to stays open.
func (p *Pool) cutOff(v *View, from netip.Addr, name string) (verdict, bool) {
	if p.cfg.Contained == nil {
		return verdict{}, false
	}
	now := p.cfg.Now()
	h := contain.Hop{Peer: from.String(), Host: name}
	order, cut := p.cfg.Contained.Cut(&h, now)
	if !cut {
		return verdict{}, false
	}
	for _, b := range v.Backends[name] {
		h.Backends = []string{b}
		if _, cut := p.cfg.Contained.Cut(&h, now); !cut {
			return verdict{}, false
		}
	}
	out := refused(CutOff, denial.Quarantined)
	if order.Verb == contain.VerbRevoke {
		out = refused(CutOff, denial.TokenRevoked)
	}
	out.text = "order " + order.ID + " cuts off " + from.String()
	if order.Kind == contain.KindEveryone {
		out.text = "order " + order.ID + " cuts off everybody"
	}
	if order.Reason != "" {
		out.text += ": " + order.Reason
	}
	return out, true
}
