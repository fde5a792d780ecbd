package e2e

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/internal/testenv"
	"github.com/hopgate/hopgate/internal/testgateway"
)

// toolsByProxy is an XBackend that is a tool server; tls is its field, and
// empty: none.
func toolsByProxy(port, tls string) string {
	return `
apiVersion: gateway.networking.x-k8s.io/v1alpha1
kind: XBackend
metadata: {name: tools}
spec:
  type: ExternalHostname
  externalHostname: {hostname: tools.example}
  port: {port: ` + port + `}
  protocol: MCP
` + tls + "---\n"
}

// TestARefusedBackendStaysClosed: an edit by which an XBackend is not accepted
// does not open its destination to plain requests and tunnels, which no rule of
// tools looks at.
func TestARefusedBackendStaysClosed(t *testing.T) {
	t.Parallel()
	ts := newToolServer(t)
	at := "tools.example:" + ts.port()
	g := testgateway.Run(t, map[string]string{
		"gateway.yaml": testgateway.Listeners + config(egress("", at)),
		"tools.yaml":   toolsByProxy(ts.port(), ""),
		"policy.yaml": policy("all", strings.Replace(searchRule, "{name: tools}", "{kind: XBackend, name: tools}", 1),
			allow("hosts", "{type: Hosts, hosts: [{names: [tools.example], ports: ["+ts.port()+"]}]}"),
			allow("http", "{type: HTTP, http: [{hosts: [tools.example], ports: ["+ts.port()+"], paths: ['/**']}]}")),
	})
	token := g.Token()
	u, err := url.Parse(g.ProxyURL(token))
	if err != nil {
		t.Fatal(err)
	}
	c := newClient(t)
	c.Transport.(*http.Transport).Proxy = http.ProxyURL(u)
	code := func(call string) string {
		r := request(t, "POST", "http://"+at+"/mcp", token, call)
		r.Header.Del("Txn-Token") // the proxy's has it
		r.Header.Set("Accept", "application/json, text/event-stream")
		return send(t, c, r).code()
	}
	deleteCall := strings.Replace(searchCall, "search_code", "delete_repo", 1)
	testenv.Wait(t, "the tool server to be guarded", func() bool { return code(deleteCall) == "no_rule" })
	before := len(ts.requests())

	g.Write("tools.yaml", toolsByProxy(ts.port(), "  tls: {mode: ServerOnly, validation: {hostname: tools.example, caCertificateRefs: [{group: '', kind: ConfigMap, name: none}]}}\n"))
	testenv.Wait(t, "the refusal to take effect", func() bool { return code(deleteCall) == "surface_required" })
	if got := code(searchCall); got != "surface_required" {
		t.Errorf("a call that was allowed is answered %q", got)
	}
	_, a := tunnel(t, g, at, token)
	a.want(t, 403, "surface_required")
	if n := len(ts.requests()) - before; n != 0 {
		t.Errorf("the tool server saw %d requests", n)
	}

	g.Write("tools.yaml", toolsByProxy(ts.port(), ""))
	testenv.Wait(t, "the tool server to be guarded again", func() bool { return code(deleteCall) == "no_rule" })
}
