package serve

import (
	"slices"

	"github.com/hopgate/hopgate/gateway/graph"
)

// entry is one resource: what is wanted of it, what an Envoy last accepted,
// and what is offered next. Owners whose part is wanted otherwise than it was
// accepted are open; a trial finds out which of them Envoy takes.
type entry struct {
	key Key
	// source is nil when the resource is no longer wanted but something that
	// is still served refers to it: then what was last offered is served.
	source *Resource
	want   []Part
	// revision is that of the Set which last changed want.
	revision Revision
	// good is the last edition that an Envoy accepted; nil: none was.
	good *edition
	// offer is what Envoys should have; nil: nothing of it can be served.
	offer *edition
	// whole: good is exactly what is wanted.
	whole bool
	trial trial
	// prober is the stream that the steps of a narrowing trial go to; 0: none yet.
	prober  streamID
	refused refusals
	faults  map[graph.Owner]fault
	// pending are owners whose wanted part is not confirmed by all Envoys.
	pending map[graph.Owner]struct{}
	// moved are owners whose outcome may have changed.
	moved []graph.Owner
}

// fault is why a version of a part is not served.
type fault struct {
	version string
	words   string
	// postponed: it was refused only together with others, and the bound on
	// rounds was reached. It is tried again with the next change.
	postponed bool
}

func newEntry(k Key) *entry {
	return &entry{key: k, faults: map[graph.Owner]fault{}, pending: map[graph.Owner]struct{}{}}
}

// change gives e new wanted parts.
func (e *entry) change(r *Resource, parts []Part, rev Revision, p *press) {
	for _, o := range differences(parts, e.want) {
		e.moved = append(e.moved, o)
		delete(e.pending, o)
		if versionOf(parts, o) != "" {
			e.pending[o] = struct{}{}
		}
	}
	e.source, e.want, e.revision, e.whole = r, parts, rev, false
	e.forgive(func(o graph.Owner, f fault) bool { return f.postponed || f.version != versionOf(parts, o) })
	e.plan(p)
}

// retire ends what is wanted; what was accepted may go on being served.
func (e *entry) retire() {
	e.source, e.want, e.whole = nil, nil, false
	e.trial, e.prober = trial{}, 0
	clear(e.faults)
	clear(e.pending)
	if e.good != nil {
		e.offer = e.good
	}
}

// retry forgets what was refused, so that it is offered again.
func (e *entry) retry(p *press) bool {
	if e.source == nil || len(e.faults) == 0 {
		return false
	}
	e.refused = refusals{}
	e.forgive(func(graph.Owner, fault) bool { return true })
	e.plan(p)
	return true
}

// forgive drops the faults that are chosen.
func (e *entry) forgive(chosen func(graph.Owner, fault) bool) {
	for o, f := range e.faults {
		if chosen(o, f) {
			delete(e.faults, o)
			e.moved = append(e.moved, o)
		}
	}
}

// accept takes note that an Envoy has ed.
func (e *entry) accept(ed *edition, p *press) {
	if ed.foreign || e.refused.has(ed) {
		return
	}
	taken := ed.same(e.offer)
	newer := taken || e.good == nil || ed.seq > e.good.seq
	if newer {
		e.good = ed
	}
	switch {
	case e.source == nil:
		e.offer = e.good
	case taken:
		if e.trial.probing != nil {
			e.trial.probing = nil
			e.step(p)
		}
	case newer:
		// The offer was made on an older ground.
		e.plan(p)
	}
}

// reject takes note that an Envoy refused ed, while it has held.
func (e *entry) reject(ed *edition, words string, held *edition, by streamID, p *press) {
	e.refused.add(ed.version, words)
	switch {
	case ed.same(e.good):
		e.fallBack(held, by, p)
	case e.source == nil && ed.same(e.offer):
		e.offer = e.good
	case ed.same(e.offer):
		group := e.trial.probing
		e.trial.probing = nil
		e.trial.narrowing, e.prober = true, by
		e.blame(group, refusal(words), p)
		e.step(p)
	}
}

// fallBack leaves a good edition that another Envoy refused: the ground is
// what that one has, or nothing.
func (e *entry) fallBack(held *edition, by streamID, p *press) {
	e.good, e.whole = nil, false
	if held.real() && !held.foreign && !e.refused.has(held) {
		e.good = held
	}
	if e.source == nil {
		e.offer = e.good
		return
	}
	e.trial = trial{narrowing: true}
	e.prober = by
	e.plan(p)
}

// offered is what a stream should have of e. When wait is true it is not
// known yet.
func (e *entry) offered(to streamID) (ed *edition, wait bool) {
	if e.trial.narrowing && to != e.prober {
		return e.good, e.good == nil
	}
	return e.offer, false
}

// carries reports whether e serves something that is not what is wanted.
func (e *entry) carries() bool { return e.good != nil && !e.whole }

func (e *entry) goodParts() []Part {
	if e.good == nil {
		return nil
	}
	return e.good.parts
}

// open are the owners whose wanted part is neither accepted nor at fault.
func (e *entry) open() []graph.Owner {
	return slices.DeleteFunc(differences(e.want, e.goodParts()), e.atFault)
}

func (e *entry) atFault(o graph.Owner) bool {
	f, ok := e.faults[o]
	return ok && f.version == versionOf(e.want, o)
}

// confirm takes note of the pending parts that every Envoy has. held are the
// editions of the Envoys that take this resource.
func (e *entry) confirm(held []*edition) {
	if len(held) == 0 || e.good == nil {
		return
	}
	for o := range e.pending {
		v := versionOf(e.want, o)
		if v == versionOf(e.good.parts, o) && e.heldByAll(held, o, v) {
			delete(e.pending, o)
			e.moved = append(e.moved, o)
		}
	}
}

func (e *entry) heldByAll(held []*edition, o graph.Owner, version string) bool {
	for _, h := range held {
		if !h.same(e.good) && (h == nil || versionOf(h.parts, o) != version) {
			return false
		}
	}
	return true
}
