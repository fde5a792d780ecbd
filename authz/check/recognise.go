package check

import (
	"errors"
	"net/http"
	"strings"

	"github.com/hopgate/hopgate/authz/denial"
	"github.com/hopgate/hopgate/authz/surface"
	"github.com/hopgate/hopgate/authz/surface/egress"
	"github.com/hopgate/hopgate/authz/surface/llm"
	"github.com/hopgate/hopgate/authz/surface/mcp"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

// Where requests go that name no port.
const (
	httpPort  = 80
	httpsPort = 443
)

// recognise says what the request does. It reports false, with a code, where
// that cannot be told without doubt.
func (w *work) recognise() bool {
	defer func() { w.hop.Action.HeadBytes = w.req.head() }() // each surface makes an Action of its own
	t := w.hop.Target
	if !egress.PlainMethod(w.req.Method) || echoes(w.req.Method) {
		return w.unreadable(surface.Refuse(surface.ReasonHTTPMethod))
	}
	if w.req.Method == http.MethodConnect && !w.mayConnect() {
		return false
	}
	if !w.destination(t.Entry) {
		return false
	}
	if w.req.Method != http.MethodConnect && !w.overrides() {
		return false
	}
	switch v1alpha1.SurfaceType(t.Surface) {
	case v1alpha1.SurfaceTools:
		return w.tools()
	case v1alpha1.SurfaceModels:
		return w.models()
	case v1alpha1.SurfacePackages:
		return w.packages()
	case v1alpha1.SurfaceHTTP, "":
		return w.plain()
	default:
		return w.deny(denial.NotAvailable)
	}
}

// mayConnect refuses tunnels but through a proxy, and to what is reachable
// only as its surface.
func (w *work) mayConnect() bool {
	switch t := w.hop.Target; {
	case t.Entry != wire.EntryProxy && t.Entry != wire.EntryCaptureTLS:
		return w.deny(denial.NoRoute)
	case len(t.Backends) > 0:
		return w.deny(denial.SurfaceRequired)
	}
	return true
}

// destination reads where the request goes. On a route that has been chosen
// already, and the host is one more thing that rules can look at.
func (w *work) destination(e wire.Entry) bool {
	a := &w.hop.Action
	if e == wire.EntryCaptureTLS {
		return w.serverName()
	}
	var port uint16 = httpPort
	switch {
	case e == wire.EntryRoute:
		a.OnRoute = true
		port = w.hop.Target.Listener.Port
	case w.req.Method == http.MethodConnect:
		port = 0
	case e == wire.EntryCaptureHTTP:
		port = w.hop.Target.Listener.CapturedPort
	case e == wire.EntryInspected:
		a.Inspected = true
		port = httpsPort
	}
	d, err := egress.ParseAuthority(w.req.Host, port)
	if err != nil {
		return w.refuse(err)
	}
	w.dest = d
	a.Host, a.Port = d.Host, d.Port
	if a.OnRoute {
		a.Port = w.hop.Target.Listener.Port
	}
	return true
}

// refuse notes a refusal of package egress.
func (w *work) refuse(err error) bool {
	var r *egress.Refusal
	if !errors.As(err, &r) {
		return w.deny(denial.Internal)
	}
	w.reason, w.text = string(r.Reason), r.Text()
	return w.deny(r.Code())
}

// plain is a request without a protocol of its own, or a tunnel.
func (w *work) plain() bool {
	a := &w.hop.Action
	a.Kind, a.Method, a.RequestBytes = v1alpha1.SurfaceHTTP, w.req.Method, w.length()
	a.Upgrade = w.upgrades()
	if w.req.Method == http.MethodConnect {
		a.Kind = v1alpha1.SurfaceHosts
		return true
	}
	path, err := egress.KeptPath(w.req.Path)
	if err != nil {
		return w.refuse(err)
	}
	a.Path, a.Words = path, (*words)(&w.req)
	if a.Upgrade && !w.toWebSocket() {
		return w.unreadable(surface.Refuse(surface.ReasonUpgrade))
	}
	return true
}

// glance tells, for the record of a hop that is denied already, where it was
// to go. Its body is not read: who it is from is not known.
func (w *work) glance() {
	code := w.code
	if w.destination(w.hop.Target.Entry) {
		a := &w.hop.Action
		a.Method = w.req.Method
		if a.Kind == "" {
			a.Kind = v1alpha1.SurfaceHTTP
		}
		switch path, err := egress.KeptPath(w.req.Path); {
		case w.req.Method == http.MethodConnect:
			a.Kind = v1alpha1.SurfaceHosts
		case err == nil:
			a.Path = path
		}
	}
	w.code, w.reason, w.text = code, "", ""
}

// length is what the request says of its body; -1: nothing, and there may be
// one. Only HTTP/1 says by its silence that there is none. What a tunnel or an
// upgraded connection carries nobody says.
func (w *work) length() int64 {
	if w.req.Method == http.MethodConnect || w.upgrades() || w.req.Header(HeaderTransferEncoding).Count > 0 {
		return -1
	}
	f := w.req.Header(HeaderContentLength)
	if f.Count == 0 && w.req.Protocol == "HTTP/1.1" {
		return 0
	}
	n, ok := decimal(f)
	if !ok {
		return -1
	}
	return n
}

// decimal reads a content length that was sent once.
func decimal(f surface.Field) (int64, bool) {
	if f.Count != 1 || f.Value == "" || len(f.Value) > 18 {
		return 0, false
	}
	var n int64
	for i := range len(f.Value) {
		if f.Value[i] < '0' || f.Value[i] > '9' {
			return 0, false
		}
		n = 10*n + int64(f.Value[i]-'0')
	}
	return n, true
}

// partial reports whether Envoy sent a part of the body only, or the body is
// over the limit, of which one byte more than allowed was asked for. With each
// body Envoy says which it is: what it does not call whole is not.
func (w *work) partial() bool {
	f := w.req.Header(HeaderPartialBody)
	whole := f == surface.One("false") || f.Count == 0 && len(w.req.Body) == 0
	return !whole || int64(len(w.req.Body)) > w.hop.Target.BodyBytes
}

// upgrades reports whether the connection is to become another protocol's.
func (w *work) upgrades() bool { return w.req.Header(HeaderUpgrade).Count > 0 }

// toWebSocket reports whether that is WebSocket and nothing else. Envoy makes
// a tunnel of an upgrade to CONNECT, and others carry anything.
func (w *work) toWebSocket() bool {
	f := w.req.Header(HeaderUpgrade)
	return f.Count == 1 && strings.EqualFold(f.Value, "websocket")
}

func (w *work) tools() bool {
	err := w.readMCP()
	if w.upgrades() {
		err = surface.Refuse(surface.ReasonUpgrade)
	}
	if w.hop.Action.Override != "" {
		err = surface.Refuse(surface.ReasonHTTPMethod)
	}
	if twofold(w.req.Path) {
		err = surface.Refuse(surface.ReasonPath)
	}
	if err != nil {
		return w.unreadable(err)
	}
	w.take(w.mcp.Action(mcp.Input{Body: w.req.Body}))
	return true
}

// readMCP reads the request as MCP, at most once: an answer quotes its id,
// also that of a request which is denied for its token.
func (w *work) readMCP() error {
	w.mcpRead = true
	return w.mcp.Read(mcp.Input{
		HTTPMethod:      w.req.Method,
		ContentType:     w.req.Header(HeaderContentType),
		ContentEncoding: w.req.Header(HeaderContentEncoding),
		Version:         w.req.Header(HeaderMCPVersion),
		Method:          w.req.Header(HeaderMCPMethod),
		Name:            w.req.Header(HeaderMCPName),
		Body:            w.req.Body,
		Partial:         w.partial(),
	})
}

func (w *work) models() bool {
	path, query := cutQuery(w.req.Path)
	in := llm.Input{
		Provider:        w.hop.Target.Provider,
		HTTPMethod:      w.req.Method,
		Path:            path,
		Query:           query,
		ContentType:     w.req.Header(HeaderContentType),
		ContentEncoding: w.req.Header(HeaderContentEncoding),
		Body:            w.req.Body,
		Partial:         w.partial(),
	}
	w.hop.Action.Kind = v1alpha1.SurfaceModels
	if w.upgrades() {
		return w.unreadable(surface.Refuse(surface.ReasonUpgrade))
	}
	if w.hop.Action.Override != "" {
		return w.unreadable(surface.Refuse(surface.ReasonHTTPMethod))
	}
	if err := w.llm.Read(in); err != nil {
		return w.unreadable(err)
	}
	w.take(w.llm.Action(in))
	return true
}

// take is the action of a surface, at the destination that is known already.
func (w *work) take(a surface.Action) {
	host, port, onRoute := w.hop.Action.Host, w.hop.Action.Port, w.hop.Action.OnRoute
	w.hop.Action = a
	w.hop.Action.Host, w.hop.Action.Port, w.hop.Action.OnRoute = host, port, onRoute
}

// unreadable notes a refusal of a surface's reader.
func (w *work) unreadable(err error) bool {
	var u *surface.Unreadable
	if !errors.As(err, &u) {
		return w.deny(denial.Internal)
	}
	if w.hop.Action.Kind = v1alpha1.SurfaceType(w.hop.Target.Surface); w.hop.Action.Kind == "" {
		w.hop.Action.Kind = v1alpha1.SurfaceHTTP
	}
	w.reason = string(u.Reason)
	switch u.Reason {
	case surface.ReasonPartial:
		return w.deny(denial.BodyTooLarge)
	case surface.ReasonPath, surface.ReasonQuery:
		return w.deny(denial.BadPath)
	default:
		return w.deny(denial.BodyUnreadable)
	}
}

// cutQuery splits what Envoy gives as one.
func cutQuery(p string) (path, query string) {
	for i := range len(p) {
		if p[i] == '?' {
			return p[:i], p[i+1:]
		}
	}
	return p, ""
}
