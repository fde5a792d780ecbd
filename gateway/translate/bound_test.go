package translate

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/source"
)

// TestManyProblems: a policy in which everything is wrong, as large as it may
// be, costs time in proportion (by the square it would outlast the test) and has
// a short status.
func TestManyProblems(t *testing.T) {
	t.Parallel()
	p := &v1alpha1.AccessPolicy{}
	p.SetName("p")
	p.SetNamespace("a")
	p.SetGroupVersionKind(v1alpha1.GroupVersion().WithKind(kindPolicy))
	for i := range 256 {
		rule := v1alpha1.AccessRule{Name: fmt.Sprint("r", i), Action: v1alpha1.ActionAllow, To: v1alpha1.RuleTo{Type: v1alpha1.SurfaceTools}}
		entry := v1alpha1.ToolMatch{}
		for j := range 64 {
			entry.Servers = append(entry.Servers, v1alpha1.BackendReference{Namespace: "far", Name: fmt.Sprintf("server-%d-%d", i, j)})
		}
		for range 8 {
			rule.To.Tools = append(rule.To.Tools, entry)
		}
		p.Spec.Rules = append(p.Spec.Rules, rule)
	}
	tr := newTranslator(t, filesConfig())
	r := tr.Apply(source.Delta{Upserts: []source.Object{object(t, p)}}, noon())
	if rules := r.Feed.Policies[0].Rules; len(rules) != 0 {
		t.Errorf("%d rules are left", len(rules))
	}
	for _, f := range statusOf(t, tr, kindPolicy, "a", "p").Faults() {
		if len(f.Message) > maxMessage+3 {
			t.Errorf("a message of %d bytes", len(f.Message))
		}
	}
}

func TestJoined(t *testing.T) {
	t.Parallel()
	a, b := reject("A", "one"), reject("B", "two")
	for want, got := range map[string]error{
		"A one; two":      joined(a, b),
		"A one":           joined(a, nil),
		"B two":           joined(nil, b),
		"A one; two ":     joinedOnce(joinedOnce(a, b), reject("C", "two")),
		"B two ":          joinedOnce(nil, b),
		"A " + longText(): joined(reject("A", "%s", longText()), b),
	} {
		reason, message := rejected(got)
		if text := reason + " " + message; text != strings.TrimSuffix(want, " ") {
			t.Errorf("%q, want %q", text, want)
		}
	}
}

func longText() string { return strings.Repeat("x", maxMessage+1) }
