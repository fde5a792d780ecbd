package policy

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

// maxExpression is the longest expression, in bytes.
const maxExpression = 2048

func (k *checker) when(at *field.Path, in *v1alpha1.AccessRule) []*condition {
	var out []*condition
	var cost uint64
	for i, text := range in.When {
		p := at.Index(i)
		if len(text) > maxExpression {
			k.report(p, ReasonCondition, Error, "an expression has at most %d bytes", maxExpression)
			continue
		}
		c := k.c.condition(text)
		out = append(out, c)
		k.condition(p, c, in.To.Type)
		cost += c.cost
	}
	if cost > k.c.maxCost && !slices.ContainsFunc(out, func(c *condition) bool { return c.failed != "" }) {
		k.report(at, ReasonCost, Error, "the expressions may cost %d together, and %d is the most", cost, k.c.maxCost)
	}
	return out
}

func (k *checker) condition(at *field.Path, c *condition, kind v1alpha1.SurfaceType) {
	if c.failed != "" {
		k.report(at, c.reason, Error, "%s", c.failed)
		return
	}
	for _, f := range c.reads.fields {
		name, _, _ := strings.Cut(f, ".")
		if !known(name, kind) {
			k.report(at, ReasonCondition, Error, "%s is never known on type %s", name, kind)
		}
	}
	switch c.constant {
	case no:
		k.never(at, "it is always false")
	case yes:
		k.noEffect(at, "it is always true")
	}
}

// known reports whether a variable can have a value on a surface.
func known(name string, kind v1alpha1.SurfaceType) bool {
	switch name {
	case varArgs, varTool:
		return kind == v1alpha1.SurfaceTools
	case varModel:
		return kind == v1alpha1.SurfaceModels
	case varPath:
		return kind != v1alpha1.SurfaceHosts
	}
	return true
}
