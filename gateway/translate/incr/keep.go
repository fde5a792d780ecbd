package incr

import (
	"reflect"
	"slices"
)

// keepReads makes u a reader of the topics it has read now.
func (e *Engine[K, M]) keepReads(u *unit[K, M], reads []K) {
	if slices.Equal(u.reads, reads) {
		return
	}
	for _, topic := range u.reads {
		delete(e.readers[topic], u)
		if len(e.readers[topic]) == 0 {
			delete(e.readers, topic)
		}
	}
	u.reads = slices.Clone(reads)
	for _, topic := range u.reads {
		if e.readers[topic] == nil {
			e.readers[topic] = map[*unit[K, M]]struct{}{}
		}
		e.readers[topic][u] = struct{}{}
	}
}

// keepFacts replaces what u said before. A fact that is equal to the one before
// keeps its value, and touches nobody.
func (e *Engine[K, M]) keepFacts(u *unit[K, M], facts []fact[K]) {
	for _, old := range u.facts {
		if !slices.ContainsFunc(facts, func(f fact[K]) bool { return f.topic == old.topic }) {
			delete(e.facts, old.topic)
			e.Touch(old.topic)
		}
	}
	for i, f := range facts {
		if old, ok := e.facts[f.topic]; ok && reflect.DeepEqual(old, f.value) {
			facts[i].value = old
			continue
		}
		e.facts[f.topic] = f.value
		e.Touch(f.topic)
	}
	u.facts = slices.Clone(facts)
}

// keepMarks adds first and removes then: a mark that stays changes nothing on
// its way.
func (e *Engine[K, M]) keepMarks(u *unit[K, M], marks []placed[K, M]) {
	if slices.Equal(u.marks, marks) {
		return
	}
	for _, p := range marks {
		b := e.bags[p.topic]
		if b == nil {
			b = newBag[M]()
			e.bags[p.topic] = b
		}
		if b.add(p.mark) {
			e.Touch(p.topic)
		}
	}
	for _, p := range u.marks {
		b := e.bags[p.topic]
		if b.remove(p.mark) {
			e.Touch(p.topic)
		}
		if b.len() == 0 {
			delete(e.bags, p.topic)
		}
	}
	u.marks = slices.Clone(marks)
}

func (u *unit[K, M]) keepOuts(outs []out) {
	for _, old := range u.outs {
		if i := find(outs, old); i < 0 {
			old.sink.Delete(old.key)
		}
	}
	for i, o := range outs {
		if j := find(u.outs, o); j >= 0 && reflect.DeepEqual(u.outs[j].value, o.value) {
			outs[i].value = u.outs[j].value
			continue
		}
		o.sink.Put(o.key, o.value)
	}
	u.outs = slices.Clone(outs)
}

func find(outs []out, o out) int {
	return slices.IndexFunc(outs, func(x out) bool { return x.sink == o.sink && x.key == o.key })
}
