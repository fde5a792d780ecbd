package denial

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/hopgate/hopgate/authz/strictjson"
	"github.com/hopgate/hopgate/authz/surface"
	"github.com/hopgate/hopgate/authz/surface/llm"
	"github.com/hopgate/hopgate/authz/surface/mcp"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

// Occasion is where a denial is said: it chooses the words.
type Occasion struct {
	// Proxy is true on a Proxy listener.
	Proxy bool
	// TLS is true of a tunnel that was made of captured TLS.
	TLS bool
	// GRPC is true for a gRPC call: Envoy makes the status of ours, and the
	// message of the body.
	GRPC    bool
	Surface v1alpha1.SurfaceType
	// Provider is the dialect of a Models surface.
	Provider string
	// MCP is what could be read of an MCP request; nil: nothing.
	MCP *mcp.Request
	// AsResult tells a refused tool call as a result that the model reads.
	AsResult bool
}

// Answer is an HTTP answer that says a denial.
type Answer struct {
	Status  int
	Headers []Header
	Body    []byte
}

// Header is one header of an answer.
type Header struct{ Name, Value string }

const (
	typeJSON    = "application/json"
	typeProblem = "application/problem+json"
	typeText    = "text/plain; charset=utf-8"
)

// Say puts d, a denial with this code, into the words of the occasion. Status
// and, where they are empty, Text and Retry of d are taken from the code.
func Say(c Code, d surface.Denial, o Occasion) Answer {
	if o.TLS {
		return alert(c)
	}
	d.Code, d.Status = c.Name, c.HTTPStatus()
	if o.Proxy {
		d.Status = proxyStatus(c)
	}
	if d.Text == "" {
		d.Text = c.Text
	}
	if d.Retry == "" {
		d.Retry = string(c.Retry)
	}
	a := body(c, &d, o)
	a.Status = d.Status
	a.Headers = append(a.Headers, Header{"cache-control", "no-store"})
	if d.Retry == string(RetryLater) {
		a.Headers = append(a.Headers, Header{"retry-after", strconv.FormatInt(max(1, d.After), 10)})
	}
	if o.Proxy {
		proxy(c, &a)
	}
	return a
}

func body(c Code, d *surface.Denial, o Occasion) Answer {
	switch {
	case o.GRPC:
		return text(c, d)
	case o.Surface == v1alpha1.SurfaceTools && o.MCP != nil:
		return rpc(d, o)
	case o.Surface == v1alpha1.SurfaceModels:
		a := Answer{Headers: []Header{{"content-type", typeJSON}}, Body: llm.AppendError(nil, o.Provider, *d)}
		if o.Provider == llm.Bedrock {
			a.Headers = append(a.Headers, Header{llm.ErrorTypeHeader, llm.ErrorType(o.Provider, d.Status)})
		}
		return a
	case o.Surface == v1alpha1.SurfacePackages:
		return packages(c, d, o)
	default:
		return problem(c, d)
	}
}

// rpc answers with status 403 whatever the reason: it is what keeps a client
// in its session, where a 401 or a 5xx would end it.
func rpc(d *surface.Denial, o Occasion) Answer {
	d.Status = http.StatusForbidden
	if o.AsResult && o.MCP.Kind == mcp.Call && o.MCP.Method == "tools/call" {
		d.Status = http.StatusOK
	}
	a := Answer{Body: o.MCP.AppendDenial(nil, *d, o.AsResult)}
	if len(a.Body) > 0 {
		a.Headers = []Header{{"content-type", typeJSON}}
	}
	return a
}

// problem is an RFC 9457 problem.
func problem(c Code, d *surface.Denial) Answer {
	b := append([]byte(nil), `{"type":`...)
	b = strictjson.AppendString(b, ProblemType(c.Name))
	b = append(b, `,"title":`...)
	b = strictjson.AppendString(b, http.StatusText(d.Status))
	b = append(b, `,"status":`...)
	b = d.AppendStatus(b)
	b = append(b, `,"detail":`...)
	b = strictjson.AppendString(b, d.Text)
	b = append(b, ',')
	b = d.AppendMembers(b)
	return Answer{Headers: []Header{{"content-type", typeProblem}}, Body: append(b, '}', '\n')}
}

// ProblemType is the URI of a code's page.
func ProblemType(code string) string { return "https://hopgate.dev/denials#" + code }

// text is one line, which Envoy makes the message of a gRPC status. Envoy
// chooses the status by ours: 400 is INTERNAL, 401 UNAUTHENTICATED, 403
// PERMISSION_DENIED, 404 UNIMPLEMENTED, 503 UNAVAILABLE.
func text(c Code, d *surface.Denial) Answer {
	var b strings.Builder
	b.WriteString(c.Name + ": " + d.Text + " (request " + d.RequestID + ", retry " + d.Retry)
	if d.Rule != "" {
		b.WriteString(", rule " + d.Policy + "/" + d.Rule)
	}
	b.WriteString(")")
	if c.Kind == Invalid {
		d.Status = http.StatusForbidden
	}
	return Answer{Headers: []Header{{"content-type", typeText}}, Body: []byte(b.String())}
}

// proxyStatus is 407 when no token was sent. A token that is there and bad is a
// 403: asking for credentials again would have the client send the same ones.
func proxyStatus(c Code) int {
	switch {
	case c.Name == TokenMissing:
		return http.StatusProxyAuthRequired
	case c.Kind == Unauthenticated:
		return http.StatusForbidden
	default:
		return c.HTTPStatus()
	}
}

// proxy says what a client of a proxy looks for: which credentials it is to
// send, and RFC 9209's Proxy-Status. Its status goes before that of any surface.
func proxy(c Code, a *Answer) {
	if c.Kind == Unauthenticated {
		a.Status = proxyStatus(c)
	}
	if c.Name == TokenMissing {
		// Bearer is taken too, and not offered: a browser that reads two challenges
		// in one line (RFC 9110 section 11.6.1) answers neither.
		a.Headers = append(a.Headers, Header{"proxy-authenticate", `Basic realm="hopgate"`})
	}
	kind := "http_request_denied"
	if c.Kind == Unavailable {
		kind = "proxy_internal_error"
	}
	a.Headers = append(a.Headers, Header{"proxy-status", `hopgate; error=` + kind + `; details="` + c.Name + `"`})
}
