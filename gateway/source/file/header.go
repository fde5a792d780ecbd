package file

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/hopgate/hopgate/gateway/source"
	"github.com/hopgate/hopgate/gateway/source/schema"
)

// verdict is what apiVersion and kind say of a document.
type verdict struct {
	kind source.Kind
	// problem is nil when the kind is read.
	problem *source.Problem
	// meant: the problem hides an object that was meant for us.
	meant bool
}

// readHeader looks at apiVersion and kind. Where they do not name a kind that
// is read, verdict.kind is the one that they most likely mean, or empty.
func readHeader(obj map[string]any) verdict {
	if !looksLikeObject(obj) {
		return verdict{problem: &source.Problem{
			Severity: source.Info, Message: "is no object: it has no apiVersion and no kind", Mend: "it is left out",
		}}
	}
	apiVersion, problem := headerField(obj, "apiVersion")
	if problem != nil {
		name, _ := obj["kind"].(string)
		return verdict{kind: kindNamed(name), problem: problem, meant: true}
	}
	group, version, ok := strings.Cut(apiVersion, "/")
	if !ok {
		group, version = "", apiVersion
	}
	var v verdict
	if name, problem := headerField(obj, "kind"); problem != nil {
		v = verdict{problem: problem, meant: true}
	} else {
		v = judge(group, version, name)
	}
	if v.meant && v.kind.Kind == "" && policyShaped(group, obj) {
		v.kind, _ = source.Lookup(source.GroupHopgate, "AccessPolicy")
	}
	return v
}

// policyShaped is true for what can only have been meant as an AccessPolicy,
// whatever its kind says.
func policyShaped(group string, obj map[string]any) bool {
	spec, _ := obj["spec"].(map[string]any)
	for key := range spec {
		if group != source.GroupHopgate && nearGroup(group) != source.GroupHopgate {
			return false
		}
		if schema.Nearest(key, []string{"rules", "targetRefs"}, 1) != "" {
			return true
		}
	}
	return false
}

// looksLikeObject is false for other data that lies in the same folder: key
// sets, values of a template.
func looksLikeObject(obj map[string]any) bool {
	for key := range obj {
		if schema.Nearest(key, []string{"apiVersion", "kind", "metadata", "spec"}, 1) != "" {
			return true
		}
	}
	return false
}

func headerField(obj map[string]any, field string) (string, *source.Problem) {
	value, there := obj[field]
	text, ok := value.(string)
	if ok && text != "" {
		return text, nil
	}
	p := &source.Problem{Field: field, Severity: source.Error, Message: "is required", Mend: "add it"}
	if there && value != nil && !ok {
		p.Message, p.Mend = "must be a string", "put it in quotes"
		return "", p
	}
	if near := schema.Nearest(field, slices.Sorted(maps.Keys(obj)), 2); near != "" && near != field {
		p.Field, p.Message, p.Mend = near, fmt.Sprintf("unknown field %q", near), fmt.Sprintf("did you mean %q?", field)
	}
	return "", p
}

func judge(group, version, name string) verdict {
	if !slices.Contains(groups(), group) {
		return foreign(group, name)
	}
	kind, ok := source.Lookup(group, name)
	if !ok {
		return unknownKind(group, name)
	}
	if !kind.Reads(version) {
		return verdict{kind: kind, meant: true, problem: &source.Problem{
			Field: "apiVersion", Severity: source.Error,
			Message: fmt.Sprintf("version %s of %s is not read", version, name),
			Mend:    "write apiVersion: " + kind.APIVersion(),
		}}
	}
	return verdict{kind: kind}
}

// foreign is for groups that are not read. One that is nearly ours is a slip.
func foreign(group, name string) verdict {
	if near := nearGroup(group); near != "" {
		kind, _ := source.Lookup(near, schema.Nearest(name, kindNames(near), 2))
		return verdict{kind: kind, meant: true, problem: &source.Problem{
			Field: "apiVersion", Severity: source.Error,
			Message: fmt.Sprintf("group %q is not read", group), Mend: fmt.Sprintf("did you mean %q?", near),
		}}
	}
	p := &source.Problem{
		Field: "apiVersion", Severity: source.Info,
		Message: fmt.Sprintf("%s of group %q is left out", name, group), Mend: "nothing of that group is read",
	}
	if strings.HasSuffix(name, "AccessPolicy") {
		// Who writes one expects it to hold.
		p.Severity = source.Warning
	}
	return verdict{problem: p}
}

// nearGroup is the group of ours that another is a slip of, or empty.
func nearGroup(group string) string { return schema.Nearest(group, groups()[1:], 3) }

// unknownKind is for kinds that are not read, of groups that are. In the
// groups of Kubernetes itself they are common and harmless.
func unknownKind(group, name string) verdict {
	p := &source.Problem{Field: "kind", Severity: source.Error, Message: name + " is not read by this version"}
	if near := schema.Nearest(name, kindNames(group), 2); near != "" {
		kind, _ := source.Lookup(group, near)
		p.Mend = fmt.Sprintf("did you mean %q?", near)
		return verdict{kind: kind, problem: p, meant: true}
	}
	p.Mend = "remove the document; read here: " + strings.Join(kindNames(group), ", ")
	switch {
	case group == source.GroupCore && name == "List":
		p.Mend = `write its items as documents of their own, with a line "---" between them`
	case group == source.GroupCore, group == source.GroupDiscovery:
		p.Severity, p.Mend = source.Warning, "remove the document"
		return verdict{problem: p}
	}
	return verdict{problem: p, meant: true}
}

// kindNamed finds the one kind of that name, whatever its group and letter
// case.
func kindNamed(name string) source.Kind {
	for _, k := range source.Kinds() {
		if strings.EqualFold(k.Kind, name) {
			return k
		}
	}
	return source.Kind{}
}

// groups are those that are read, the core group first.
func groups() []string {
	return []string{source.GroupCore, source.GroupDiscovery, source.GroupGateway, source.GroupGatewayX, source.GroupHopgate}
}

func kindNames(group string) []string {
	var out []string
	for _, k := range source.Kinds() {
		if k.Group == group {
			out = append(out, k.Kind)
		}
	}
	return out
}

// identity is what is known of which object a document is.
type identity struct {
	ref                       source.Ref
	namespaceKnown, nameKnown bool
}

// known is true when the document can be no other object.
func (i identity) known() bool { return i.ref.Kind != "" && i.namespaceKnown && i.nameKnown }

// shown is the Ref for a message: without what is not known.
func (i identity) shown() source.Ref {
	ref := i.ref
	if ref.Kind == "" {
		return source.Ref{}
	}
	if !i.namespaceKnown {
		ref.Namespace = ""
	}
	return ref
}

// identify reads the name of an object of which nothing is checked yet.
// complete says that the document was read to its end: else what is missing
// may be in the part that was not.
func identify(kind source.Kind, obj map[string]any, complete bool) identity {
	id := identity{ref: source.Ref{Group: kind.Group, Kind: kind.Kind}}
	meta, _ := obj["metadata"].(map[string]any)
	if name, ok := meta["name"].(string); ok && len(validation.IsDNS1123Subdomain(name)) == 0 {
		id.ref.Name, id.nameKnown = name, true
	}
	if kind.Kind != "" && !kind.Namespaced {
		id.namespaceKnown = true
		return id
	}
	namespace, there := meta["namespace"]
	if text, ok := namespace.(string); ok && len(validation.IsDNS1123Label(text)) == 0 {
		id.ref.Namespace, id.namespaceKnown = text, true
		return id
	}
	id.ref.Namespace = source.DefaultNamespace
	id.namespaceKnown = !there && complete && meta != nil && onlyKnownMetadata(meta)
	return id
}

// onlyKnownMetadata is false where a field may be a misspelt namespace.
func onlyKnownMetadata(meta map[string]any) bool {
	for key := range meta {
		switch key {
		case "name", "labels", "annotations", "finalizers", "ownerReferences", "generateName",
			"uid", "resourceVersion", "generation", "creationTimestamp", "managedFields":
		default:
			return false
		}
	}
	return true
}
