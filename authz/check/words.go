package check

import (
	"net/http"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/hopgate/hopgate/authz/denial"
	"github.com/hopgate/hopgate/authz/rawproto"
	"github.com/hopgate/hopgate/authz/surface"
	"github.com/hopgate/hopgate/authz/surface/egress"
)

// overrideID knows the headers by which some servers take another method or
// path than the request's. Servers that read headers as variables of their
// environment take underscores for hyphens.
func overrideID(name string) (HeaderID, bool) {
	if !strings.HasPrefix(name, "x") {
		return 0, false
	}
	if strings.Contains(name, "_") {
		name = strings.ReplaceAll(name, "_", "-")
	}
	switch name {
	case "x-http-method", "x-http-method-override", "x-method-override", "x-original-method":
		return HeaderOverride, true
	case "x-original-uri", "x-original-url", "x-rewrite-url":
		return HeaderRewrite, true
	default:
		return 0, false
	}
}

// each calls f with every header, as they came.
func (r *Request) each(f func(key, value string)) {
	_ = rawproto.Fields(r.lines, func(num protowire.Number, v rawproto.Value) error {
		if num != 1 {
			return nil
		}
		var h header
		if err := v.Fields(h.field); err != nil {
			return err
		}
		value, err := h.one()
		if err == nil {
			f(h.key, value)
		}
		return err
	}) // all of it was read once: there is no error
}

// words are those of a request (surface.Words).
type words Request

func (s *words) Header(name string) surface.Word {
	return surface.HeaderWord(name, (*Request)(s).each)
}

func (s *words) Parameter(name string) surface.Word {
	_, query := cutQuery(s.Path)
	return surface.ParameterWord(query, name)
}

// head is how many bytes the request takes besides its body: method, path, host
// and headers.
func (r *Request) head() int64 {
	return int64(len(r.Method) + len(r.Path) + len(r.Host) + len(r.lines))
}

// overrides reads what else a request asks for than its method and its path
// say. What rules cannot compare is refused.
func (w *work) overrides() bool {
	if w.req.Header(HeaderRewrite).Count > 0 {
		w.reason, w.text = "path_override", "a header names another path than the request does, and some servers go by that: leave it out"
		return w.deny(denial.BadPath)
	}
	said := w.req.Header(HeaderOverride)
	_, query := cutQuery(w.req.Path)
	if m, ok := surface.MethodParameter(query); ok {
		said.Add(m)
	}
	switch {
	case said.Count == 0:
		return true
	case said.Count > 1 || !mayOverride(said.Value):
		return w.unreadable(surface.Refuse(surface.ReasonHTTPMethod))
	case said.Value != w.req.Method:
		w.hop.Action.Override = said.Value
	}
	return true
}

// mayOverride reports whether rules can say of m that it is allowed.
func mayOverride(m string) bool {
	return egress.PlainMethod(m) && len(m) <= 32 && m != http.MethodConnect && !echoes(m)
}

// echoes reports whether a server answers a method with the request that it
// got: with our credential in it (RFC 9110 section 9.3.8; TRACK is an old
// server's name for it).
func echoes(m string) bool { return m == http.MethodTrace || m == "TRACK" }
