package translate

import (
	"slices"
	"time"

	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/graph"
	"github.com/hopgate/hopgate/gateway/source"
	"github.com/hopgate/hopgate/gateway/translate/incr"
)

// Translator holds the objects and what became of them. Use New.
type Translator struct {
	cfg      Config
	store    store
	engine   *incr.Engine[topic, mark]
	outcomes map[source.Ref]Outcome
	// names are the sockets at which names are answered, by Gateway.
	names   map[string]NamesState
	builtIn builtIn
	sinks
	graph *graph.Graph
	feed  *feedv1.Snapshot
}

// Result is the state after a change. What did not change is shared with the
// result before, by pointer, the Graph and the Feed as a whole too.
type Result struct {
	Graph *graph.Graph
	Feed  *feedv1.Snapshot
	// Statuses are those that changed, sorted by Ref.
	Statuses []Status
	// Gone are the objects that had a status and have none now, sorted.
	Gone []source.Ref
	// Units is how many units were computed.
	Units int
}

// New returns a Translator without objects.
func New(c Config) (*Translator, error) {
	c, err := c.normal()
	if err != nil {
		return nil, err
	}
	t := &Translator{cfg: c, store: newStore(), outcomes: map[source.Ref]Outcome{}}
	t.engine = incr.New(t.phases())
	t.engine.Want(phasePorts, topic{})
	t.engine.Want(phaseNames, topic{})
	return t, nil
}

// Apply changes the objects and translates what that concerns. Values in the
// delta must not be changed afterwards. now is the time of new conditions.
func (t *Translator) Apply(d source.Delta, now time.Time) Result {
	for _, ref := range d.Deletes {
		t.delete(ref)
	}
	for _, o := range d.Upserts {
		t.upsert(o)
	}
	t.assume(d.Problems)
	return t.translate(now)
}

// SetOutcome says what Envoy made of what came of an object: of its routes, its
// cluster, its listeners. It holds until the next one for that object.
func (t *Translator) SetOutcome(owner graph.Owner, o Outcome, now time.Time) Result {
	ref := refOf(owner.Kind, owner.Namespace, owner.Name)
	if _, ok := t.store.objects[ref]; ok && !t.outcomes[ref].equal(o) {
		t.outcomes[ref] = o
		t.engine.Touch(topic{space: onOutcome, ref: ref})
	}
	return t.translate(now)
}

// Statuses returns the status of every object that has one, sorted by Ref.
func (t *Translator) Statuses() []Status { return t.statuses.all() }

func (t *Translator) translate(now time.Time) Result {
	t.statuses.now = now
	n := t.engine.Run()
	before := t.graph
	t.graph = t.nextGraph(before)
	var names []string
	if t.graph != before {
		names = backendNames(t.graph)
	}
	t.feed = t.nextFeed(t.feed, names)
	changed, gone := t.statuses.take()
	return Result{Graph: t.graph, Feed: t.feed, Statuses: changed, Gone: gone, Units: n}
}

func (t *Translator) upsert(o source.Object) {
	if !readable(o) {
		t.delete(o.Ref)
		return
	}
	if old, ok := t.store.objects[o.Ref]; ok && same(old, o) {
		return
	}
	t.touch(t.store.put(o))
	for _, phase := range phasesOf(o.Ref.Kind) {
		t.engine.Want(phase, topic{ref: o.Ref})
	}
}

func (t *Translator) delete(ref source.Ref) {
	t.touch(t.store.remove(ref))
	delete(t.outcomes, ref)
	for _, phase := range phasesOf(ref.Kind) {
		t.engine.Drop(phase, topic{ref: ref})
	}
}

func (t *Translator) touch(topics []topic) {
	for _, at := range topics {
		t.engine.Touch(at)
	}
}

// same says that b makes no difference: the line of an object does not, its
// file does, since paths are relative to it.
func same(a, b source.Object) bool {
	return a.Hash != "" && a.Hash == b.Hash && a.Origin.File == b.Origin.File &&
		slices.Equal(breakages(a), breakages(b))
}

func breakages(o source.Object) []source.Breakage {
	if o.Broken == nil {
		return nil
	}
	return []source.Breakage{*o.Broken}
}
