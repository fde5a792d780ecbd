package translate

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hopgate/hopgate/gateway/graph"
	"github.com/hopgate/hopgate/gateway/source"
)

// condition finds one condition of a status.
func condition(s Status, place, kind string) (metav1.Condition, bool) {
	var out metav1.Condition
	found := false
	s.each(func(at string, list []metav1.Condition) {
		for _, c := range list {
			if at == place && c.Type == kind {
				out, found = c, true
			}
		}
	})
	return out, found
}

func refusedBy(words string) Outcome { return Outcome{State: OutcomeRefused, Message: words} }

// TestRefused: what Envoy refused is said on the owner, and on the Gateways
// that serve it; and no longer when Envoy takes the next version.
func TestRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		owner   graph.Owner
		place   string
		changed int
	}{
		"route":    {graph.Owner{Kind: kindRoute, Namespace: "calm", Name: "tools"}, "Gateway/calm", 2},
		"xbackend": {graph.Owner{Kind: kindXBackend, Namespace: "calm", Name: "api"}, "Gateway/calm/calm", 2},
		"hosts":    {graph.Owner{Kind: kindConfig, Namespace: "calm", Name: "conf"}, "", 2},
		"service":  {graph.Owner{Kind: kindService, Namespace: "calm", Name: "tools"}, "", 1},
	} {
		tr, before := calmTranslator(t, filesConfig())
		ref := refOf(c.owner.Kind, c.owner.Namespace, c.owner.Name)
		r := tr.SetOutcome(c.owner, refusedBy("no such thing"), noon())
		if r.Graph != before.Graph || r.Feed != before.Feed {
			t.Errorf("%s: the graph or the feed has changed", name)
		}
		if len(r.Statuses) != c.changed {
			t.Errorf("%s: %d statuses changed, want %d", name, len(r.Statuses), c.changed)
		}
		if c.changed > 1 {
			got, ok := condition(statusOf(t, tr, ref.Kind, ref.Namespace, ref.Name), c.place, "Programmed")
			if !ok || got.Status != metav1.ConditionFalse || got.Message != "no such thing" {
				t.Errorf("%s: %v", name, got)
			}
		}
		gateway := statusOf(t, tr, kindGateway, "calm", "calm")
		if got, ok := condition(gateway, "", typePartlyRefused); !ok || !strings.Contains(got.Message, ref.String()+": no such thing") {
			t.Errorf("%s: on the Gateway: %v", name, got)
		}
		if got, _ := condition(gateway, "", "Programmed"); got.Status != metav1.ConditionTrue {
			t.Errorf("%s: the Gateway is not Programmed: %v", name, got)
		}
		tr.SetOutcome(c.owner, Outcome{State: OutcomeTaken}, noon())
		if f := statusOf(t, tr, kindGateway, "calm", "calm").Faults(); len(f) > 0 {
			t.Errorf("%s: taken, and still %v", name, f)
		}
	}
}

func TestRefusedGateway(t *testing.T) {
	t.Parallel()
	tr, _ := calmTranslator(t, filesConfig())
	owner := graph.Owner{Kind: kindGateway, Namespace: "calm", Name: "calm"}
	tr.SetOutcome(owner, refusedBy("address in use"), noon())
	s := statusOf(t, tr, kindGateway, "calm", "calm")
	for _, place := range []string{"", "listener web", "listener proxy"} {
		if got, _ := condition(s, place, "Programmed"); got.Status != metav1.ConditionFalse || got.Message != "Envoy refused it: address in use" {
			t.Errorf("%s: %v", place, got)
		}
	}
}

// TestRefusedListener: of two ports one is refused, and the other's listener is
// as it was.
func TestRefusedListener(t *testing.T) {
	t.Parallel()
	tr, _ := calmTranslator(t, filesConfig())
	owner := graph.Owner{Kind: kindGateway, Namespace: "calm", Name: "calm"}
	out := refusedBy("address in use")
	for _, l := range tr.graph.Listeners {
		if l.Kind == graph.ListenerProxy {
			out.Parts = []RefusedPart{{Name: l.Name, Message: "address in use"}}
		}
	}
	tr.SetOutcome(owner, out, noon())
	s := statusOf(t, tr, kindGateway, "calm", "calm")
	for place, want := range map[string]metav1.ConditionStatus{"": metav1.ConditionFalse, "listener web": metav1.ConditionTrue, "listener proxy": metav1.ConditionFalse} {
		if got, _ := condition(s, place, "Programmed"); got.Status != want {
			t.Errorf("%s: %v", place, got)
		}
	}
}

// TestRefusedGoes: an outcome goes with its object, and none is kept of objects
// that are not there.
func TestRefusedGoes(t *testing.T) {
	t.Parallel()
	tr, _ := calmTranslator(t, filesConfig())
	owner := graph.Owner{Kind: kindRoute, Namespace: "calm", Name: "tools"}
	tr.SetOutcome(owner, refusedBy("no"), noon())
	tr.SetOutcome(graph.Owner{Kind: kindRoute, Namespace: "calm", Name: "gone"}, refusedBy("no"), noon())
	route := tr.store.objects[refOf(kindRoute, "calm", "tools")]
	tr.Apply(source.Delta{Deletes: []source.Ref{route.Ref}}, noon())
	if f := statusOf(t, tr, kindGateway, "calm", "calm").Faults(); len(f) > 0 {
		t.Errorf("the route is gone: %v", f)
	}
	tr.Apply(source.Delta{Upserts: []source.Object{route}}, noon())
	if f := statusOf(t, tr, kindRoute, "calm", "tools").Faults(); len(f) > 0 {
		t.Errorf("the route is new: %v", f)
	}
	if len(tr.outcomes) != 0 {
		t.Errorf("kept: %v", tr.outcomes)
	}
}

// TestManyRefused: the condition of the Gateway stays short.
func TestManyRefused(t *testing.T) {
	t.Parallel()
	tr := newTranslator(t, filesConfig())
	tr.Apply(source.Delta{Upserts: scale(t, 20)}, noon())
	for _, o := range scale(t, 20) {
		tr.SetOutcome(ownerOf(o.Ref), refusedBy(strings.Repeat("x", 5000)), noon())
	}
	got, _ := condition(statusOf(t, tr, kindGateway, "default", "eg"), "", typePartlyRefused)
	if len(got.Message) > maxMessage+3 {
		t.Errorf("the message has %d bytes", len(got.Message))
	}
}

// TestAwait: with an Envoy to wait for, nothing is Programmed before its word.
func TestAwait(t *testing.T) {
	t.Parallel()
	c := filesConfig()
	c.AwaitEnvoy = true
	tr, _ := calmTranslator(t, c)
	owner := graph.Owner{Kind: kindGateway, Namespace: "calm", Name: "calm"}
	for _, step := range []struct {
		outcome Outcome
		want    metav1.ConditionStatus
	}{
		{Outcome{}, metav1.ConditionUnknown},
		{Outcome{State: OutcomeTaken}, metav1.ConditionTrue},
		{refusedBy("no"), metav1.ConditionFalse},
		{Outcome{}, metav1.ConditionUnknown},
	} {
		tr.SetOutcome(owner, step.outcome, noon())
		s := statusOf(t, tr, kindGateway, "calm", "calm")
		for _, place := range []string{"", "listener web"} {
			if got, _ := condition(s, place, "Programmed"); got.Status != step.want {
				t.Errorf("%v: %s is %s", step.outcome, place, got.Status)
			}
		}
	}
}

// TestTransitionTimes: a condition has the time of the last change of its
// status, not of its words.
func TestTransitionTimes(t *testing.T) {
	t.Parallel()
	tr, _ := calmTranslator(t, filesConfig())
	owner := graph.Owner{Kind: kindGateway, Namespace: "calm", Name: "calm"}
	at := func(kind string) time.Time {
		c, _ := condition(statusOf(t, tr, kindGateway, "calm", "calm"), "", kind)
		return c.LastTransitionTime.Time
	}
	later := noon().Add(time.Hour)
	tr.SetOutcome(owner, refusedBy("a"), later)
	if !at("Programmed").Equal(later) || !at("Accepted").Equal(noon()) {
		t.Errorf("Programmed %s, Accepted %s", at("Programmed"), at("Accepted"))
	}
	tr.SetOutcome(owner, refusedBy("b"), later.Add(time.Hour))
	if !at("Programmed").Equal(later) {
		t.Errorf("other words moved the time to %s", at("Programmed"))
	}
}
