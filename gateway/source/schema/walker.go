package schema

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/hopgate/hopgate/gateway/source"
)

// walker finds fields that a schema does not know, nulls, and quantities that
// nobody can compute with.
type walker struct {
	// nullIsError refuses nulls where the schema does not ask for one. Either
	// way they are removed, so that no later check trips over them.
	nullIsError bool
	findings    []Finding
}

// walk visits a value. At the root of a resource metadata is left out.
func (w *walker) walk(path *field.Path, value any, s *structuralschema.Structural, root bool) {
	if s == nil || s.XPreserveUnknownFields {
		return
	}
	switch value := value.(type) {
	case map[string]any:
		if s.Type != "object" {
			// A wrong type, which is reported elsewhere.
			return
		}
		for _, key := range slices.Sorted(maps.Keys(value)) {
			if root && (key == "metadata" || key == "apiVersion" || key == "kind") {
				continue
			}
			w.member(path, value, key, s)
		}
	case []any:
		for i, item := range value {
			w.walk(path.Index(i), item, s.Items, false)
		}
	case string:
		if s.XIntOrString && !computable(value) {
			w.findings = append(w.findings, Finding{Field: path.String(), Severity: source.Error, Message: "is no quantity that anything has"})
		}
	}
}

// computable is false for quantities whose parser would not come back:
// 1e-99999999999 takes all the time there is, 1e99999999999 all the memory.
func computable(quantity string) bool {
	const most, mostExponentDigits = 32, 2
	_, exponent, _ := strings.Cut(strings.ToLower(quantity), "e")
	return len(quantity) <= most && len(strings.TrimLeft(exponent, "+-i0")) <= mostExponentDigits
}

func (w *walker) member(path *field.Path, parent map[string]any, key string, s *structuralschema.Structural) {
	sub, ok := child(s, key)
	at := path.Child(key)
	if path == nil {
		at = field.NewPath(key)
	}
	switch {
	case !ok:
		w.findings = append(w.findings, unknownField(at, key, s))
	case parent[key] == nil && !sub.Nullable && sub.Default.Object == nil:
		delete(parent, key)
		if w.nullIsError {
			w.findings = append(w.findings, Finding{
				Field: at.String(), Severity: source.Error,
				Message: "has no value", Mend: "remove the field, or give it a value",
			})
		}
	default:
		w.walk(at, parent[key], sub, false)
	}
}

// child is the schema of one member. Where any value goes it is empty.
func child(s *structuralschema.Structural, key string) (*structuralschema.Structural, bool) {
	if p, ok := s.Properties[key]; ok {
		return &p, true
	}
	if a := s.AdditionalProperties; a != nil {
		if a.Structural != nil {
			return a.Structural, true
		}
		open := &structuralschema.Structural{Extensions: structuralschema.Extensions{XPreserveUnknownFields: true}}
		return open, a.Bool
	}
	return nil, false
}

func unknownField(at *field.Path, key string, s *structuralschema.Structural) Finding {
	f := Finding{Field: at.String(), Severity: source.Error, Message: fmt.Sprintf("unknown field %q", key)}
	known := slices.Sorted(maps.Keys(s.Properties))
	if near := nearest(key, known); near != "" {
		f.Mend = fmt.Sprintf("did you mean %q?", near)
	} else if len(known) > 0 {
		f.Mend = "known here: " + list(known)
	} else {
		f.Mend = "remove it"
	}
	return f
}
