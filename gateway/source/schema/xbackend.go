package schema

import (
	"strings"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"

	"github.com/hopgate/hopgate/gateway/source"
)

// renames are the fields that were read under another name, new name first.
type renames [][2]string

// restore gives findings the names that the user wrote.
func (r renames) restore(fs []Finding) []Finding {
	for i := range fs {
		for _, pair := range r {
			if fs[i].Field == pair[0] || strings.HasPrefix(fs[i].Field, pair[0]+".") {
				fs[i].Field = pair[1] + strings.TrimPrefix(fs[i].Field, pair[0])
			}
		}
	}
	return fs
}

func normalise(k source.Kind, obj map[string]any) renames {
	if k.Group == source.GroupGatewayX && k.Kind == "XBackend" {
		return NormalizeXBackend(obj)
	}
	return nil
}

// NormalizeXBackend turns the spelling of Gateway API 1.7 into that of 1.6.3,
// which the Go types have: port.number becomes port.port, status.ancestors
// becomes status.parents, ancestorRef parentRef. TLS of mode None becomes no
// TLS at all, in either spelling. What is in neither spelling stays as it is,
// for the schema to refuse. It returns the fields of spec it renamed.
func NormalizeXBackend(obj map[string]any) [][2]string {
	normaliseXBackendStatus(obj)
	spec, _ := obj["spec"].(map[string]any)
	if tls, _ := spec["tls"].(map[string]any); len(tls) == 1 && tls["mode"] == "None" {
		delete(spec, "tls")
	}
	port, _ := spec["port"].(map[string]any)
	number, ok := port["number"]
	if _, both := port["port"]; !ok || both {
		return nil
	}
	delete(port, "number")
	port["port"] = number
	return [][2]string{{"spec.port.port", "spec.port.number"}}
}

func normaliseXBackendStatus(obj map[string]any) {
	status, _ := obj["status"].(map[string]any)
	ancestors, ok := status["ancestors"].([]any)
	if !ok {
		return
	}
	for _, a := range ancestors {
		if entry, ok := a.(map[string]any); ok && entry["ancestorRef"] != nil {
			entry["parentRef"] = entry["ancestorRef"]
			delete(entry, "ancestorRef")
		}
	}
	delete(status, "ancestors")
	status["parents"] = ancestors
}

// widenXBackend adds what 1.7 accepts and the schema of 1.6.3 does not: two
// protocols; and what 1.7 asks for: TLS that is on says how the server is
// verified. Without that rule 1.6.3 leaves verification to a guess.
func widenXBackend(props *apiextensions.JSONSchemaProps) {
	spec := props.Properties["spec"]
	protocol := spec.Properties["protocol"]
	protocol.Enum = append(protocol.Enum, "GRPC", "WSS")
	spec.Properties["protocol"] = protocol
	tls := spec.Properties["tls"]
	tls.XValidations = append(tls.XValidations, apiextensions.ValidationRule{
		Rule:    "(self.mode == 'None') != has(self.validation)",
		Message: "validation is needed when mode is not None, and only then: {hostname: NAME, wellKnownCACertificates: System}",
	})
	spec.Properties["tls"] = tls
	props.Properties["spec"] = spec
}
