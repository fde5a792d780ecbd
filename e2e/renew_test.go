package e2e

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/authz/token"
	"github.com/hopgate/hopgate/internal/testgateway"
)

// newRenewing is newStreams, but that every rule lets its streams be renewed.
// Its token lives for four seconds, and the leeway.
func newRenewing(t testing.TB) *streams {
	t.Helper()
	s := &streams{site: newUpstream(t, ticks), web: newTLSUpstream(t, "web.example", ticks)}
	renewable := func(name, to string) string {
		return "{name: " + name + ", to: " + to + ", action: Allow, with: {stream: {lifetime: Renewable, max: 4m}}}"
	}
	s.Gateway = testgateway.Run(t, map[string]string{
		"gateway.yaml": testgateway.Listeners +
			config("trustDomainRefs: [{name: short}]", "streams: {minRemaining: 0s, unleashedMax: 5m}",
				egress("", "site.example:"+s.site.port(), "web.example:"+s.web.port())) +
			trust("short", "short.example", "leeway: 1s") +
			service("page", s.site.port(), plain, "/page") + service("tools", s.site.port(), mcp, "/mcp") +
			service("grpc", grpcPort(t), h2c, "/grpc.health.v1.Health"),
		"policy.yaml": policy("all", renewable("http", "{type: HTTP, http: [{ports: [80, "+s.site.port()+", ${HTTP}]}]}"),
			renewable("tools", "{type: Tools, tools: [{servers: [{name: tools}]}]}"),
			renewable("hosts", "{type: Hosts, hosts: [{names: ['*.example'], ports: ["+s.site.port()+", "+s.web.port()+"]}]}")),
	})
	s.token, s.ends = s.short(4 * time.Second)
	return s
}

// short is a token of the short trust domain, and when what stands on it ends.
func (s *streams) short(life time.Duration, change ...func(*token.Params)) (string, time.Time) {
	var ends time.Time
	change = append(change, audience("short.example"), lifetime(life), func(p *token.Params) {
		ends = p.IssuedAt.Truncate(time.Second).Add(life + leeway)
	})
	return s.Token(change...), ends
}

// TestRenew: streams outlive their token once a fresher one of the same
// transaction came with any request, and end with that one; those of another
// agent in the transaction do not.
func TestRenew(t *testing.T) {
	t.Parallel()
	s := newRenewing(t)
	kinds := []struct {
		name, path string
		open       open
	}{
		{"events", "/page/events", func(t *testing.T, s *streams) io.Reader {
			return body(t, newClient(t), request(t, "GET", s.URL("/page/events"), s.token, ""))
		}},
		{"events over HTTP/2", "/page/events2", func(t *testing.T, s *streams) io.Reader {
			return body(t, &http.Client{Transport: newHTTP2(t)}, request(t, "GET", s.URL("/page/events2"), s.token, ""))
		}},
		{"a tool that streams", "search_code", func(t *testing.T, s *streams) io.Reader {
			return body(t, newClient(t), request(t, "POST", s.URL("/mcp"), s.token, searchCall))
		}},
		{"a WebSocket", "/page/ws", webSocket},
		{"gRPC", "/grpc.health.v1.Health/Watch", grpcStream},
		{"a tunnel", "web.example", func(t *testing.T, s *streams) io.Reader {
			w, a := tunnel(t, s.Gateway, "web.example:"+s.web.port(), s.token)
			a.want(t, 200, "")
			return secureStream(t, s, w)
		}},
		{"plain inside a tunnel", "/inside", func(t *testing.T, s *streams) io.Reader {
			w, a := tunnel(t, s.Gateway, "site.example:"+s.site.port(), s.token)
			a.want(t, 200, "")
			w.say(t, "GET /inside HTTP/1.1\r\nHost: site.example:"+s.site.port()+"\r\n\r\n")
			return w.hear(t, "GET").Body
		}},
	}
	ends := make([]<-chan ending, len(kinds))
	for i, k := range kinds {
		ends[i] = begin(k.open(t, s))
	}
	stranger, _ := s.short(4*time.Second, agent("writer"))
	other := begin(body(t, newClient(t), request(t, "GET", s.URL("/page/other"), stranger, "")))
	fresh, renewed := s.short(8 * time.Second)
	// On another listener, and denied.
	_, refused := tunnel(t, s.Gateway, "elsewhere.test:443", fresh)
	refused.want(t, 403, "name_denied")
	if e := <-other; e.at.Sub(s.ends) > 2*time.Second {
		t.Errorf("another agent's stream ended %s after its token: %v", e.at.Sub(s.ends), e.err)
	}
	for i, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			e := <-ends[i]
			if late := e.at.Sub(renewed); e.bytes == 0 || late < -300*time.Millisecond || late > 2*time.Second {
				t.Errorf("it ended %s after the fresher token, %s after the first: %v", late, e.at.Sub(s.ends), e.err)
			}
			began := func(r audit.Record) bool { return r.Path == k.path || r.Name == k.path || r.Host == k.path }
			end := s.endedAs(t, audit.EndExpired, began)
			change := s.Recorded(t, "its renewal", func(r audit.Record) bool { return r.Kind == audit.KindChange && r.Hop == end.Hop })
			if !change.Until.Equal(renewed) || change.Txn != end.Txn || change.Token == (audit.TokenID{}) {
				t.Errorf("its renewal is recorded as %+v", change)
			}
		})
	}
}

// TestRenewableEndsWithItsToken, if nobody renews it, with a word just before
// it; and Envoy was told max.
func TestRenewableEndsWithItsToken(t *testing.T) {
	t.Parallel()
	s := newRenewing(t)
	tool := listen(body(t, newClient(t), request(t, "POST", s.URL("/mcp"), s.token, searchCall)))
	streams := s.Guard().Streams()
	if len(streams) != 1 || streams[0].Last.Sub(streams[0].Since) < 239*time.Second || !streams[0].Until.Equal(s.ends) {
		t.Errorf("it is told as %+v", streams)
	}
	h := <-tool
	if late := h.at.Sub(s.ends); late < -time.Second || late > 2*time.Second {
		t.Errorf("it ended %s after its token", late)
	}
	if !strings.Contains(h.tail, `"expired"`) || h.err != nil {
		t.Errorf("its last word is %q: %v", h.tail, h.err)
	}
}
