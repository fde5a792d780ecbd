package file

import (
	"fmt"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/source"
)

// describe says what a broken policy carries.
func describe(o source.Object) string {
	var parts []string
	for _, target := range o.Value.(*v1alpha1.AccessPolicy).Spec.TargetRefs {
		text := fmt.Sprintf("%s %s", target.Kind, target.Name)
		if target.SectionName != nil {
			text += "/" + string(*target.SectionName)
		}
		parts = append(parts, text)
	}
	out := "guards " + strings.Join(parts, ", ")
	if len(parts) == 0 {
		out = "guards what it can"
	}
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

// describePort is the first port of a Service.
func describePort(o source.Object) string {
	if s, ok := o.Value.(*corev1.Service); ok && len(s.Spec.Ports) > 0 {
		return strconv.Itoa(int(s.Spec.Ports[0].Port))
	}
	return ""
}
