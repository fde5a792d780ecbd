package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// upstream is a backend that keeps what it was sent.
type upstream struct {
	*httptest.Server
	mu   sync.Mutex
	seen []*http.Request // guarded by mu; bodies are read
}

// newUpstream answers by h, or with a line that tells what came.
func newUpstream(t testing.TB, h http.HandlerFunc) *upstream {
	t.Helper()
	u := &upstream{}
	u.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u.mu.Lock()
		u.seen = append(u.seen, r.Clone(r.Context()))
		u.mu.Unlock()
		if h != nil {
			h(w, r)
			return
		}
		n, err := io.Copy(io.Discard, r.Body)
		if err != nil {
			return
		}
		fmt.Fprintf(w, "%s %s %d", r.Method, r.URL.Path, n)
	}))
	t.Cleanup(u.Close)
	return u
}

// port is where it listens.
func (u *upstream) port() string { return u.URL[strings.LastIndex(u.URL, ":")+1:] }

func (u *upstream) requests() []*http.Request {
	u.mu.Lock()
	defer u.mu.Unlock()
	return append([]*http.Request(nil), u.seen...)
}

// service is a Service with one endpoint on loopback, and a route to it.
func service(name, port, appProtocol, path string) string {
	return `
apiVersion: v1
kind: Service
metadata: {name: ` + name + `}
spec: {ports: [{port: 80, appProtocol: "` + appProtocol + `"}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: ` + name + `, labels: {kubernetes.io/service-name: ` + name + `}}
addressType: IPv4
ports: [{port: ` + port + `}]
endpoints: [{addresses: [127.0.0.1]}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: ` + name + `}
spec:
  parentRefs: [{name: egress, sectionName: agents}]
  rules:
  - matches: [{path: {type: PathPrefix, value: ` + path + `}}]
    backendRefs: [{name: ` + name + `, port: 80}]
---
`
}

// allowAll is a policy that lets every verified caller do all of a kind.
func allowAll(name, to string) string {
	return `
apiVersion: hopgate.dev/v1alpha1
kind: AccessPolicy
metadata: {name: ` + name + `}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: egress}]
  rules: [{name: all, to: ` + to + `, action: Allow}]
---
`
}

// config is a GatewayConfig that opens hosts of this machine: NAME:PORT.
func config(hosts ...string) string {
	var b strings.Builder
	b.WriteString("\napiVersion: hopgate.dev/v1alpha1\nkind: GatewayConfig\nmetadata: {name: egress}\nspec:\n  egress:\n    hosts:\n")
	for _, h := range hosts {
		name, port, _ := strings.Cut(h, ":")
		fmt.Fprintf(&b, "    - {name: %s, addresses: [127.0.0.1], ports: [%s]}\n", name, port)
	}
	if len(hosts) == 0 {
		return "\napiVersion: hopgate.dev/v1alpha1\nkind: GatewayConfig\nmetadata: {name: egress}\nspec: {}\n---\n"
	}
	return b.String() + "---\n"
}

// portOf is the port of a URL on loopback.
func portOf(t testing.TB, url string) int {
	t.Helper()
	n, err := strconv.Atoi(url[strings.LastIndex(url, ":")+1:])
	if err != nil {
		t.Fatal(err)
	}
	return n
}
