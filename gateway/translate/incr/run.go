package incr

// Run is what one computation reads and says. It is valid until the
// computation returns.
type Run[K comparable, M Mark[M]] struct {
	e     *Engine[K, M]
	seen  map[K]struct{}
	reads []K
	facts []fact[K]
	marks []placed[K, M]
	outs  []out
}

// Sink takes the values that leave the engine. It must be a pointer: sinks are
// compared. Put is called for values that are new or not equal to the one
// before under that key.
type Sink interface {
	Put(key string, value any)
	Delete(key string)
}

type out struct {
	sink  Sink
	key   string
	value any
}

func (r *Run[K, M]) reset(e *Engine[K, M]) {
	if r.seen == nil {
		r.seen = map[K]struct{}{}
	}
	r.e = e
	clear(r.seen)
	r.reads, r.facts, r.marks, r.outs = r.reads[:0], r.facts[:0], r.marks[:0], r.outs[:0]
}

// Read writes down that the unit depends on a topic. It must come before what
// is there is looked at, and also where nothing is there.
func (r *Run[K, M]) Read(topic K) {
	if _, ok := r.seen[topic]; ok {
		return
	}
	r.seen[topic] = struct{}{}
	r.reads = append(r.reads, topic)
}

// Fact returns what a unit of an earlier phase has set; nil: nothing.
func (r *Run[K, M]) Fact(topic K) any {
	r.Read(topic)
	return r.e.facts[topic]
}

// Marks returns the distinct marks of a bag, sorted. The slice must not be
// changed.
func (r *Run[K, M]) Marks(topic K) []M {
	r.Read(topic)
	if b := r.e.bags[topic]; b != nil {
		return b.sorted()
	}
	return nil
}

// Count is the number of distinct marks of a bag.
func (r *Run[K, M]) Count(topic K) int {
	r.Read(topic)
	if b := r.e.bags[topic]; b != nil {
		return b.len()
	}
	return 0
}

// Set says a fact. A topic has at most one unit that sets it. The value must
// not be changed any more.
func (r *Run[K, M]) Set(topic K, value any) {
	r.facts = append(r.facts, fact[K]{topic, value})
}

// Mark puts a mark into a bag.
func (r *Run[K, M]) Mark(topic K, m M) {
	r.marks = append(r.marks, placed[K, M]{topic, m})
}

// Put leaves a value in a sink. A key of a sink has at most one unit that puts
// it. The value must not be changed any more.
func (r *Run[K, M]) Put(s Sink, key string, value any) {
	r.outs = append(r.outs, out{s, key, value})
}

// PutOnce is Put where the unit has not put that key in this run.
func (r *Run[K, M]) PutOnce(s Sink, key string, value any) {
	if find(r.outs, out{sink: s, key: key}) < 0 {
		r.Put(s, key, value)
	}
}
