package incr

import "fmt"

// Mark is a member of a bag: a value that many units can say of one topic.
type Mark[M any] interface {
	comparable
	Compare(M) int
}

// Phase is one kind of unit. Compute must be a pure function of what it reads
// by the Run.
type Phase[K comparable, M Mark[M]] struct {
	Name    string
	Compute func(r *Run[K, M], key K)
}

// Engine holds the units, what each has read, and the facts. Use New.
type Engine[K comparable, M Mark[M]] struct {
	phases  []Phase[K, M]
	units   []map[K]*unit[K, M]
	dirty   []map[*unit[K, M]]struct{}
	readers map[K]map[*unit[K, M]]struct{}
	facts   map[K]any
	bags    map[K]*bag[M]
	// current is the phase that runs; -1: none.
	current int
	run     Run[K, M]
}

// unit is one computation and what came of it.
type unit[K comparable, M Mark[M]] struct {
	phase int
	key   K
	// gone: to be computed once more, to take back all it said.
	gone  bool
	reads []K
	facts []fact[K]
	marks []placed[K, M]
	outs  []out
}

type fact[K comparable] struct {
	topic K
	value any
}

type placed[K comparable, M Mark[M]] struct {
	topic K
	mark  M
}

// New returns an engine without units.
func New[K comparable, M Mark[M]](phases []Phase[K, M]) *Engine[K, M] {
	e := &Engine[K, M]{
		phases:  phases,
		units:   make([]map[K]*unit[K, M], len(phases)),
		dirty:   make([]map[*unit[K, M]]struct{}, len(phases)),
		readers: map[K]map[*unit[K, M]]struct{}{},
		facts:   map[K]any{},
		bags:    map[K]*bag[M]{},
		current: -1,
	}
	for i := range phases {
		e.units[i] = map[K]*unit[K, M]{}
		e.dirty[i] = map[*unit[K, M]]struct{}{}
	}
	return e
}

// Want makes a unit, if there is none yet.
func (e *Engine[K, M]) Want(phase int, key K) {
	u := e.units[phase][key]
	if u == nil {
		u = &unit[K, M]{phase: phase, key: key}
		e.units[phase][key] = u
		e.dirty[phase][u] = struct{}{}
		return
	}
	if u.gone {
		u.gone = false
		e.dirty[phase][u] = struct{}{}
	}
}

// Drop removes a unit, with all it said, in the next Run.
func (e *Engine[K, M]) Drop(phase int, key K) {
	if u := e.units[phase][key]; u != nil {
		u.gone = true
		e.dirty[phase][u] = struct{}{}
	}
}

// Touch says that what stands under a topic has changed: every unit that has
// read it will be computed again.
func (e *Engine[K, M]) Touch(topic K) {
	for u := range e.readers[topic] {
		if u.phase <= e.current {
			panic(fmt.Sprintf("incr: a unit of phase %s reads what phase %s says", e.phases[u.phase].Name, e.phases[e.current].Name))
		}
		e.dirty[u.phase][u] = struct{}{}
	}
}

// Run computes every unit that has to be, phase by phase, and returns how many
// those were.
func (e *Engine[K, M]) Run() int {
	n := 0
	for phase := range e.phases {
		e.current = phase
		for u := range e.dirty[phase] {
			e.compute(u)
			n++
		}
		clear(e.dirty[phase])
	}
	e.current = -1
	return n
}

func (e *Engine[K, M]) compute(u *unit[K, M]) {
	r := &e.run
	r.reset(e)
	if !u.gone {
		e.phases[u.phase].Compute(r, u.key)
	} else {
		delete(e.units[u.phase], u.key)
	}
	e.keepReads(u, r.reads)
	e.keepFacts(u, r.facts)
	e.keepMarks(u, r.marks)
	u.keepOuts(r.outs)
}
