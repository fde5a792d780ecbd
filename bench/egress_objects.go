package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hopgate/hopgate/cmd/hopgate/laptop"
	"github.com/hopgate/hopgate/xds/secrets"
)

// Names of the site: what tunnels to it are, and where there is a resolver what
// is below these names is too.
const (
	hostPassed    = "passed.example"
	hostInspected = "inspected.example"
	hostPlain     = "plain.example"
)

// egressLayout is a folder of objects: a Gateway with a proxy, and a site.
type egressLayout struct {
	port int
	// secure and plain are the site's ports.
	secure, plain int
	// resolver answers names; empty: the three names are of this machine.
	resolver string
}

// write writes the objects, and a CA into the state folder beside them.
func (l egressLayout) write(dir string) error {
	p := secrets.Params{Name: "bench", Lifetime: 48 * time.Hour}
	if _, err := laptop.MakeCA(filepath.Join(filepath.Dir(dir), stateDir), p, true, time.Now()); err != nil {
		return fmt.Errorf("write objects: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "gateway.yaml"), []byte(l.gateway()+l.policy()), 0o600); err != nil {
		return fmt.Errorf("write objects: %w", err)
	}
	return nil
}

// destinations is who answers the names.
func (l egressLayout) destinations() string {
	if l.resolver != "" {
		return fmt.Sprintf("{resolvers: [%q]}", l.resolver)
	}
	var hosts []string
	for _, h := range []struct {
		name string
		port int
	}{{hostPassed, l.secure}, {hostInspected, l.secure}, {hostPlain, l.plain}} {
		hosts = append(hosts, fmt.Sprintf("{name: %s, addresses: [127.0.0.1], ports: [%d]}", h.name, h.port))
	}
	return "{hosts: [" + strings.Join(hosts, ", ") + "]}"
}

func (l egressLayout) gateway() string {
	return strings.NewReplacer("${PORT}", fmt.Sprint(l.port), "${EGRESS}", l.destinations()).Replace(`
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: egress}
spec:
  gatewayClassName: hopgate
  infrastructure: {parametersRef: {group: hopgate.dev, kind: GatewayConfig, name: egress}}
  listeners:
  - {name: proxy, port: ${PORT}, protocol: hopgate.dev/Proxy}
---
apiVersion: hopgate.dev/v1alpha1
kind: GatewayConfig
metadata: {name: egress}
spec:
  unmatched: Deny
  egress: ${EGRESS}
---
`)
}

func (l egressLayout) policy() string {
	return strings.NewReplacer("${SECURE}", fmt.Sprint(l.secure), "${PLAIN}", fmt.Sprint(l.plain),
		"${PASSED}", below(hostPassed), "${INSPECTED}", below(hostInspected), "${CLEAR}", below(hostPlain)).Replace(`
apiVersion: hopgate.dev/v1alpha1
kind: AccessPolicy
metadata: {name: bench}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: egress}]
  rules:
  - {name: passed, to: {type: Hosts, hosts: [{names: [${PASSED}], ports: [${SECURE}]}]}, action: Allow}
  - {name: inspected, to: {type: Hosts, hosts: [{names: [${INSPECTED}], ports: [${SECURE}]}]}, action: Allow, with: {tls: Inspect}}
  - {name: inside, to: {type: HTTP, http: [{hosts: [${INSPECTED}], ports: [${SECURE}], methods: [GET]}]}, action: Allow}
  - {name: plain, to: {type: HTTP, http: [{hosts: [${CLEAR}], ports: [${PLAIN}], methods: [GET]}]}, action: Allow}
`)
}

// below lists a name and what is below it.
func below(name string) string { return fmt.Sprintf("%q, %q", name, "*."+name) }
