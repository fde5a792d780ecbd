package serve

import (
	"errors"

	"github.com/hopgate/hopgate/gateway/graph"
)

const (
	// maxRounds bounds how often one trial is refused. Each fault among n
	// parts costs about log2(n) refusals.
	maxRounds = 200
	// maxOwnRounds bounds how many of them may be our own, which are found
	// while everybody waits.
	maxOwnRounds = 64
)

// trial is the way from what was accepted to what is wanted. First all open
// owners are tried at once; when that is refused they are halved until each is
// either accepted or at fault by itself. What was accepted stays, and the next
// group is tried on top of it: so parts that are bad only together end with
// one of them at fault.
type trial struct {
	// narrowing: a refusal was seen, and steps go to one Envoy alone.
	narrowing bool
	// probing is the group that the offer tries; nil: none.
	probing []graph.Owner
	// groups are to be tried, the last one first.
	groups [][]graph.Owner
	// rounds counts refusals, own those that no Envoy was asked for.
	rounds, own int
}

// refusal is what an Envoy said when it refused a version.
type refusal string

func (r refusal) Error() string { return string(r) }

// ours reports whether it was not Envoy that refused.
func ours(err error) bool {
	var r refusal
	return !errors.As(err, &r)
}

func (t *trial) push(g []graph.Owner) {
	if len(g) > 0 {
		t.groups = append(t.groups, g)
	}
}

// plan starts the trial of what is open, or merges it into a running one: what
// is new is tried first.
func (e *entry) plan(p *press) {
	if e.source == nil {
		return
	}
	t := &e.trial
	if t.narrowing {
		t.push(t.probing)
		t.push(e.unplanned())
	} else {
		t.groups = nil
	}
	t.probing = nil
	e.step(p)
}

// unplanned are the open owners that are in no group.
func (e *entry) unplanned() []graph.Owner {
	planned := map[graph.Owner]struct{}{}
	for _, g := range e.trial.groups {
		for _, o := range g {
			planned[o] = struct{}{}
		}
	}
	var out []graph.Owner
	for _, o := range e.open() {
		if _, in := planned[o]; !in {
			out = append(out, o)
		}
	}
	return out
}

// step offers the next group, or ends the trial. Each turn accepts a group,
// offers one, or makes the number of owners that are open and together smaller.
func (e *entry) step(p *press) {
	for {
		group := e.nextGroup()
		if group == nil {
			e.settle(p)
			return
		}
		ed, err := e.compose(group, p)
		switch {
		case err != nil:
			e.trial.own++
			e.blame(group, err, p)
		case ed.same(e.good):
			// Other parts, the same bytes: nothing to ask for.
			e.good = ed
		default:
			e.offer, e.trial.probing = ed, group
			return
		}
	}
}

func (e *entry) settle(p *press) {
	e.trial, e.prober = trial{}, 0
	e.whole = e.good != nil && len(differences(e.want, e.good.parts)) == 0
	if e.offer = e.good; e.offer == nil {
		e.offer = e.bare(p)
	}
}

// bare is what is left when nothing is good: a divisible resource without
// parts. An Envoy may have an old form of it, with parts that nobody wants.
func (e *entry) bare(p *press) *edition {
	if !e.source.Divisible {
		return nil
	}
	ed, err := p.build(e.key, nil, e.source.Build)
	if err != nil || e.refused.has(ed) {
		return nil
	}
	return ed
}

// nextGroup is the next group, without the owners that are settled by now;
// nil: none is open.
func (e *entry) nextGroup() []graph.Owner {
	open := e.open()
	if len(open) == 0 {
		return nil
	}
	still := ownerSet(open)
	t := &e.trial
	for len(t.groups) > 0 {
		g := t.groups[len(t.groups)-1]
		t.groups = t.groups[:len(t.groups)-1]
		if g = within(g, still); len(g) > 0 {
			return g
		}
	}
	return open
}

func within(g []graph.Owner, set map[graph.Owner]struct{}) []graph.Owner {
	var out []graph.Owner
	for _, o := range g {
		if _, in := set[o]; in {
			out = append(out, o)
		}
	}
	return out
}

// compose builds what was accepted with the wanted parts of a group.
func (e *entry) compose(group []graph.Owner, p *press) (*edition, error) {
	parts := mix(e.want, e.goodParts(), ownerSet(group))
	if e.offer != nil && !e.refused.has(e.offer) && equalParts(parts, e.offer.parts) {
		return e.offer, nil
	}
	ed, err := p.build(e.key, parts, e.source.Build)
	if err != nil {
		return nil, err
	}
	if words, refused := e.refused.get(ed.version); refused {
		e.trial.narrowing = true
		return nil, refusal(words)
	}
	return ed, nil
}

// blame takes note that a group was refused on top of what was accepted.
func (e *entry) blame(group []graph.Owner, err error, p *press) {
	t := &e.trial
	t.rounds++
	over := t.rounds >= maxRounds || t.own >= maxOwnRounds
	switch {
	case len(group) == 1 || !e.source.Divisible:
		e.fault(group, err, false)
	case over:
		e.fault(group, err, true)
	case ours(err) && e.weed(group, p):
		t.push(group)
	default:
		half := len(group) / 2
		t.push(group[half:])
		t.push(group[:half])
	}
}

func (e *entry) fault(group []graph.Owner, err error, postponed bool) {
	words := oneLine(err.Error())
	if postponed {
		words = cut("refused together with others, which of them is not known: "+words, maxWords)
	}
	for _, o := range group {
		v := versionOf(e.want, o)
		e.faults[o] = fault{version: v, words: words, postponed: postponed}
		e.moved = append(e.moved, o)
		if v != "" {
			e.pending[o] = struct{}{}
		}
	}
}

// weed finds parts that are not even good alone, which is cheaper than
// halving, and reports whether there was one.
func (e *entry) weed(group []graph.Owner, p *press) bool {
	found := false
	for _, part := range mix(e.want, nil, ownerSet(group)) {
		if _, err := p.build(e.key, []Part{part}, e.source.Build); err != nil {
			e.fault([]graph.Owner{part.Owner}, err, false)
			found = true
		}
	}
	return found
}
