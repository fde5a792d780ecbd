package translate

import (
	"slices"

	discoveryv1 "k8s.io/api/discovery/v1"
	gatewayxv1alpha1 "sigs.k8s.io/gateway-api/apisx/v1alpha1"

	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/source"
)

// store is the objects, with the ways to find them.
type store struct {
	objects map[source.Ref]source.Object
	// index has the members of onKind, onSlices and onCredentials.
	index map[topic]map[source.Ref]struct{}
}

func newStore() store {
	return store{objects: map[source.Ref]source.Object{}, index: map[topic]map[source.Ref]struct{}{}}
}

// put stores an object and returns the topics that it touches.
func (s *store) put(o source.Object) []topic {
	touched := s.remove(o.Ref)
	s.objects[o.Ref] = o
	for _, t := range placesOf(o) {
		if s.index[t] == nil {
			s.index[t] = map[source.Ref]struct{}{}
		}
		s.index[t][o.Ref] = struct{}{}
		touched = append(touched, t)
	}
	return append(touched, topic{space: onObject, ref: o.Ref})
}

// remove deletes an object and returns the topics that it touches.
func (s *store) remove(ref source.Ref) []topic {
	old, ok := s.objects[ref]
	if !ok {
		return nil
	}
	delete(s.objects, ref)
	touched := placesOf(old)
	for _, t := range touched {
		delete(s.index[t], ref)
		if len(s.index[t]) == 0 {
			delete(s.index, t)
		}
	}
	return append(touched, topic{space: onObject, ref: ref})
}

// members returns the objects under a topic of the index, sorted.
func (s *store) members(t topic) []source.Object {
	out := make([]source.Object, 0, len(s.index[t]))
	for ref := range s.index[t] {
		out = append(out, s.objects[ref])
	}
	slices.SortFunc(out, func(a, b source.Object) int { return a.Ref.Compare(b.Ref) })
	return out
}

// placesOf are the topics of the index that have o as a member.
func placesOf(o source.Object) []topic {
	places := []topic{allOf(o.Ref.Kind, "")}
	if o.Ref.Namespace != "" {
		places = append(places, allOf(o.Ref.Kind, o.Ref.Namespace))
	}
	switch v := o.Value.(type) {
	case *discoveryv1.EndpointSlice:
		service := refOf(kindService, o.Ref.Namespace, v.Labels[discoveryv1.LabelServiceName])
		places = append(places, topic{space: onSlices, ref: service})
	case *v1alpha1.Credential:
		places = append(places, credentialsOf(targetOf(o, v)))
	case *gatewayxv1alpha1.XBackend:
		if o.Broken != nil && o.Broken.NamespaceUnknown {
			places = append(places, allOf(o.Ref.Kind, anyNamespace))
		}
	}
	return places
}

// anyNamespace stands for the namespace of what may be of any. No namespace is
// named so.
const anyNamespace = "*"

// targetOf is the backend that a Credential is for. Of one that cannot be read
// it has no kind: then it is every backend of the namespace, or of all.
func targetOf(o source.Object, v *v1alpha1.Credential) source.Ref {
	t := v.Spec.TargetRef
	switch {
	case o.Broken == nil || !o.Broken.TargetsUnknown && !o.Broken.NamespaceUnknown:
		return refOf(t.Kind, o.Ref.Namespace, t.Name)
	case o.Broken.NamespaceUnknown:
		return source.Ref{}
	default:
		return source.Ref{Namespace: o.Ref.Namespace}
	}
}

// allOf is the topic of all objects of a kind; namespace empty: of all.
func allOf(kind, namespace string) topic {
	return topic{space: onKind, ref: refOf(kind, namespace, "")}
}

func credentialsOf(backend source.Ref) topic { return topic{space: onCredentials, ref: backend} }
