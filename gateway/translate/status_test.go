package translate

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/hopgate/hopgate/gateway/source"
)

func TestFaults(t *testing.T) {
	t.Parallel()
	yes, no, unknown := metav1.ConditionTrue, metav1.ConditionFalse, metav1.ConditionUnknown
	for name, c := range map[string]struct {
		kind, reason string
		status       metav1.ConditionStatus
		fault        bool
	}{
		"accepted":             {"Accepted", "Accepted", yes, false},
		"accepted, but":        {"Accepted", "ListenersNotValid", yes, true},
		"not accepted":         {"Accepted", "Invalid", no, true},
		"pending":              {"Programmed", "Pending", unknown, true},
		"programmed":           {"Programmed", "Programmed", yes, false},
		"conflicted":           {"Conflicted", "HostnameConflict", yes, true},
		"no conflict":          {"Conflicted", "NoConflicts", no, false},
		"partly invalid":       {"PartiallyInvalid", "UnsupportedValue", yes, true},
		"partly refused":       {typePartlyRefused, "x", yes, true},
		"destination conflict": {typeDestination, "x", yes, true},
	} {
		s := Status{Conditions: []metav1.Condition{{Type: c.kind, Reason: c.reason, Status: c.status, Message: "m"}}}
		faults, remarks := s.Faults(), s.Remarks()
		if (len(faults) == 1) != c.fault || (len(remarks) == 1) == c.fault {
			t.Errorf("%s: faults %v, remarks %v", name, faults, remarks)
		}
	}
}

func TestFaultPlaces(t *testing.T) {
	t.Parallel()
	tr, _ := translated(t, filesConfig(), `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: eg}
spec:
  gatewayClassName: hopgate
  listeners:
  - {name: web, port: 8080, protocol: HTTP}
  - {name: odd, port: 8081, protocol: TCP}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: r}
spec:
  parentRefs: [{name: eg, sectionName: gone}, {name: x, namespace: far}]
  rules: [{}]
`)
	want := []Fault{
		{Place: "", Type: "Accepted", Reason: "ListenersNotValid", Message: "these listeners are not accepted, all others are: odd"},
		{Place: "listener odd", Type: "Accepted", Reason: "UnsupportedProtocol", Message: `protocol "TCP" is not supported`},
		{Place: "listener odd", Type: "Programmed", Reason: "Invalid", Message: "it is not served"},
	}
	if diff := cmp.Diff(want, statusOf(t, tr, kindGateway, "default", "eg").Faults()); diff != "" {
		t.Errorf("Gateway (-want +got):\n%s", diff)
	}
	want = []Fault{
		{Place: "Gateway/eg#gone", Type: "Accepted", Reason: "NoMatchingParent", Message: "Gateway/default/eg has no such listener"},
		{Place: "Gateway/far/x", Type: "Accepted", Reason: "NoMatchingParent", Message: "there is no Gateway/far/x"},
	}
	if diff := cmp.Diff(want, statusOf(t, tr, kindRoute, "default", "r").Faults()); diff != "" {
		t.Errorf("HTTPRoute (-want +got):\n%s", diff)
	}
}

// TestOn: a status goes on a copy of its object, for every kind that has one.
func TestOn(t *testing.T) {
	t.Parallel()
	tr, _ := calmTranslator(t, filesConfig())
	seen := map[string]bool{}
	for _, s := range tr.Statuses() {
		o := tr.store.objects[s.Ref]
		before := o.Value.DeepCopyObject()
		shown := s.On(o.Value)
		if diff := cmp.Diff(before, o.Value); diff != "" {
			t.Errorf("%s: the object was changed:\n%s", s.Ref, diff)
		}
		if cmp.Equal(before, shown) {
			t.Errorf("%s: no status on the copy", s.Ref)
		}
		seen[s.Ref.Kind] = true
	}
	if len(seen) != 8 {
		t.Errorf("kinds with a status: %v", seen)
	}
}

func TestOnOthers(t *testing.T) {
	t.Parallel()
	service := &corev1.Service{}
	if _, ok := (Status{}).On(service).(*corev1.Service); !ok {
		t.Error("another type came back")
	}
	if got := (Status{}).On(&gatewayv1.Gateway{}).(*gatewayv1.Gateway); len(got.Status.Conditions) != 0 {
		t.Error("conditions from nowhere")
	}
}

// TestGone: an object that goes takes its status with it.
func TestGone(t *testing.T) {
	t.Parallel()
	tr, _ := calmTranslator(t, filesConfig())
	ref := refOf(kindRoute, "calm", "api")
	r := tr.Apply(source.Delta{Deletes: []source.Ref{ref}}, noon())
	if diff := cmp.Diff([]source.Ref{ref}, r.Gone); diff != "" {
		t.Errorf("gone (-want +got):\n%s", diff)
	}
	for _, s := range r.Statuses {
		if s.Ref == ref {
			t.Error("it has a status too")
		}
	}
}

// TestHandedOut: a status that was handed out does not change with the next.
func TestHandedOut(t *testing.T) {
	t.Parallel()
	tr, r := calmTranslator(t, filesConfig())
	kept := showStatuses(r.Statuses)
	for _, s := range r.Statuses {
		tr.SetOutcome(ownerOf(s.Ref), refusedBy("no"), noon())
	}
	if got := showStatuses(r.Statuses); got != kept {
		t.Errorf("changed:\n%s", cmp.Diff(kept, got))
	}
}

func TestMessagesAreText(t *testing.T) {
	t.Parallel()
	var c conditions
	c.no("Programmed", "x", "bad \xff words")
	if got := c.list[0].Message; got != "bad ? words" {
		t.Errorf("%q", got)
	}
}

// TestForeign: an error that is no rejection is a refusal all the same.
func TestForeign(t *testing.T) {
	t.Parallel()
	var c conditions
	c.accepted(errForeign{})
	if got := c.list[0]; got.Status != metav1.ConditionFalse || got.Reason != "Invalid" || got.Message != "foreign" {
		t.Errorf("%v", got)
	}
}

type errForeign struct{}

func (errForeign) Error() string { return "foreign" }
