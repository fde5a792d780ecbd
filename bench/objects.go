package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/hopgate/hopgate/bench/objects"
)

// layout is a folder of objects: a Gateway with routes to services on this
// machine.
type layout struct {
	// port is the listener's, upstream that of everything behind it.
	port, upstream int
	routes         int
	// unleashed lets every hop go without a hold.
	unleashed bool
}

// routesAtService is how many routes lead to one service.
const routesAtService = 10

// write writes each object that people edit by itself into a file of its own.
func (l layout) write(dir string) error {
	files := map[string]string{"gateway.yaml": l.gateway()}
	for i := range l.routes {
		files[routeFile(i)] = routeObject(i, routePath(i, 0))
		if i%routesAtService == 0 {
			files[fmt.Sprintf("service-%04d.yaml", i/routesAtService)] = l.service(i / routesAtService)
		}
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return fmt.Errorf("write objects: %w", err)
		}
	}
	return nil
}

func (l layout) gateway() string {
	most := "0s"
	if l.unleashed {
		most = "5m"
	}
	return strings.NewReplacer("${PORT}", fmt.Sprint(l.port), "${UNLEASHED}", most, "${MAX}", streamMax).Replace(`
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: egress}
spec:
  gatewayClassName: hopgate
  infrastructure: {parametersRef: {group: hopgate.dev, kind: GatewayConfig, name: egress}}
  listeners:
  - {name: agents, port: ${PORT}, protocol: HTTP}
---
apiVersion: hopgate.dev/v1alpha1
kind: GatewayConfig
metadata: {name: egress}
spec:
  unmatched: Deny
  streams: {unleashedMax: ${UNLEASHED}}
---
apiVersion: hopgate.dev/v1alpha1
kind: AccessPolicy
metadata: {name: bench}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: egress}]
  rules:
  - {name: all, to: {type: HTTP, http: [{methods: [GET]}]}, action: Allow, with: {stream: {max: ${MAX}}}}
`)
}

func (l layout) service(i int) string {
	return objects.Backend(serviceName(i), fmt.Sprint(l.upstream), "")
}

func serviceName(i int) string { return fmt.Sprintf("s%04d", i) }

func routeFile(i int) string { return fmt.Sprintf("route-%04d.yaml", i) }

// routePath is what leads to route i after so many edits of it.
func routePath(i, edit int) string { return fmt.Sprintf("/r%04d/e%d", i, edit) }

func routeObject(i int, path string) string {
	return objects.Route(fmt.Sprintf("r%04d", i), serviceName(i/routesAtService), path)
}
