package clients

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/hopgate/hopgate/authz/admin"
	"github.com/hopgate/hopgate/authz/token"
	"github.com/hopgate/hopgate/cmd/hopgate/laptop"
	"github.com/hopgate/hopgate/internal/testenv"
	"github.com/hopgate/hopgate/internal/testgateway"
)

// Who the agents are: what reader opens passes unread, what watched opens is
// inspected, and no rule is for stranger.
const (
	reader   = "reader"
	watched  = "watched"
	stranger = "stranger"
)

// The ports of the page are those of this world, which has a network of its
// own.
const objects = `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: egress}
spec:
  gatewayClassName: hopgate
  infrastructure: {parametersRef: {group: hopgate.dev, kind: GatewayConfig, name: egress}}
  listeners:
  - {name: proxy, port: 3128, protocol: hopgate.dev/Proxy}
---
apiVersion: hopgate.dev/v1alpha1
kind: GatewayConfig
metadata: {name: egress}
spec:
  unmatched: Deny
  egress:
    hosts:
    - {name: site.example.com, addresses: [127.0.0.1], ports: [443]}
    - {name: git.example.com, addresses: [127.0.0.1], ports: [443]}
    - {name: pypi.example.com, addresses: [127.0.0.1], ports: [443]}
    - {name: npm.example.com, addresses: [127.0.0.1], ports: [443]}
    - {name: go.example.com, addresses: [127.0.0.1], ports: [443]}
    - {name: cargo.example.com, addresses: [127.0.0.1], ports: [443]}
---
apiVersion: hopgate.dev/v1alpha1
kind: AccessPolicy
metadata: {name: clients}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: egress}]
  rules:
  - name: unread
    from: {agents: [{name: reader}]}
    to: {type: Hosts, hosts: [{names: ["*.example.com"]}]}
    action: Allow
  - name: inspected
    from: {agents: [{name: watched}]}
    to: {type: Hosts, hosts: [{names: ["*.example.com"]}]}
    action: Allow
    with: {tls: Inspect}
  - name: reads
    from: {agents: [{name: watched}]}
    to: {type: HTTP, http: [{hosts: ["*.example.com"], methods: [GET, HEAD]}]}
    when: ["!path.contains('private')", "!path.contains('/pr/iv/')"]
    action: Allow
  - name: fetches
    from: {agents: [{name: watched}]}
    to: {type: HTTP, http: [{hosts: [git.example.com], methods: [POST], paths: ["/*/git-upload-pack"]}]}
    when: ["!path.contains('private')"]
    action: Allow
`

// world is a gateway, what is behind it, and what clients are to believe.
type world struct {
	*testgateway.Gateway
	site  *site
	admin *admin.Client
	// roots are what signs for the site, ca what the gateway signs by.
	roots, ca string
	// begun is when it was ready.
	begun time.Time
	// cuts is held by who waits for half of something.
	cuts sync.Mutex
}

func newWorld(t testing.TB) *world {
	t.Helper()
	a := newAuthority(t)
	w := &world{site: newSite(t, a), roots: a.file, Gateway: testgateway.New(t, map[string]string{"objects.yaml": objects})}
	w.Proxy = 3128
	w.ca = makeCA(t, w.State)
	w.Launch(func(c *laptop.Config) {
		c.Getenv = func(k string) string { return map[string]string{"SSL_CERT_FILE": a.file}[k] }
	})
	testenv.Wait(t, "the gateway to be ready", w.Ready)
	w.begun = time.Now()
	var err error
	if w.admin, err = admin.NewClient(w.State); err != nil {
		t.Fatal(err)
	}
	return w
}

// by is a token of an agent, in a transaction of its own, that was issued this
// long ago.
func (w *world) by(agent, txn string, ago time.Duration) string {
	return w.Token(func(p *token.Params) { p.Agent, p.Txn, p.IssuedAt = agent, txn, time.Now().Add(-ago) })
}

// proxy is the proxy as the page has it; with no token, if it is empty.
func (w *world) proxy(token string) string {
	if token == "" {
		return fmt.Sprintf("http://127.0.0.1:%d", w.Proxy)
	}
	return w.ProxyURL(token)
}
