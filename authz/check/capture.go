package check

import (
	"context"
	"net/http"
	"net/netip"
	"strings"

	"google.golang.org/grpc/metadata"

	"github.com/hopgate/hopgate/authz/denial"
	"github.com/hopgate/hopgate/authz/surface/egress"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

// captureTLSPrefix begins every target of a tunnel that was made of captured TLS.
const captureTLSPrefix = "e=" + string(wire.EntryCaptureTLS)

// captured reads what Envoy adds to a question about what was captured. It is
// in the call's own metadata, which nothing that is captured reaches.
func (w *work) captured(ctx context.Context) bool {
	switch {
	case !w.req.http:
		return w.connection(calledWith(ctx, wire.CallCapture))
	case strings.HasPrefix(w.req.Target, captureTLSPrefix):
		return w.from(calledWith(ctx, wire.CallSource))
	default:
		return true
	}
}

// connection is a question about a connection that was captured and is no TLS:
// it names nothing, and is asked about so that its end is recorded.
func (w *work) connection(target string) bool {
	if !strings.HasPrefix(target, captureTLSPrefix) {
		return w.deny(denial.Internal)
	}
	w.req.Target, w.req.Method, w.req.Host = target, http.MethodConnect, ""
	return true
}

// from puts the question where the connection came from that the tunnel was
// made of: the tunnel itself came from Envoy.
func (w *work) from(at string) bool {
	a, err := netip.ParseAddrPort(at)
	if err != nil {
		return w.deny(denial.Internal)
	}
	w.req.Source = Peer{Address: a.Addr().String(), Port: uint32(a.Port())}
	return true
}

// calledWith is a value of the call's metadata; empty: it is not there once.
func calledWith(ctx context.Context, key string) string {
	md, ok := metadata.FromIncomingContext(ctx)
	if vs := md.Get(key); ok && len(vs) == 1 {
		return vs[0]
	}
	return ""
}

// addressOf is who opened a captured connection, as rules, orders and records
// name it: by its address, in one spelling. Empty: it came from none.
func addressOf(p *Peer) string {
	a, err := netip.ParseAddr(p.Address)
	if err != nil {
		return ""
	}
	return a.Unmap().WithZone("").String()
}

// noName is what Envoy writes for a name that is not there.
const noName = "-"

// serverName reads where captured TLS goes: what it names, at the port that
// the listener captures.
func (w *work) serverName() bool {
	named, port := cutPort(w.req.Host)
	if named == "" || named == noName {
		return w.deny(denial.NameMissing)
	}
	name, err := egress.ParseServerName(named)
	if err != nil {
		return w.refuse(err)
	}
	if w.dest.Port, err = egress.ParsePort(port); err != nil || w.dest.Port != w.hop.Target.Listener.CapturedPort {
		return w.deny(denial.Internal) // they are of one configuration
	}
	w.dest.Host = name
	w.hop.Action.Host, w.hop.Action.Port = name, w.dest.Port
	return true
}

// cutPort splits the target of a tunnel at its last colon: a name that has one
// of its own is none.
func cutPort(s string) (host, port string) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 {
		return s, ""
	}
	return s[:i], s[i+1:]
}
