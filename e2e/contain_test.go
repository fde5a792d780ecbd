package e2e

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hopgate/hopgate/authz/admin"
	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/authz/contain"
	"github.com/hopgate/hopgate/authz/token"
	"github.com/hopgate/hopgate/internal/testenv"
	"github.com/hopgate/hopgate/internal/testgateway"
)

// cutOff is a gateway behind which everything streams without end.
type cutOff struct {
	*testgateway.Gateway
	site, web *upstream
	admin     *admin.Client
}

func newCutOff(t *testing.T, opts ...testgateway.Option) *cutOff {
	t.Helper()
	c := &cutOff{site: newUpstream(t, ticks), web: newTLSUpstream(t, "web.example", ticks)}
	c.Gateway = testgateway.Run(t, map[string]string{
		"gateway.yaml": testgateway.Listeners + config(egress("", "web.example:"+c.web.port())) +
			service("page", c.site.port(), plain, "/page") + service("tools", c.site.port(), mcp, "/mcp") +
			service("models", c.site.port(), openAI, "/v1") + service("grpc", grpcPort(t), h2c, "/grpc.health.v1.Health"),
		"policy.yaml": c.policies("page"),
	}, opts...)
	client, err := admin.NewClient(c.State)
	if err != nil {
		t.Fatal(err)
	}
	c.admin = client
	return c
}

// policies let everything through, and pages by a rule of this name.
func (c *cutOff) policies(paths string) string {
	return policy("all", `{name: http, to: {type: HTTP, http: [{paths: ["/`+paths+`/**", "/grpc.health.v1.Health/*"]}]}, action: Allow}`,
		allow("tools", "{type: Tools, tools: [{servers: [{name: tools}]}]}"),
		allow("models", "{type: Models, models: [{providers: [{name: models}]}]}"),
		allow("hosts", "{type: Hosts, hosts: [{names: ['*.example'], ports: ["+c.web.port()+"]}]}"))
}

// by is a token of an agent, in a transaction of its own.
func (c *cutOff) by(txn, agent string, actors ...string) string {
	return c.Token(lifetime(10*time.Minute), func(p *token.Params) { p.Txn, p.Agent, p.Actors = txn, agent, actors })
}

// TestCutOff has streams of every kind ended by an order, within a second and
// with a word where there is a place for one, while others go on.
func TestCutOff(t *testing.T) {
	t.Parallel()
	c := newCutOff(t)
	kinds := []struct {
		name, word string
		open       func(t *testing.T, token string) io.Reader
	}{
		{"events of a page", "", func(t *testing.T, token string) io.Reader {
			return body(t, newClient(t), request(t, "GET", c.URL("/page/events"), token, ""))
		}},
		{"events over HTTP/2", "", func(t *testing.T, token string) io.Reader {
			return body(t, &http.Client{Transport: newHTTP2(t)}, request(t, "GET", c.URL("/page/events2"), token, ""))
		}},
		{"a tool that streams", `"error":{"code":-32043`, func(t *testing.T, token string) io.Reader {
			return body(t, newClient(t), request(t, "POST", c.URL("/mcp"), token, searchCall))
		}},
		{"a tool that streams over HTTP/2", `"error":{"code":-32043`, func(t *testing.T, token string) io.Reader {
			return body(t, &http.Client{Transport: newHTTP2(t)}, request(t, "POST", c.URL("/mcp"), token, searchCall))
		}},
		{"a model that streams", `data: {"error":{"message"`, func(t *testing.T, token string) io.Reader {
			return body(t, newClient(t), request(t, "POST", c.URL("/v1/chat/completions"), token, `{"model":"m","stream":true,"messages":[]}`))
		}},
		{"a tunnel", "", func(t *testing.T, token string) io.Reader {
			w, a := tunnel(t, c.Gateway, "web.example:"+c.web.port(), token)
			a.want(t, 200, "")
			return secureStream(t, &streams{Gateway: c.Gateway, web: c.web}, w)
		}},
	}
	orders := []struct {
		name string
		ask  admin.Ask
		end  audit.End
		code string
	}{
		{"txn", admin.Ask{Verb: contain.VerbRevoke, Kind: contain.KindTxn, Value: "mine txn"}, audit.EndRevoked, "revoked"},
		{"agent", admin.Ask{Verb: contain.VerbQuarantine, Kind: contain.KindAgent, Value: "planner"}, audit.EndQuarantined, "quarantined"},
	}
	for n, o := range orders {
		mine, other := c.by("mine "+o.name, "coder", "planner"), c.by("other", "writer")
		var ends []<-chan heard
		for _, k := range kinds {
			ends = append(ends, listen(k.open(t, mine)))
		}
		alive := listen(kinds[0].open(t, other))
		testenv.Wait(t, "all streams to live", func() bool { return len(c.Guard().Streams()) == len(kinds)+1+n })
		given := time.Now()
		done, err := c.admin.Order(t.Context(), o.ask)
		if err != nil {
			t.Fatal(err)
		}
		if done.Ended != len(kinds) {
			t.Errorf("%s: %d streams are said to have ended, want %d", o.name, done.Ended, len(kinds))
		}
		for i, k := range kinds {
			h := <-ends[i]
			if late := h.at.Sub(given); late > time.Second {
				t.Errorf("%s: %s ended %s after the order", o.name, k.name, late)
			}
			if k.word != "" && (!strings.Contains(h.tail, k.word) || !strings.Contains(h.tail, `"`+o.code+`"`) || h.err != nil) {
				t.Errorf("%s: %s ended by %v with %q", o.name, k.name, h.err, h.tail)
			}
		}
		(&streams{Gateway: c.Gateway}).endedAs(t, o.end, func(r audit.Record) bool { return r.Name == "search_code" && r.Txn == "mine "+o.name })
		if a := get(t, c.Gateway, "/page/new", mine); !strings.Contains(a.body, `"`+o.code+`"`) {
			t.Errorf("%s: a new hop is answered %d %s", o.name, a.status, a.body)
		}
		select {
		case h := <-alive:
			t.Errorf("%s: a stream of somebody else ended too: %v", o.name, h.err)
		default:
		}
		if _, err := c.admin.Lift(t.Context(), done.Order.ID); err != nil {
			t.Fatal(err)
		}
	}
}

// TestOrdersHoldAfterARestart: what was acknowledged is on disk.
func TestOrdersHoldAfterARestart(t *testing.T) {
	t.Parallel()
	c := newCutOff(t)
	if _, err := c.admin.Order(t.Context(), admin.Ask{Verb: contain.VerbRevoke, Kind: contain.KindTxn, Value: "mine"}); err != nil {
		t.Fatal(err)
	}
	if err := c.Stop(); err != nil {
		t.Fatal(err)
	}
	c.Launch()
	testenv.Wait(t, "the gateway to be ready again", c.Ready)
	if a := get(t, c.Gateway, "/page/x", c.by("mine", "coder")); !strings.Contains(a.body, `"revoked"`) {
		t.Errorf("after a restart: %d %s", a.status, a.body)
	}
}

// TestAPolicyThatChangesEndsStreams decides what lives again by the new rules:
// those that no longer pass end, the others go on.
func TestAPolicyThatChangesEndsStreams(t *testing.T) {
	t.Parallel()
	c := newCutOff(t)
	token := c.by("mine", "coder")
	page := listen(body(t, newClient(t), request(t, "GET", c.URL("/page/events"), token, "")))
	tool := listen(body(t, newClient(t), request(t, "POST", c.URL("/mcp"), token, searchCall)))
	testenv.Wait(t, "both streams to live", func() bool { return len(c.Guard().Streams()) == 2 })
	c.Write("policy.yaml", c.policies("elsewhere"))
	<-page
	(&streams{Gateway: c.Gateway}).endedAs(t, audit.EndRefused, func(r audit.Record) bool { return r.Path == "/page/events" })
	select {
	case h := <-tool:
		t.Errorf("a stream ended that still passes: %v %q", h.err, h.tail)
	default:
	}
	c.Write("quarantine.yaml", `
apiVersion: hopgate.dev/v1alpha1
kind: Quarantine
metadata: {name: coder}
spec:
  target: {type: Agent, trustDomainRef: {namespace: default, name: local}, value: coder}
  until: "2100-01-01T00:00:00Z"
`)
	if h := <-tool; !strings.Contains(h.tail, `"quarantined"`) {
		t.Errorf("the tool's stream ended by %v with %q", h.err, h.tail)
	}
	(&streams{Gateway: c.Gateway}).endedAs(t, audit.EndQuarantined, func(r audit.Record) bool { return r.Name == "search_code" })
}

// heard is how a stream ended, and its last words.
type heard struct {
	tail string
	at   time.Time
	err  error
}

// listen reads a stream to its end, and keeps its tail.
func listen(r io.Reader) <-chan heard {
	out := make(chan heard, 1)
	go func() {
		var tail []byte
		buf := make([]byte, 4096)
		for {
			n, err := r.Read(buf)
			tail = append(tail, buf[:n]...)
			tail = tail[max(0, len(tail)-1024):]
			if err == io.EOF {
				err = nil
				out <- heard{string(tail), time.Now(), err}
				return
			}
			if err != nil {
				out <- heard{string(tail), time.Now(), err}
				return
			}
		}
	}()
	return out
}
