package envoy

import (
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
)

// each visits m and every message in it, what is packed too. A type that this
// program does not know fails the test: nothing is passed over.
func each(t testing.TB, m proto.Message, visit func(proto.Message)) {
	t.Helper()
	if a, ok := m.(*anypb.Any); ok {
		in, err := a.UnmarshalNew()
		if err != nil {
			t.Fatalf("unpack %s: %v", a.GetTypeUrl(), err)
		}
		each(t, in, visit)
		return
	}
	visit(m)
	m.ProtoReflect().Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.IsMap():
			if f.MapValue().Message() == nil {
				return true
			}
			v.Map().Range(func(_ protoreflect.MapKey, v protoreflect.Value) bool {
				each(t, v.Message().Interface(), visit)
				return true
			})
		case f.Message() == nil:
		case f.IsList():
			for i := range v.List().Len() {
				each(t, v.List().Get(i).Message().Interface(), visit)
			}
		default:
			each(t, v.Message().Interface(), visit)
		}
		return true
	})
}

// all gives every message of one kind in the resources of the test's graph,
// with the name of the resource that it is in.
func all[M proto.Message](t testing.TB) map[string][]M {
	t.Helper()
	out := map[string][]M{}
	for _, r := range mustResources(t, testGraph()) {
		each(t, r.Message, func(m proto.Message) {
			if m, ok := m.(M); ok {
				out[r.Name] = append(out[r.Name], m)
			}
		})
	}
	if len(out) == 0 {
		var none M
		t.Fatalf("no %T in the test's graph", none)
	}
	return out
}

// one is the only resource of a kind by this name.
func one[M proto.Message](t testing.TB, name string) M {
	t.Helper()
	for _, r := range mustResources(t, testGraph()) {
		if m, ok := r.Message.(M); ok && r.Name == name {
			return m
		}
	}
	var none M
	t.Fatalf("no %T is named %s", none, name)
	return none
}
