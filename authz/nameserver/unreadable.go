package nameserver

import (
	"net"

	"github.com/miekg/dns"
)

// unreadable is where answers of a server go. What the server says by itself,
// of queries that it cannot read, counts against the rate of their client as
// all else does.
type unreadable struct {
	dns.Writer
	pool   *Pool
	socket *socket
}

// Write sends an answer, but for one too many to what cannot be read.
func (u *unreadable) Write(m []byte) (int, error) {
	if !saysFormatError(m) {
		return u.Writer.Write(m) //nolint:wrapcheck // the server looks at what it is
	}
	if !u.pool.mayComplain(u.socket.view.Load(), u.Writer) {
		return len(m), nil
	}
	return u.Writer.Write(m) //nolint:wrapcheck // the server looks at what it is
}

// saysFormatError reports whether a message says that what it answers cannot be
// read: only the server itself says so.
func saysFormatError(m []byte) bool { return len(m) > 3 && m[3]&0xF == dns.RcodeFormatError }

// mayComplain counts a query that cannot be read, and reports whether its client
// is told so.
func (p *Pool) mayComplain(v *View, w dns.Writer) bool {
	at, ok := w.(interface{ RemoteAddr() net.Addr })
	if !ok || v == nil || !v.answers(addrOf(at.RemoteAddr()).Addr()) {
		p.metrics.count(Stranger)
		return false
	}
	from := addrOf(at.RemoteAddr())
	done, ok := p.callers.begin(from.Addr(), v.DNS.QueriesPerSecond)
	if !ok {
		p.limited(v, from, dns.Question{})
		return false
	}
	done()
	p.metrics.count(Unreadable)
	return true
}
