package translate

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/source"
)

func assumedNames(tr *Translator) string {
	var out []string
	for _, v := range tr.Assumed() {
		kind := v.GetObjectKind().GroupVersionKind()
		out = append(out, kind.Kind+"/"+v.GetName())
	}
	return strings.Join(out, " ")
}

// TestAssumed: built-in objects come and go with what the user gives.
func TestAssumed(t *testing.T) {
	t.Parallel()
	const class, gateway, trust = "GatewayClass/hopgate", "Gateway/local", "TrustDomain/local"
	broken := func(kind string) []source.Problem {
		return []source.Problem{{Severity: source.Error, Ref: source.Ref{Kind: kind}}}
	}
	steps := []struct {
		name  string
		delta source.Delta
		want  string
	}{
		{"nothing is given", source.Delta{}, gateway + " " + class + " " + trust},
		{"a Gateway is given", source.Delta{Upserts: read(t, objectOf("Gateway", "own"))}, class + " " + trust},
		{"it goes", source.Delta{Deletes: []source.Ref{refOf(kindGateway, "default", "own")}}, gateway + " " + class + " " + trust},
		{"a Gateway cannot be read", source.Delta{Problems: broken(kindGateway)}, class + " " + trust},
		{"a TrustDomain cannot be read", source.Delta{Problems: broken(kindTrust)}, gateway + " " + class},
		{"a class cannot be read", source.Delta{Problems: broken(kindClass)}, gateway + " " + trust},
		{"a warning is no reason", source.Delta{Problems: []source.Problem{{Severity: source.Warning, Ref: source.Ref{Kind: kindGateway}}}}, gateway + " " + class + " " + trust},
		{"a class of another name", source.Delta{Upserts: read(t, objectOf("GatewayClass", "other"))}, gateway + " " + class + " " + trust},
		{"the class", source.Delta{Upserts: read(t, objectOf("GatewayClass", "hopgate"))}, gateway + " " + trust},
		{"a Gateway of the very name", source.Delta{Upserts: read(t, objectOf("Gateway", "local"))}, trust},
		{"it goes again", source.Delta{Deletes: []source.Ref{refOf(kindGateway, "default", "local")}}, gateway + " " + trust},
		{"a TrustDomain of the very name", source.Delta{Upserts: read(t, objectOf("TrustDomain", "local"))}, gateway},
		{"a policy without targets", source.Delta{Upserts: read(t, objectOf("AccessPolicy", "p"))}, gateway + " AccessPolicy/p"},
		{"a route without parents", source.Delta{Upserts: read(t, objectOf("HTTPRoute", "r"))}, gateway + " HTTPRoute/r AccessPolicy/p"},
	}
	tr := newTranslator(t, filesConfig())
	for _, s := range steps {
		tr.Apply(s.delta, noon())
		if got := assumedNames(tr); got != s.want {
			t.Errorf("%s: %s, want %s", s.name, got, s.want)
		}
	}
}

func objectOf(kind, name string) string {
	k, group := kind, groupOf(kind)
	version := "v1"
	if group == v1alpha1.Group {
		version = "v1alpha1"
	}
	return fmt.Sprintf("apiVersion: %s/%s\nkind: %s\nmetadata: {name: %s}\n", group, version, k, name)
}

// TestAssumedRefs: what is assumed of the user's own objects is filled in, on
// copies.
func TestAssumedRefs(t *testing.T) {
	t.Parallel()
	tr := newTranslator(t, filesConfig())
	tr.Apply(source.Delta{Upserts: read(t, objectOf("AccessPolicy", "p"))}, noon())
	for _, v := range tr.Assumed() {
		if p, ok := v.(*v1alpha1.AccessPolicy); ok {
			if len(p.Spec.TargetRefs) != 1 || p.Spec.TargetRefs[0].Name != "local" {
				t.Errorf("targets %v", p.Spec.TargetRefs)
			}
		}
	}
	own := tr.store.objects[refOf(kindPolicy, "default", "p")].Value.(*v1alpha1.AccessPolicy)
	if len(own.Spec.TargetRefs) != 0 {
		t.Error("the user's object was changed")
	}
}

// TestNothingAssumed: for a source that others answer for, nothing is.
func TestNothingAssumed(t *testing.T) {
	t.Parallel()
	tr := newTranslator(t, plainConfig())
	r := tr.Apply(source.Delta{}, noon())
	if len(tr.Assumed()) > 0 || len(r.Graph.Listeners) > 0 || len(r.Feed.Gateways) > 0 {
		t.Error("something was assumed")
	}
}

// TestBuiltInStays: it is translated once, not with every change.
func TestBuiltInStays(t *testing.T) {
	t.Parallel()
	tr := newTranslator(t, filesConfig())
	tr.Apply(source.Delta{}, noon())
	if r := tr.Apply(source.Delta{}, noon()); r.Units != 0 {
		t.Errorf("%d units for nothing", r.Units)
	}
}
