package policy

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

// checker compiles one policy and takes down what is wrong with it. What
// cannot be compiled is left out of the result: with an Error the policy is
// rejected as a whole.
type checker struct {
	c *Compiler
	// namespace is the policy's.
	namespace string
	// resolved: references must be complete, as they are in the feed.
	resolved bool
	problems []Problem
	// restricts: the rule at hand is a Deny or Ask.
	restricts bool
}

func (k *checker) report(at *field.Path, r Reason, s Severity, format string, args ...any) {
	k.problems = append(k.problems, Problem{
		Field: at.String(), Reason: r, Severity: s, Message: fmt.Sprintf(format, args...),
	})
}

func (k *checker) invalid(at *field.Path, format string, args ...any) {
	k.report(at, ReasonInvalid, Error, format, args...)
}

// never is for what can match nothing. An Allow that never matches opens
// nothing; a Deny or Ask that never does was meant to close something.
func (k *checker) never(at *field.Path, format string, args ...any) {
	s := Warning
	if k.restricts {
		s = Error
	}
	k.report(at, ReasonNeverMatches, s, format, args...)
}

func (k *checker) noEffect(at *field.Path, why string) {
	k.report(at, ReasonNoEffect, Warning, "%s", why)
}

// unknown is for a value that is not in an enum: enums are open, and what is
// not known denies.
func (k *checker) unknown(at *field.Path, got any, known ...any) {
	var names []string
	for _, v := range known {
		names = append(names, fmt.Sprint(v))
	}
	k.invalid(at, "%q is not known here: it is one of %s", fmt.Sprint(got), strings.Join(names, ", "))
}

// given reports an empty list that was written out: it is lost on the way, and
// then means anything.
func given[T any](k *checker, at *field.Path, list []T) {
	if list != nil && len(list) == 0 {
		k.invalid(at, "an empty list selects nothing: leave it out to select anything")
	}
}

func (k *checker) mode(m v1alpha1.PolicyMode) {
	switch m {
	case "", v1alpha1.ModeEnforce, v1alpha1.ModeReport:
	default:
		k.unknown(field.NewPath("spec", "mode"), m, v1alpha1.ModeEnforce, v1alpha1.ModeReport)
	}
}

func (k *checker) rules(list []v1alpha1.AccessRule) []*rule {
	at := field.NewPath("spec", "rules")
	names := map[string]bool{}
	out := make([]*rule, 0, len(list))
	for i := range list {
		p := at.Index(i)
		if names[list[i].Name] {
			k.invalid(p.Child("name"), "another rule has this name")
		}
		names[list[i].Name] = true
		out = append(out, k.rule(p, &list[i]))
	}
	return out
}

func (k *checker) rule(at *field.Path, in *v1alpha1.AccessRule) *rule {
	r := &rule{name: in.Name, action: in.Action, kind: in.To.Type}
	k.restricts = in.Action != v1alpha1.ActionAllow
	if !plainName(in.Name) {
		k.invalid(at.Child("name"), "a name is 1 to 63 lower-case letters, digits and hyphens, with no hyphen at either end")
	}
	r.from = k.from(at.Child("from"), in.From)
	r.txn = k.transaction(at.Child("transaction"), in)
	r.to = k.to(at.Child("to"), &in.To)
	r.when = k.when(at.Child("when"), in)
	switch in.Action {
	case v1alpha1.ActionAllow, v1alpha1.ActionDeny, v1alpha1.ActionAsk:
	default:
		k.unknown(at.Child("action"), in.Action, v1alpha1.ActionAllow, v1alpha1.ActionDeny, v1alpha1.ActionAsk)
	}
	r.duties = k.duties(at.Child("with"), in)
	if in.With != nil {
		r.duties.Budgets = k.budget(at.Child("with", "limits"), r, in.With.Limits)
	}
	if len(r.to.tools) > 0 {
		r.signature = k.signature(in)
	}
	r.fields, r.callerFields = &fieldSet{fieldsOf(r)}, &fieldSet{callerFields(r)}
	return r
}

func plainName(s string) bool {
	if s == "" || len(s) > 63 || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}
