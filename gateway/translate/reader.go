package translate

import (
	"github.com/hopgate/hopgate/gateway/graph"
	"github.com/hopgate/hopgate/gateway/source"
	"github.com/hopgate/hopgate/gateway/translate/incr"
)

// reader is all that a unit sees of the world: every read is recorded.
type reader struct {
	run *incr.Run[topic, mark]
	t   *Translator
}

// object returns one object.
func (r *reader) object(ref source.Ref) (source.Object, bool) {
	r.run.Read(topic{space: onObject, ref: ref})
	o, ok := r.t.store.objects[ref]
	return o, ok
}

// members returns the objects under a topic of the store's index, sorted.
func (r *reader) members(t topic) []source.Object {
	r.run.Read(t)
	return r.t.store.members(t)
}

// outcome is what Envoy said of what an object became.
func (r *reader) outcome(ref source.Ref) Outcome {
	r.run.Read(topic{space: onOutcome, ref: ref})
	return r.t.outcomes[ref]
}

// get returns one object as its type.
func get[T source.Typed](r *reader, kind, namespace, name string) (T, bool) {
	o, ok := r.object(refOf(kind, namespace, name))
	if !ok {
		var none T
		return none, false
	}
	v, ok := o.Value.(T)
	return v, ok
}

// factOf returns what an earlier phase has said; nil: nothing.
func factOf[T any](r *reader, s space, ref source.Ref) *T {
	v, _ := r.run.Fact(topic{space: s, ref: ref}).(*T)
	return v
}

// say sets a fact.
func say[T any](r *reader, s space, ref source.Ref, v *T) {
	r.run.Set(topic{space: s, ref: ref}, v)
}

func (r *reader) fragment(table string, f *graph.Fragment) {
	r.run.Put(r.t.tables.of(table), f.Owner.String(), f)
}

func (r *reader) status(s Status) { r.run.Put(&r.t.statuses, s.Ref.String(), s) }
