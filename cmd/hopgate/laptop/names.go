package laptop

import (
	"net/netip"

	"github.com/hopgate/hopgate/authz/nameserver"
	"github.com/hopgate/hopgate/gateway/translate"
)

// namesChanged tells the controller where names are answered, and where not.
func (l *Laptop) namesChanged(states []nameserver.State) {
	list := make([]translate.NamesState, 0, len(states))
	for _, s := range states {
		list = append(list, translate.NamesState{Gateway: s.Gateway, Listen: s.Listen, Reason: s.Reason, Message: s.Problem})
	}
	l.controller.ObserveNames(list)
}

// Unanswered are the sockets at which names should be answered and are not,
// sorted; they are tried again.
func (l *Laptop) Unanswered() []netip.AddrPort {
	var out []netip.AddrPort
	for _, s := range l.guard.Names().States() {
		if s.Reason != "" {
			out = append(out, s.Listen)
		}
	}
	return out
}
