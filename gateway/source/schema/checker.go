package schema

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"

	"github.com/hopgate/hopgate/gateway/source"
)

// Checker holds the compiled schemas. Use New.
type Checker struct {
	plans    map[source.Ref]*plan
	metadata func() (*shape, error)
}

// plan is how one kind is checked.
type plan struct {
	kind  source.Kind
	shape func() (*shape, error)
	// rules compiles the validation rules; nil when there are none.
	rules func() *cel.Validator
	// custom is true for kinds that have a CRD.
	custom bool
}

// New returns a Checker for all kinds of package source. It compiles nothing.
func New() *Checker {
	c := &Checker{
		plans:    make(map[source.Ref]*plan),
		metadata: sync.OnceValues(metadataShape),
	}
	for _, k := range source.Kinds() {
		c.plans[source.Ref{Group: k.Group, Kind: k.Kind}] = newPlan(k)
	}
	return c
}

func newPlan(k source.Kind) *plan {
	p := &plan{kind: k, custom: k.Group != source.GroupCore && k.Group != source.GroupDiscovery}
	load := func() (*shape, error) { return typeShape(k) }
	if p.custom {
		load = func() (*shape, error) { return embeddedShape(k) }
	}
	p.shape = sync.OnceValues(load)
	p.rules = sync.OnceValue(func() *cel.Validator {
		s, err := p.shape()
		if err != nil {
			return nil
		}
		return cel.NewValidator(s.structural, true, celconfig.PerCallLimit)
	})
	return p
}

// Check validates one object of a kind that package source knows, and returns
// it typed, or else at least one finding that is an error. Findings are
// sorted by field. obj is changed: it is the caller's to give away. Its
// apiVersion may be any that the kind reads.
func (c *Checker) Check(k source.Kind, obj map[string]any) (source.Typed, []Finding) {
	p := c.plans[source.Ref{Group: k.Group, Kind: k.Kind}]
	if p == nil {
		return nil, []Finding{{Field: "kind", Severity: source.Error, Message: fmt.Sprintf("kind %s is not read by this version", k.Kind)}}
	}
	s, err := p.shape()
	if err != nil {
		return nil, internal("load schema", err)
	}
	meta, err := c.metadata()
	if err != nil {
		return nil, internal("load schema of metadata", err)
	}
	obj["apiVersion"], obj["kind"] = p.kind.APIVersion(), p.kind.Kind
	renamed := normalise(k, obj)
	findings := p.validate(s, meta, obj)
	var value source.Typed
	if !anyError(findings) {
		value, findings = p.decode(obj, findings)
	}
	findings = renamed.restore(findings)
	slices.SortStableFunc(findings, Finding.compare)
	return value, findings
}

// validate runs every check that needs no typed object, the cheap ones first.
func (p *plan) validate(s, meta *shape, obj map[string]any) []Finding {
	findings := checkMetadata(meta, p.kind, obj)
	strict := walker{nullIsError: p.custom}
	strict.walk(nil, obj, s.structural, true)
	findings = append(findings, strict.findings...)

	defaulting.Default(obj, s.structural)
	errs := s.validate(nil, obj)
	errs = append(errs, listtype.ValidateListSetsAndMaps(nil, s.structural, obj)...)
	if len(errs) == 0 && !anyError(findings) {
		errs = p.checkRules(s, obj)
	}
	return append(findings, fromFieldErrors(errs, p.secret())...)
}

// checkRules evaluates x-kubernetes-validations. Objects that do not fit their
// schema must not come here: a rule may trust the types it sees.
func (p *plan) checkRules(s *shape, obj map[string]any) field.ErrorList {
	rules := p.rules()
	if rules == nil {
		return nil
	}
	errs, _ := rules.Validate(context.Background(), nil, s.structural, obj, nil, celconfig.RuntimeCELCostBudget)
	return errs
}

// decode makes the typed object and runs the checks that are in code.
func (p *plan) decode(obj map[string]any, findings []Finding) (source.Typed, []Finding) {
	value := p.kind.New()
	err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(obj, value, true)
	if err != nil {
		if p.secret() {
			err = errUnreadable
		}
		return nil, append(findings, Finding{Severity: source.Error, Message: "decode: " + err.Error()})
	}
	findings = append(findings, fromFieldErrors(checkTyped(value), p.secret())...)
	if anyError(findings) {
		return nil, findings
	}
	return value, findings
}

// secret says that values of the object must not be shown.
func (p *plan) secret() bool { return p.kind.Group == source.GroupCore && p.kind.Kind == "Secret" }

// checkMetadata validates metadata and fills in the namespace. Fields that the
// API server owns are removed.
func checkMetadata(s *shape, k source.Kind, obj map[string]any) []Finding {
	delete(obj, "status")
	path := field.NewPath("metadata")
	if obj["metadata"] == nil {
		obj["metadata"] = map[string]any{}
	}
	meta, ok := obj["metadata"].(map[string]any)
	if !ok {
		// The schema of the kind says so.
		return nil
	}
	for _, name := range []string{"uid", "resourceVersion", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "managedFields", "selfLink"} {
		delete(meta, name)
	}
	meta["generation"] = int64(1)
	if k.Namespaced && (meta["namespace"] == nil || meta["namespace"] == "") {
		meta["namespace"] = source.DefaultNamespace
	}
	var w walker
	w.walk(path, meta, s.structural, false)
	errs := s.validate(path, meta)
	if len(errs) == 0 {
		errs = apivalidation.ValidateObjectMetaAccessor(&unstructured.Unstructured{Object: obj}, k.Namespaced, nameRule(k), path)
	}
	for _, e := range errs {
		if e.Type == field.ErrorTypeRequired {
			// It speaks of generateName, which is for servers.
			e.Detail = ""
		}
	}
	return append(w.findings, fromFieldErrors(errs, false)...)
}

// nameRule is RFC 1123: a label for what becomes a DNS label, a subdomain for
// all else.
func nameRule(k source.Kind) apivalidation.ValidateNameFunc {
	if k.Group == source.GroupCore && (k.Kind == "Service" || k.Kind == "Namespace") {
		return apivalidation.NameIsDNSLabel
	}
	return apivalidation.NameIsDNSSubdomain
}
