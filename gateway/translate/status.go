package translate

import (
	"maps"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayxv1alpha1 "sigs.k8s.io/gateway-api/apisx/v1alpha1"

	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/source"
)

// Status is what became of one object, as Kubernetes would show it. At most one
// of the pointers, or Conditions, is set, by the kind of the object.
type Status struct {
	Ref     source.Ref
	Class   *gatewayv1.GatewayClassStatus
	Gateway *gatewayv1.GatewayStatus
	Route   *gatewayv1.HTTPRouteStatus
	Backend *gatewayxv1alpha1.BackendStatus
	// Policy is that of an AccessPolicy or a Credential.
	Policy *gatewayv1.PolicyStatus
	// Conditions are those of a TrustDomain or a GatewayConfig.
	Conditions []metav1.Condition
	// Notes are what a status has no place for.
	Notes []string
}

// Fault is one thing about an object that is not as it should be.
type Fault struct {
	// Place is the listener, parent or ancestor it is about; may be empty.
	Place string
	// Type and Reason are those of the condition; empty for a note.
	Type, Reason string
	Message      string
}

// Faults are the conditions that are not good, and the notes, in the order of
// the status.
func (s Status) Faults() []Fault {
	var out []Fault
	s.each(func(place string, list []metav1.Condition) {
		for _, c := range list {
			if !good(c) {
				out = append(out, Fault{Place: place, Type: c.Type, Reason: c.Reason, Message: c.Message})
			}
		}
	})
	for _, n := range s.Notes {
		out = append(out, Fault{Message: n})
	}
	return out
}

// Remarks are what good conditions have to say, in the order of the status.
func (s Status) Remarks() []Fault {
	var out []Fault
	s.each(func(place string, list []metav1.Condition) {
		for _, c := range list {
			if good(c) && c.Message != "" {
				out = append(out, Fault{Place: place, Type: c.Type, Reason: c.Reason, Message: c.Message})
			}
		}
	})
	return out
}

// good: conditions are good when they are true, but for those whose name is a
// complaint. Accepted with another reason than its own is a complaint too.
func good(c metav1.Condition) bool {
	switch c.Type {
	case typeConflicted, typePartially, typePartlyRefused, typeDestination:
		return c.Status == metav1.ConditionFalse
	case typeAccepted:
		return c.Status == metav1.ConditionTrue && c.Reason == typeAccepted
	}
	return c.Status == metav1.ConditionTrue
}

// On returns a copy of the object with this status. A value of another kind is
// returned as it is.
func (s Status) On(v source.Typed) source.Typed {
	switch v := v.DeepCopyObject().(type) {
	case *gatewayv1.GatewayClass:
		v.Status = *orZero(s.Class)
		return v
	case *gatewayv1.Gateway:
		v.Status = *orZero(s.Gateway)
		return v
	case *gatewayv1.HTTPRoute:
		v.Status = *orZero(s.Route)
		return v
	case *gatewayxv1alpha1.XBackend:
		v.Status = *orZero(s.Backend)
		return v
	case *v1alpha1.AccessPolicy:
		v.Status = *orZero(s.Policy)
		return v
	case *v1alpha1.Credential:
		v.Status = *orZero(s.Policy)
		return v
	case *v1alpha1.TrustDomain:
		v.Status.Conditions = s.Conditions
		return v
	case *v1alpha1.Quarantine:
		v.Status.Conditions = s.Conditions
		return v
	case *v1alpha1.GatewayConfig:
		v.Status.Conditions = s.Conditions
		return v
	}
	return v
}

func orZero[T any](p *T) *T {
	if p == nil {
		return new(T)
	}
	return p
}

// each calls f with every list of conditions and its place.
func (s Status) each(f func(place string, list []metav1.Condition)) {
	if s.Class != nil {
		f("", s.Class.Conditions)
	}
	if s.Gateway != nil {
		f("", s.Gateway.Conditions)
		for i := range s.Gateway.Listeners {
			f("listener "+string(s.Gateway.Listeners[i].Name), s.Gateway.Listeners[i].Conditions)
		}
	}
	if s.Route != nil {
		for i := range s.Route.Parents {
			f(placeOf(&s.Route.Parents[i].ParentRef), s.Route.Parents[i].Conditions)
		}
	}
	if s.Backend != nil {
		for i := range s.Backend.Ancestors {
			f(placeOf(&s.Backend.Ancestors[i].AncestorRef), s.Backend.Ancestors[i].Conditions)
		}
	}
	if s.Policy != nil {
		for i := range s.Policy.Ancestors {
			f(placeOf(&s.Policy.Ancestors[i].AncestorRef), s.Policy.Ancestors[i].Conditions)
		}
	}
	f("", s.Conditions)
}

func placeOf(p *gatewayv1.ParentReference) string {
	kind := string(deref(p.Kind, kindGateway))
	place := source.Ref{Kind: kind, Namespace: string(deref(p.Namespace, "")), Name: string(p.Name)}.String()
	if p.SectionName != nil {
		place += "#" + string(*p.SectionName)
	}
	return place
}

// clone copies s as deep as its conditions go.
func (s Status) clone() Status {
	s.Class, s.Gateway, s.Route = s.Class.DeepCopy(), s.Gateway.DeepCopy(), s.Route.DeepCopy()
	s.Backend, s.Policy = s.Backend.DeepCopy(), s.Policy.DeepCopy()
	s.Conditions = slices.Clone(s.Conditions)
	return s
}

// statuses is a sink that gives conditions their times: that of the last change
// of their status.
type statuses struct {
	now     time.Time
	current map[string]Status
	changed map[string]source.Ref
}

// Put takes a Status without times.
func (s *statuses) Put(key string, value any) {
	next := value.(Status).clone()
	old := s.times(key)
	next.each(func(place string, list []metav1.Condition) {
		for i := range list {
			list[i].LastTransitionTime = metav1.Time{Time: s.now}
			if before, ok := old[conditionKey{place, list[i].Type}]; ok && before.Status == list[i].Status {
				list[i].LastTransitionTime = before.LastTransitionTime
			}
		}
	})
	if s.current == nil {
		s.current, s.changed = map[string]Status{}, map[string]source.Ref{}
	}
	s.current[key] = next
	s.changed[key] = next.Ref
}

type conditionKey struct{ place, kind string }

func (s *statuses) times(key string) map[conditionKey]metav1.Condition {
	out := map[conditionKey]metav1.Condition{}
	s.current[key].each(func(place string, list []metav1.Condition) {
		for _, c := range list {
			out[conditionKey{place, c.Type}] = c
		}
	})
	return out
}

// Delete takes a status away.
func (s *statuses) Delete(key string) {
	s.changed[key] = s.current[key].Ref
	delete(s.current, key)
}

// take returns what changed since last time, sorted.
func (s *statuses) take() (changed []Status, gone []source.Ref) {
	for key, ref := range s.changed {
		if now, ok := s.current[key]; ok {
			changed = append(changed, now)
		} else {
			gone = append(gone, ref)
		}
	}
	clear(s.changed)
	slices.SortFunc(changed, byRef)
	slices.SortFunc(gone, source.Ref.Compare)
	return changed, gone
}

func (s *statuses) all() []Status { return slices.SortedFunc(maps.Values(s.current), byRef) }

func byRef(a, b Status) int { return a.Ref.Compare(b.Ref) }
