package e2e

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/authz/contain"
	"github.com/hopgate/hopgate/authz/token"
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

// proxied is a client that goes by the proxy.
func proxied(t testing.TB, g *testgateway.Gateway, token string) *http.Client {
	t.Helper()
	u, err := url.Parse(g.ProxyURL(token))
	if err != nil {
		t.Fatal(err)
	}
	c := newClient(t)
	c.Transport.(*http.Transport).Proxy = http.ProxyURL(u)
	return c
}

// callCode calls a tool at a host by the proxy, and gives the code of a denial.
func callCode(t testing.TB, c *http.Client, host, call string) string {
	t.Helper()
	r := request(t, "POST", "http://"+host+"/mcp", "", call)
	r.Header.Del("Txn-Token") // the proxy's has it
	r.Header.Set("Accept", "application/json, text/event-stream")
	return send(t, c, r).code()
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
	c := proxied(t, g, token)
	code := func(call string) string { return callCode(t, c, at, call) }
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

// keyed is a Credential for a Service, from this type of secret.
func keyed(service, secretType string) string {
	return `
apiVersion: hopgate.dev/v1alpha1
kind: Credential
metadata: {name: ` + service + `}
spec:
  targetRef: {kind: Service, name: ` + service + `}
  secret: {type: ` + secretType + `, file: secret}
---
`
}

// quarantined is a Quarantine of a target.
func quarantined(target string) string {
	return `
apiVersion: hopgate.dev/v1alpha1
kind: Quarantine
metadata: {name: q}
spec:
  target: ` + target + `
  until: "2100-01-01T00:00:00Z"
`
}

// TestWhatIsBrokenAtAFirstStartIsClosed: an XBackend, a Credential and a
// Quarantine that cannot be accepted, and never were, open nothing; their
// neighbours serve; and what is mended does what it says.
func TestWhatIsBrokenAtAFirstStartIsClosed(t *testing.T) {
	t.Parallel()
	ts, site := newToolServer(t), newUpstream(t, nil)
	tools, anyPort := "tools.example:"+ts.port(), "any.example:"+ts.port()
	noPort := strings.NewReplacer("name: tools", "name: any", "hostname: tools.example", "hostname: any.example", "port: "+ts.port(), "port: none").
		Replace(toolsByProxy(ts.port(), ""))
	g := testgateway.New(t, map[string]string{
		"gateway.yaml":    testgateway.Listeners + config(egress("", tools, anyPort)),
		"tools.yaml":      toolsByProxy(ts.port(), "  tls: {mode: Odd}\n"),
		"any.yaml":        noPort,
		"sites.yaml":      service("keyed", site.port(), plain, "/keyed") + service("open", site.port(), plain, "/open"),
		"credential.yaml": keyed("keyed", "Fiel"),
		"quarantine.yaml": quarantined("{type: Agnet, trustDomainRef: {namespace: default, name: local}, value: coder}"),
		"policy.yaml": policy("all", strings.Replace(searchRule, "{name: tools}", "{kind: XBackend, name: tools}", 1),
			allow("hosts", "{type: Hosts, hosts: [{names: ['*.example'], ports: ["+ts.port()+"]}]}"),
			allow("http", "{type: HTTP, http: [{ports: ["+ts.port()+", ${HTTP}], paths: ['/**']}]}")),
	})
	if err := os.WriteFile(filepath.Join(g.Files, "secret"), []byte("sesame\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	g.Launch()
	testenv.Wait(t, "the gateway to be ready", g.Ready)
	token, coder := g.Token(), g.Token(func(p *token.Params) { p.Agent = "coder" })
	c := proxied(t, g, token)
	for _, host := range []string{tools, anyPort} {
		if got := callCode(t, c, host, searchCall); got != "surface_required" {
			t.Errorf("a request to %s is answered %q", host, got)
		}
		_, a := tunnel(t, g, host, token)
		a.want(t, 403, "surface_required")
	}
	get(t, g, "/keyed", token).want(t, 503, "credential_unavailable")
	get(t, g, "/open", token).want(t, 200, "")
	get(t, g, "/open", coder).want(t, 403, "quarantined")
	if n, m := len(ts.requests()), site.paths(); n != 0 || len(m) != 1 {
		t.Errorf("the tool server saw %d requests, the site %v", n, m)
	}

	g.Write("tools.yaml", toolsByProxy(ts.port(), ""))
	g.Write("credential.yaml", keyed("keyed", "File"))
	g.Write("quarantine.yaml", quarantined("{type: Subject, trustDomainRef: {namespace: default, name: local}, value: mallory}"))
	deleteCall := strings.Replace(searchCall, "search_code", "delete_repo", 1)
	testenv.Wait(t, "the tool server to be guarded", func() bool { return callCode(t, c, tools, deleteCall) == "no_rule" })
	testenv.Wait(t, "the Credential to be there", func() bool { return get(t, g, "/keyed", token).status == 200 })
	testenv.Wait(t, "the agent to be out", func() bool { return get(t, g, "/open", coder).status == 200 })
	for _, r := range site.requests() {
		if r.URL.Path == "/keyed" && r.Header.Get("Authorization") != "sesame" {
			t.Errorf("the site was sent %q", r.Header.Get("Authorization"))
		}
	}
}

// TestAQuarantineOfNobodyKnowsWhomIsOfEverybody: at a first start, until it is
// mended.
func TestAQuarantineOfNobodyKnowsWhomIsOfEverybody(t *testing.T) {
	t.Parallel()
	site := newUpstream(t, nil)
	g := testgateway.Run(t, map[string]string{
		"gateway.yaml":    testgateway.Listeners + config(egress("", "site.example:"+site.port())),
		"sites.yaml":      service("open", site.port(), plain, "/open"),
		"quarantine.yaml": quarantined("{type: Agent, trustDomainRef: {namespace: default, name: local}, vlaue: coder}"),
		"policy.yaml": policy("all", allow("http", "{type: HTTP, http: [{ports: [${HTTP}], paths: ['/**']}]}"),
			allow("hosts", "{type: Hosts, hosts: [{names: [site.example], ports: ["+site.port()+"]}]}")),
	})
	get(t, g, "/open", g.Token()).want(t, 403, "quarantined")
	_, a := tunnel(t, g, "site.example:"+site.port(), g.Token())
	a.want(t, 403, "quarantined")
	if orders := g.Guard().Orders(); len(orders) != 1 || orders[0].Kind != contain.KindEveryone {
		t.Errorf("the orders are %+v", orders)
	}
	g.Write("quarantine.yaml", quarantined("{type: Agent, trustDomainRef: {namespace: default, name: local}, value: coder}"))
	testenv.Wait(t, "all others to be out", func() bool { return get(t, g, "/open", g.Token()).status == 200 })
}
