package file

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	gatewayxv1alpha1 "sigs.k8s.io/gateway-api/apisx/v1alpha1"

	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/source"
)

// describe says what a broken object carries.
func describe(o source.Object) string {
	out := closes(o)
	for _, unknown := range []struct {
		is   bool
		what string
	}{
		{o.Broken.NamespaceUnknown, "namespace"}, {o.Broken.NameUnknown, "name"}, {o.Broken.TargetsUnknown, "targets"},
	} {
		if unknown.is {
			out += ", " + unknown.what + " unknown"
		}
	}
	return out + ": " + o.Broken.Reason
}

// closes says what a broken object closes.
func closes(o source.Object) string {
	switch v := o.Value.(type) {
	case *v1alpha1.AccessPolicy:
		return guards(v)
	case *gatewayxv1alpha1.XBackend:
		return fmt.Sprintf("closes %s:%d", v.Spec.ExternalHostname.Hostname, v.Spec.Port.Port)
	case *v1alpha1.Credential:
		return fmt.Sprintf("closes %q %q", v.Spec.TargetRef.Kind, v.Spec.TargetRef.Name)
	case *v1alpha1.Quarantine:
		t, domain := v.Spec.Target, "every domain"
		if d := t.TrustDomainRef; d != nil {
			domain = d.Namespace + "/" + d.Name
		}
		return fmt.Sprintf("cuts off %q %q in %s until %s", t.Type, t.Value, domain, v.Spec.Until.UTC().Format(time.RFC3339))
	default:
		return fmt.Sprintf("IS %T", v)
	}
}

func guards(p *v1alpha1.AccessPolicy) string {
	var parts []string
	for _, target := range p.Spec.TargetRefs {
		text := fmt.Sprintf("%s %s", target.Kind, target.Name)
		if target.SectionName != nil {
			text += "/" + string(*target.SectionName)
		}
		parts = append(parts, text)
	}
	if len(parts) == 0 {
		return "guards what it can"
	}
	return "guards " + strings.Join(parts, ", ")
}

// describePort is the first port of a Service.
func describePort(o source.Object) string {
	if s, ok := o.Value.(*corev1.Service); ok && len(s.Spec.Ports) > 0 {
		return strconv.Itoa(int(s.Spec.Ports[0].Port))
	}
	return ""
}
