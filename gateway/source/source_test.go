package source_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/hopgate/hopgate/gateway/source"
)

func TestRefString(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		ref  source.Ref
		want string
	}{
		{source.Ref{Kind: "Gateway", Group: source.GroupGateway, Namespace: "agents", Name: "egress"}, "Gateway/agents/egress"},
		{source.Ref{Kind: "GatewayClass", Group: source.GroupGateway, Name: "hopgate"}, "GatewayClass/hopgate"},
		{source.Ref{Kind: "Secret", Namespace: "agents"}, "Secret/agents"},
		{source.Ref{Kind: "Secret"}, "Secret"},
		{source.Ref{}, ""},
	} {
		if got := tc.ref.String(); got != tc.want {
			t.Errorf("%#v: got %q, want %q", tc.ref, got, tc.want)
		}
	}
}

func TestRefCompare(t *testing.T) {
	t.Parallel()
	// Each part counts more than the ones after it.
	sorted := []source.Ref{
		{Group: "a", Kind: "b", Namespace: "b", Name: "b"},
		{Group: "b", Kind: "a", Namespace: "b", Name: "b"},
		{Group: "b", Kind: "b", Namespace: "a", Name: "b"},
		{Group: "b", Kind: "b", Namespace: "b", Name: "a"},
		{Group: "b", Kind: "b", Namespace: "b", Name: "b"},
	}
	got := slices.Clone(sorted)
	slices.Reverse(got)
	slices.SortFunc(got, source.Ref.Compare)
	if diff := cmp.Diff(sorted, got); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

func TestProblemString(t *testing.T) {
	t.Parallel()
	ref := source.Ref{Kind: "AccessPolicy", Namespace: "agents", Name: "researcher"}
	for _, tc := range []struct {
		name string
		p    source.Problem
		want string
	}{
		{
			"everything",
			source.Problem{Ref: ref, File: "a.yaml", Line: 3, Column: 5, Field: "spec.mode", Message: "is odd", Mend: "use Report", Effect: source.EffectKept},
			"a.yaml:3:5: AccessPolicy/agents/researcher: spec.mode: is odd; use Report (last good kept)",
		},
		{"no column", source.Problem{File: "a.yaml", Line: 3, Message: "is odd"}, "a.yaml:3: is odd"},
		{"no line", source.Problem{File: "a.yaml", Message: "is odd"}, "a.yaml: is odd"},
		{"no file", source.Problem{Line: 3, Message: "is odd", Effect: source.EffectNotServed}, "is odd (not served)"},
	} {
		if got := tc.p.String(); got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, got, tc.want)
		}
	}
}

func TestProblemCompareByPlace(t *testing.T) {
	t.Parallel()
	sorted := []source.Problem{
		{File: "a", Line: 2, Column: 9, Message: "z"},
		{File: "a", Line: 10, Column: 1, Message: "y"},
		{File: "a", Line: 10, Column: 2, Field: "a", Message: "x"},
		{File: "a", Line: 10, Column: 2, Field: "b", Message: "w"},
		{File: "b", Line: 1},
	}
	got := slices.Clone(sorted)
	slices.Reverse(got)
	slices.SortFunc(got, source.Problem.Compare)
	if diff := cmp.Diff(sorted, got); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

func object(name, hash string, line int) source.Object {
	return source.Object{
		Ref:    source.Ref{Kind: "Secret", Namespace: "agents", Name: name},
		Hash:   hash,
		Origin: source.Origin{File: "a.yaml", Line: line, Document: 1},
	}
}

func state(objects ...source.Object) map[source.Ref]source.Object {
	out := map[source.Ref]source.Object{}
	for _, o := range objects {
		out[o.Ref] = o
	}
	return out
}

func broken(o source.Object, reason string) source.Object {
	o.Broken = &source.Breakage{Reason: reason}
	return o
}

func TestDiff(t *testing.T) {
	t.Parallel()
	a, b, c := object("a", "1", 1), object("b", "1", 2), object("c", "1", 3)
	for _, tc := range []struct {
		name          string
		before, after map[source.Ref]source.Object
		want          source.Delta
	}{
		{"first", nil, state(b, a), source.Delta{Upserts: []source.Object{a, b}}},
		{"nothing", state(a, b), state(a, b), source.Delta{}},
		{"content", state(a, b), state(a, object("b", "2", 2)), source.Delta{Upserts: []source.Object{object("b", "2", 2)}}},
		{"moved", state(a, b), state(a, object("b", "1", 9)), source.Delta{Upserts: []source.Object{object("b", "1", 9)}}},
		{"gone", state(c, a, b), state(b), source.Delta{Deletes: []source.Ref{a.Ref, c.Ref}}},
		{"broken", state(a), state(broken(a, "x")), source.Delta{Upserts: []source.Object{broken(a, "x")}}},
		{"mended", state(broken(a, "x")), state(a), source.Delta{Upserts: []source.Object{a}}},
		{"broken otherwise", state(broken(a, "x")), state(broken(a, "y")), source.Delta{Upserts: []source.Object{broken(a, "y")}}},
		{"broken as before", state(broken(a, "x")), state(broken(a, "x")), source.Delta{}},
	} {
		if diff := cmp.Diff(tc.want, source.Diff(tc.before, tc.after)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.name, diff)
		}
	}
}

func TestSetFollowsDeltas(t *testing.T) {
	t.Parallel()
	var set source.Set
	if _, ok := set.Get(object("a", "", 0).Ref); ok || set.Len() != 0 || len(set.All()) != 0 {
		t.Fatal("the zero Set is not empty")
	}
	a, b := object("a", "1", 1), object("b", "1", 2)
	gateway := source.Object{Ref: source.Ref{Group: source.GroupGateway, Kind: "Gateway", Name: "g"}}
	set.Apply(source.Delta{Upserts: []source.Object{b, a, gateway}})
	if diff := cmp.Diff([]source.Object{a, b, gateway}, set.All()); diff != "" {
		t.Errorf("all (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]source.Object{a, b}, set.OfKind("", "Secret")); diff != "" {
		t.Errorf("of kind (-want +got):\n%s", diff)
	}
	// A delete and an upsert of one object in one Delta: it is there.
	a2 := object("a", "2", 1)
	set.Apply(source.Delta{Upserts: []source.Object{a2}, Deletes: []source.Ref{a.Ref, b.Ref}})
	if diff := cmp.Diff([]source.Object{a2, gateway}, set.All()); diff != "" {
		t.Errorf("all after change (-want +got):\n%s", diff)
	}
}

func TestKinds(t *testing.T) {
	t.Parallel()
	kinds := source.Kinds()
	if !slices.IsSortedFunc(kinds, func(a, b source.Kind) int {
		return strings.Compare(a.Group+"/"+a.Kind, b.Group+"/"+b.Kind)
	}) {
		t.Error("kinds are not sorted")
	}
	for _, k := range kinds {
		if !k.Reads(k.Version) || k.Reads("v0") {
			t.Errorf("%s: its own version %s is not read, or v0 is", k.Kind, k.Version)
		}
		found, ok := source.Lookup(k.Group, k.Kind)
		if !ok || found.APIVersion() != k.APIVersion() {
			t.Errorf("%s of %q is not found", k.Kind, k.Group)
		}
		if name := strings.TrimPrefix(strings.Split(strings.TrimPrefix(typeName(k.New()), "*"), ".")[1], "*"); name != k.Kind {
			t.Errorf("%s: New returns a %s", k.Kind, name)
		}
	}
	if _, ok := source.Lookup("", "Pod"); ok {
		t.Error("Pod is found")
	}
	if _, ok := source.Lookup("", "service"); ok {
		t.Error("letter case of a kind does not count")
	}
	if got := (source.Kind{Version: "v1"}).APIVersion(); got != "v1" {
		t.Errorf("core apiVersion: %s", got)
	}
	var _ source.Typed = &corev1.Secret{}
}

func typeName(v any) string { return reflect.TypeOf(v).String() }
