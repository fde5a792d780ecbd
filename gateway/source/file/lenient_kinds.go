package file

import (
	"maps"
	"slices"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayxv1alpha1 "sigs.k8s.io/gateway-api/apisx/v1alpha1"

	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/source"
	"github.com/hopgate/hopgate/gateway/source/schema"
)

// Kinds that close something.
const (
	kindPolicy     = "AccessPolicy"
	kindCredential = "Credential"
	kindQuarantine = "Quarantine"
	kindXBackend   = "XBackend"
)

// closing says whether an object of this kind closes something.
func closing(ref source.Ref) bool {
	switch ref.Group {
	case source.GroupGatewayX:
		return ref.Kind == kindXBackend
	case source.GroupHopgate:
		return ref.Kind == kindPolicy || ref.Kind == kindCredential || ref.Kind == kindQuarantine
	}
	return false
}

// lenientXBackend reads the destination: without a host name there is none, and
// without a port it is every one.
func lenientXBackend(ref source.Ref, spec map[string]any) (source.Typed, bool) {
	external, _ := near(spec, "externalHostname").(map[string]any)
	host, _ := near(external, "hostname").(string)
	if host == "" {
		return nil, false
	}
	port := portOf(near(spec, "port"))
	return &gatewayxv1alpha1.XBackend{
		TypeMeta:   metav1.TypeMeta{APIVersion: source.GroupGatewayX + "/v1alpha1", Kind: ref.Kind},
		ObjectMeta: metav1.ObjectMeta{Namespace: ref.Namespace, Name: ref.Name, Generation: 1},
		Spec: gatewayxv1alpha1.BackendSpec{
			Type:             gatewayxv1alpha1.BackendTypeExternalHostname,
			ExternalHostname: &gatewayxv1alpha1.ExternalHostnameBackend{Hostname: gatewayv1.PreciseHostname(host)},
			Port:             gatewayxv1alpha1.BackendPort{Port: port},
		},
	}, port != 0
}

// near is a field, or what stands under a name that is a slip of its.
func near(m map[string]any, field string) any {
	if v, ok := m[field]; ok {
		return v
	}
	for _, key := range slices.Sorted(maps.Keys(m)) {
		if schema.Nearest(key, []string{field}, 2) != "" {
			return m[key]
		}
	}
	return nil
}

// portOf reads {port: N}, {number: N} or N, where N may be a text; 0: it is no
// port.
func portOf(v any) gatewayxv1alpha1.PortNumber {
	if m, ok := v.(map[string]any); ok {
		v = near(m, "port")
		if number := near(m, "number"); number != nil && v != nil {
			return 0
		} else if number != nil {
			v = number
		}
	}
	text, _ := v.(string)
	if n, ok := v.(int64); ok {
		text = strconv.FormatInt(n, 10)
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return 0
	}
	return gatewayxv1alpha1.PortNumber(n)
}

// lenientCredential reads the backend. One that cannot be read for sure is any.
func lenientCredential(ref source.Ref, spec map[string]any, e extent) (source.Typed, bool) {
	v := &v1alpha1.Credential{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion().String(), Kind: ref.Kind},
		ObjectMeta: metav1.ObjectMeta{Namespace: ref.Namespace, Name: ref.Name, Generation: 1},
	}
	target, _ := spec["targetRef"].(map[string]any)
	kind, _ := target["kind"].(string)
	name, _ := target["name"].(string)
	if e == beginning || (kind != kindXBackend && kind != "Service") || len(validation.IsDNS1123Subdomain(name)) > 0 {
		return v, false
	}
	v.Spec.TargetRef = v1alpha1.CredentialTarget{Kind: kind, Name: name}
	return v, true
}

// lenientQuarantine reads whom it cuts off, and until when. Each part that
// cannot be read for sure is left out, and then it is any: a line that was not
// read may go on with what was. No place stays open.
func lenientQuarantine(ref source.Ref, spec map[string]any, e extent) (source.Typed, bool) {
	v := &v1alpha1.Quarantine{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion().String(), Kind: ref.Kind},
		ObjectMeta: metav1.ObjectMeta{Name: ref.Name, Generation: 1},
	}
	if e == beginning {
		return v, false
	}
	target, _ := spec["target"].(map[string]any)
	v.Spec.Target.Value, _ = target["value"].(string)
	kind, _ := target["type"].(string)
	domain, domained := target["trustDomainRef"]
	v.Spec.Target.Type = quarantineType(kind, domained)
	v.Spec.Target.TrustDomainRef = trustDomainOf(domain)
	text, _ := spec["until"].(string)
	if until, err := time.Parse(time.RFC3339, text); err == nil {
		v.Spec.Until = metav1.NewTime(until)
	}
	v.Spec.Reason, _ = spec["reason"].(string)
	return v, v.Spec.Target.Type != "" && v.Spec.Target.Value != ""
}

// quarantineType is a type that is known; a Peer that is in a trust domain was
// meant as something else.
func quarantineType(kind string, domained bool) v1alpha1.QuarantineType {
	t := v1alpha1.QuarantineType(kind)
	known := []v1alpha1.QuarantineType{
		v1alpha1.QuarantineAgent, v1alpha1.QuarantineSubject, v1alpha1.QuarantineTransaction, v1alpha1.QuarantineToken, v1alpha1.QuarantinePeer,
	}
	if !slices.Contains(known, t) || t == v1alpha1.QuarantinePeer && domained {
		return ""
	}
	return t
}

// trustDomainOf is nil where it cannot be read.
func trustDomainOf(v any) *v1alpha1.QuarantineTrustDomain {
	m, _ := v.(map[string]any)
	namespace, _ := m["namespace"].(string)
	name, _ := m["name"].(string)
	if len(validation.IsDNS1123Label(namespace)) > 0 || len(validation.IsDNS1123Subdomain(name)) > 0 {
		return nil
	}
	return &v1alpha1.QuarantineTrustDomain{Namespace: namespace, Name: name}
}
