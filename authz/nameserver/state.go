package nameserver

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"syscall"
)

// Reasons why a socket is not open. They reach conditions.
const (
	ReasonPortUnavailable  = "PortUnavailable"
	ReasonAddressNotUsable = "AddressNotUsable"
	ReasonNotPermitted     = "NotPermitted"
	ReasonNotOpened        = "NotOpened"
)

// State is what became of the socket of a Gateway.
type State struct {
	// Gateway is NAMESPACE/NAME.
	Gateway string
	Listen  netip.AddrPort
	// Reason and Problem say why names are not answered there; empty: they are.
	Reason, Problem string
}

// States are those of all sockets that were tried, sorted.
func (p *Pool) States() []State {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.states()
}

// states is States; mu is held.
func (p *Pool) states() (out []State) {
	for at, v := range p.wanted {
		s := State{Gateway: v.Gateway, Listen: at}
		if p.sockets[at] == nil {
			problem, tried := p.refused[at]
			if !tried {
				continue
			}
			s.Reason, s.Problem = problem.reason, problem.text
		}
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b State) int { return a.Listen.Compare(b.Listen) })
	return out
}

// Ready reports whether every socket that was wanted at first was tried: it is
// open, or it is known why not.
func (p *Pool) Ready() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ready
}

// tellStates tells of sockets whose state has changed since it was last called.
func (p *Pool) tellStates() {
	p.mu.Lock()
	now := p.states()
	p.ready = p.ready || p.applied && len(now) == len(p.wanted)
	p.mu.Unlock()
	if slices.Equal(now, p.told) {
		return
	}
	p.told = now
	if p.cfg.Report != nil {
		p.cfg.Report(slices.Clone(now))
	}
}

// problem is why a socket could not be opened.
type problem struct{ reason, text string }

// problemOf says what is in the way of a socket, and what would mend it.
func problemOf(at netip.AddrPort, err error) problem {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return problem{ReasonPortUnavailable, fmt.Sprintf("%s is in use by something else: end that, or choose another port; it is tried again every second", at)}
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return problem{ReasonAddressNotUsable, fmt.Sprintf("%s is no address of this machine: choose one that it has; it is tried again every second", at.Addr())}
	case errors.Is(err, syscall.EACCES):
		return problem{ReasonNotPermitted, fmt.Sprintf("hopgate may not bind %s: give it CAP_NET_BIND_SERVICE, or choose a port from 1024 on; it is tried again every second", at)}
	default:
		return problem{ReasonNotOpened, err.Error()}
	}
}
