package file

import (
	"regexp"

	"go.yaml.in/yaml/v3"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/source"
	"github.com/hopgate/hopgate/gateway/source/schema"
)

// prefix is the readable beginning of a broken document.
func prefix(text []byte, problem *textProblem) map[string]any {
	obj := map[string]any{}
	if problem.readable != nil && problem.readable.Kind == yaml.MappingNode {
		if value, _, _ := convert(problem.readable); value != nil {
			obj, _ = value.(map[string]any)
		}
	}
	return withKind(obj, text)
}

// withKind looks in the text for a kind that closes something, where the
// readable beginning has none. An XBackend of which not even that can be read
// closes nothing.
func withKind(obj map[string]any, text []byte) map[string]any {
	closing := regexp.MustCompile(`\bkind["']?[ \t]*:[ \t]*["']?(AccessPolicy|Credential|Quarantine)\b`)
	if _, ok := obj["kind"].(string); !ok {
		if m := closing.FindSubmatch(text); m != nil {
			obj["kind"] = string(m[1])
		}
	}
	return obj
}

// meantKind is the kind that a document of which only a part was read was most
// likely meant to be; empty when that cannot be told.
func meantKind(obj map[string]any) source.Kind {
	if _, ok := obj["apiVersion"].(string); ok {
		return readHeader(obj).kind
	}
	name, _ := obj["kind"].(string)
	return kindNamed(name)
}

// extent is how much of a document was read.
type extent int

const (
	// whole: it is JSON data.
	whole extent = iota
	// gaps: it was parsed to its end, but for values that are none, and names
	// that are there twice.
	gaps
	// beginning: the lines before the one where it breaks, or none.
	beginning
)

// broken is what a bad document is delivered as, if it was meant to close
// something: its name, and what it closes as far as that can be read. Whatever
// may be wrong about them is reported as unknown, to be taken at its widest. It
// returns nil for kinds that open.
func (d *documents) broken(out outcome, obj map[string]any, e extent) *source.Object {
	id := out.id
	ref := id.ref
	if !id.known() {
		// A name that another object may have would hide that one. Two documents
		// of one text close the same.
		ref.Name = "unreadable-" + textHash(out.chunk.text)[:12]
	}
	value, sure := lenient(ref, obj, e)
	if value == nil {
		return nil
	}
	return &source.Object{
		Ref:    ref,
		Value:  value,
		Origin: source.Origin{File: d.shown, Line: out.line, Document: out.chunk.document},
		Hash:   textHash(out.chunk.text),
		Broken: &source.Breakage{
			Reason:           firstError(out.problems),
			NamespaceUnknown: !id.namespaceKnown,
			NameUnknown:      !id.known(),
			TargetsUnknown:   !sure,
		},
	}
}

// lenient reads of a bad document what it closes; nil: it is of a kind that
// closes nothing, or nobody knows what. It is sure when what it gives is all
// that the document can have meant.
func lenient(ref source.Ref, obj map[string]any, e extent) (value source.Typed, sure bool) {
	if !closing(ref) {
		return nil, false
	}
	spec, _ := obj["spec"].(map[string]any)
	switch ref.Kind {
	case kindXBackend:
		return lenientXBackend(ref, spec)
	case kindPolicy:
		targets, sure := lenientTargets(obj)
		return barePolicy(ref, targets), sure && e == whole
	case kindCredential:
		return lenientCredential(ref, spec, e)
	default:
		return lenientQuarantine(ref, spec, e)
	}
}

func barePolicy(ref source.Ref, targets []gatewayv1.LocalPolicyTargetReferenceWithSectionName) *v1alpha1.AccessPolicy {
	return &v1alpha1.AccessPolicy{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion().String(), Kind: ref.Kind},
		ObjectMeta: metav1.ObjectMeta{Namespace: ref.Namespace, Name: ref.Name, Generation: 1},
		Spec:       v1alpha1.AccessPolicySpec{TargetRefs: targets, Mode: v1alpha1.ModeEnforce},
	}
}

// lenientTargets reads spec.targetRefs. It is sure only when each entry names
// something that a policy can guard: an entry with a slip in it guards
// something too, but nobody knows what.
func lenientTargets(obj map[string]any) (targets []gatewayv1.LocalPolicyTargetReferenceWithSectionName, sure bool) {
	spec, _ := obj["spec"].(map[string]any)
	list, ok := spec["targetRefs"].([]any)
	sure = ok && len(list) > 0
	for key := range spec {
		if key != "targetRefs" && schema.Nearest(key, []string{"targetRefs"}, 3) != "" {
			sure = false
		}
	}
	for _, entry := range list {
		target, ok := lenientTarget(entry)
		if !ok {
			sure = false
			continue
		}
		targets = append(targets, target)
	}
	return targets, sure
}

// lenientTarget reads one target. A section that cannot be read is left out:
// the whole object is wider.
func lenientTarget(entry any) (gatewayv1.LocalPolicyTargetReferenceWithSectionName, bool) {
	var t gatewayv1.LocalPolicyTargetReferenceWithSectionName
	m, _ := entry.(map[string]any)
	group, groupOK := m["group"].(string)
	kind, kindOK := m["kind"].(string)
	name, nameOK := m["name"].(string)
	if !groupOK || !kindOK || !nameOK || !guardable(group, kind) || len(validation.IsDNS1123Subdomain(name)) > 0 {
		return t, false
	}
	t.Group, t.Kind, t.Name = gatewayv1.Group(group), gatewayv1.Kind(kind), gatewayv1.ObjectName(name)
	if section, ok := m["sectionName"].(string); ok && len(validation.IsDNS1123Subdomain(section)) == 0 {
		s := gatewayv1.SectionName(section)
		t.SectionName = &s
	}
	return t, true
}

func guardable(group, kind string) bool {
	switch (source.Ref{Group: group, Kind: kind}) {
	case source.Ref{Group: source.GroupGateway, Kind: "Gateway"},
		source.Ref{Group: source.GroupGateway, Kind: "HTTPRoute"},
		source.Ref{Group: source.GroupGatewayX, Kind: "XBackend"},
		source.Ref{Group: source.GroupCore, Kind: "Service"}:
		return true
	}
	return false
}
