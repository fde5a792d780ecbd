package translate

import (
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/source"
)

// TestBrokenCredentialOfAnyNamespace closes every backend, until it is mended
// or gone.
func TestBrokenCredentialOfAnyNamespace(t *testing.T) {
	t.Parallel()
	tr, before := calmTranslator(t, filesConfig())
	o := source.Object{
		Ref: refOf(kindCredential, source.DefaultNamespace, "unreadable-0"), Value: &v1alpha1.Credential{}, Hash: "h",
		Broken: &source.Breakage{Reason: "is no YAML", NamespaceUnknown: true, NameUnknown: true, TargetsUnknown: true},
	}
	closed := func(r Result) map[string]bool {
		out := map[string]bool{}
		for _, c := range r.Feed.Credentials {
			if c.Rejected == "is no YAML" {
				out[c.Backend] = true
			}
		}
		return out
	}
	got := closed(tr.Apply(source.Delta{Upserts: []source.Object{o}}, noon()))
	for _, want := range []string{"Service/calm/tools", "XBackend/calm/api"} {
		if !got[want] {
			t.Errorf("%s is not closed: %v", want, got)
		}
	}
	added := read(t, "apiVersion: v1\nkind: Service\nmetadata: {name: later, namespace: new}\nspec: {ports: [{port: 80}]}\n")
	if got := closed(tr.Apply(source.Delta{Upserts: added}, noon())); !got["Service/new/later"] {
		t.Error("a backend that came later is not closed")
	}
	after := tr.Apply(source.Delta{Deletes: []source.Ref{o.Ref, added[0].Ref}}, noon())
	if len(closed(after)) != 0 || len(after.Feed.Credentials) != len(before.Feed.Credentials) {
		t.Errorf("it is gone, and closes still: %+v", after.Feed.Credentials)
	}
}

// TestQuarantines: whatever is wrong with one, it is in the feed, it says so,
// and guards take it.
func TestQuarantines(t *testing.T) {
	t.Parallel()
	good := func() *v1alpha1.Quarantine {
		return &v1alpha1.Quarantine{ObjectMeta: metav1.ObjectMeta{Name: "q"}, Spec: v1alpha1.QuarantineSpec{
			Target: v1alpha1.QuarantineTarget{Type: v1alpha1.QuarantineAgent, Value: "coder"}, Until: metav1.NewTime(noon()),
		}}
	}
	for _, tc := range []struct {
		name   string
		change func(*v1alpha1.QuarantineSpec)
		want   string // types
		end    time.Time
		fault  string
	}{
		{"good", func(*v1alpha1.QuarantineSpec) {}, "Agent", noon(), ""},
		{"no type", func(s *v1alpha1.QuarantineSpec) { s.Target.Type = "" }, "Agent Subject Transaction Peer", noon(), "spec.target.type"},
		{"the type of the feed", func(s *v1alpha1.QuarantineSpec) { s.Target.Type = "Everyone" }, "Agent Subject Transaction Peer", noon(), "spec.target.type"},
		{"no value", func(s *v1alpha1.QuarantineSpec) { s.Target.Value = "" }, "Everyone", noon(), "spec.target.value"},
		{"a range of addresses", func(s *v1alpha1.QuarantineSpec) { s.Target.Type, s.Target.Value = "Peer", "10.1.2.0/24" }, "Everyone", noon(), "spec.target.value"},
		{"a long value", func(s *v1alpha1.QuarantineSpec) { s.Target.Value = strings.Repeat("x", 1025) }, "Everyone", noon(), "spec.target.value"},
		{"no end", func(s *v1alpha1.QuarantineSpec) { s.Until = metav1.Time{} }, "Agent", forGood(), "spec.until"},
		{"nothing", func(s *v1alpha1.QuarantineSpec) { *s = v1alpha1.QuarantineSpec{} }, "Everyone", forGood(), "spec.until"},
		{"no token", func(s *v1alpha1.QuarantineSpec) { s.Target.Type = v1alpha1.QuarantineToken }, "Agent Subject Transaction Peer", noon(), "16 lower-case"},
		{"a token in upper case", func(s *v1alpha1.QuarantineSpec) {
			s.Target = v1alpha1.QuarantineTarget{Type: v1alpha1.QuarantineToken, Value: "0123456789ABCDEF"}
		}, "Agent Subject Transaction Token Peer", noon(), "16 lower-case"},
		{"many places", func(s *v1alpha1.QuarantineSpec) {
			s.Except = make([]v1alpha1.QuarantinePlace, 65)
		}, "Agent", noon(), "spec.except"},
		{"a long reason", func(s *v1alpha1.QuarantineSpec) { s.Reason = strings.Repeat("x", 5000) }, "Agent", noon(), ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			v := good()
			tc.change(&v.Spec)
			tr := newTranslator(t, filesConfig())
			r := tr.Apply(source.Delta{Upserts: []source.Object{{Ref: refOf(kindQuarantine, "", "q"), Value: v, Hash: "h"}}}, noon())
			var types []string
			for _, q := range r.Feed.Quarantines {
				types = append(types, string(q.Type))
				if !q.Until.Equal(tc.end) || (q.Value == "") != (q.Type == feedv1.QuarantineEveryone) || len(q.Except) > 0 || len(q.Reason) > 1024 {
					t.Errorf("%+v", q)
				}
			}
			if got := sorted(types); got != sorted(strings.Fields(tc.want)) {
				t.Errorf("it cuts off %s, want %s", got, tc.want)
			}
			faults := ""
			for _, f := range statusOf(t, tr, kindQuarantine, "", "q").Faults() {
				faults += f.Message
			}
			if (faults == "") != (tc.fault == "") || !strings.Contains(faults, tc.fault) {
				t.Errorf("its status says %q, want %q", faults, tc.fault)
			}
		})
	}
}

func sorted(words []string) string {
	slices.Sort(words)
	return strings.Join(words, " ")
}
