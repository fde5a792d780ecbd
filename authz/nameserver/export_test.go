package nameserver

import (
	"context"
	"net/netip"

	"github.com/miekg/dns"
)

// Serve answers one query as a socket with this view would.
func (p *Pool) Serve(v *View, w dns.ResponseWriter, q *dns.Msg) {
	s := &socket{}
	s.view.Store(v)
	p.serve(context.Background(), s, w, q)
}

// Accept is what sockets accept.
func Accept(h dns.Header) dns.MsgAcceptAction { return accept(h) }

// Open is what a glob leaves open of a name.
func Open(glob, name string) string { return open(glob, name) }

// Entropy is that of a text.
func Entropy(s string) float64 { return entropy(s) }

// Callers is how many clients are remembered, and Counted how many names of
// them are.
func (p *Pool) Callers() (clients, counted int) {
	p.callers.mu.Lock()
	defer p.callers.mu.Unlock()
	return p.callers.list.Len(), p.callers.counted
}

// Try counts a name.
func (p *Pool) Try(a netip.Addr, glob, name string, most int) bool {
	within, _ := p.callers.try(a, glob, name, most)
	return within
}
