package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/hopgate/hopgate/bench/objects"
)

// streamLayout is a folder of objects: a Gateway with pages and tools that
// stream.
type streamLayout struct {
	port, upstream int
	// unleashed lets every hop go without a hold.
	unleashed bool
}

// streamLife bounds streams: longer than any is needed, and as long as one may
// be that goes without a hold.
const streamLife = "5m"

const streamPolicyFile = "policy.yaml"

func (l streamLayout) write(dir string) error {
	for name, text := range map[string]string{"gateway.yaml": l.gateway(), streamPolicyFile: l.policy(true)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return fmt.Errorf("write objects: %w", err)
		}
	}
	return nil
}

// rewrite has streams open or closed from now on, as an editor would: by a
// rename.
func (l streamLayout) rewrite(dir string, open bool) error {
	written := filepath.Join(filepath.Dir(dir), "edited.yaml")
	if err := os.WriteFile(written, []byte(l.policy(open)), 0o600); err != nil {
		return fmt.Errorf("write a policy: %w", err)
	}
	if err := os.Rename(written, filepath.Join(dir, streamPolicyFile)); err != nil {
		return fmt.Errorf("write a policy: %w", err)
	}
	return nil
}

// policy lets short requests through, and streams where they are open.
func (l streamLayout) policy(open bool) string {
	text := `
apiVersion: hopgate.dev/v1alpha1
kind: AccessPolicy
metadata: {name: bench}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: egress}]
  rules:
  - {name: short, to: {type: HTTP, http: [{methods: [GET], paths: [` + pathShort + `]}]}, action: Allow, with: {stream: {max: ` + streamMax + `}}}
  - {name: short-tools, to: {type: Tools, tools: [{servers: [{name: tools}], names: [` + toolShort + `]}]}, action: Allow, with: {stream: {max: ` + streamMax + `}}}
`
	if open {
		text += `
  - {name: streams, to: {type: HTTP, http: [{methods: [GET]}]}, action: Allow, with: {stream: {max: ` + streamLife + `}}}
  - {name: tools, to: {type: Tools, tools: [{servers: [{name: tools}]}]}, action: Allow, with: {stream: {max: ` + streamLife + `}}}
`
	}
	return text
}

func (l streamLayout) gateway() string {
	most := "0s"
	if l.unleashed {
		most = streamLife
	}
	return strings.NewReplacer("${PORT}", fmt.Sprint(l.port), "${UNLEASHED}", most).Replace(`
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
`) + objects.Service("page", fmt.Sprint(l.upstream), "", "/page") + objects.Service("tools", fmt.Sprint(l.upstream), "hopgate.dev/mcp", pathTools)
}
