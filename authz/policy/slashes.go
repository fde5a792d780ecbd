package policy

import (
	"slices"

	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

// A path with encoded slashes has two readings. To some servers each is a part
// of its segment, to others it is a slash, and which of them is asked nobody
// knows here. So a Deny or Ask matches by either reading, as a whole. An Allow
// matches by the first, if it says that it keeps encoded slashes; its conditions
// must hold by both; and what rules ask of what they allow holds by either.

// undo makes the second reading, where there is one.
func (d *decision) undo() {
	q := d.e.q
	if !q.Action.Slashed() {
		return
	}
	a := *q.Action
	a.Path = a.UndonePath()
	d.e.undone = &Question{Peer: q.Peer, Claims: q.Claims, Action: &a}
}

// read judges a rule by each reading that counts for it.
func (d *decision) read(r *rule, entries []posting) truth {
	t := r.eval(&d.e, entries)
	if d.e.undone == nil || r.allows() || t == yes {
		return t
	}
	first := d.e
	d.watch()
	back := d.e.turn()
	other := r.eval(&d.e, entries)
	back()
	d.e.reached = d.e.reached || first.reached
	if t == unsure {
		d.e.fault = first.fault
	}
	if first.notes != nil && !d.e.notes.better(first.notes) {
		d.e.notes = first.notes
	}
	return t.or(other)
}

// turn has e go by the second reading alone until back is called.
func (e *eval) turn() (back func()) {
	q, undone := e.q, e.undone
	e.q, e.undone, e.act = undone, nil, nil
	return func() { e.q, e.undone, e.act = q, undone, nil }
}

// matchesUndone reports whether an Allow rule, which does not match by the first
// reading, would allow what is asked to who reads it the other way: its limits
// are not got round by an encoding.
func (d *decision) matchesUndone(r *rule, entries []posting) bool {
	if d.e.undone == nil || !r.allows() {
		return false
	}
	first := d.e
	d.watch()
	back := d.e.turn()
	t := r.eval(&d.e, entries)
	back()
	d.e = first
	return t == yes
}

// conditionUndone is condition by the second reading.
func (e *eval) conditionUndone(i int, c *condition) truth {
	defer e.turn()()
	return e.condition(i, c)
}

// readsPath reports whether c could tell the readings apart.
func (c *condition) readsPath() bool { return slices.Contains(c.reads.fields, varPath) }

// path compares the request's. An Allow that does not keep encoded slashes is
// compared with both readings, to tell whether they are all that is in the way.
func (h *httpEntry) path(e *eval, every bool) truth {
	if e.undone != nil && every && !h.keeps && !h.paths.match(e.q.Action.Path) {
		return e.selects("paths", h.paths, e.undone.Action.Path)
	}
	return e.selects("paths", h.paths, e.q.Action.Path)
}

// slashes holds a path with encoded slashes against an Allow, held: all else
// holds.
func (h *httpEntry) slashes(e *eval, every, held bool) truth {
	if e.undone == nil || !every {
		return yes
	}
	t := truthOf(h.keeps)
	if held && t == no {
		e.lacks(CodeBadPath)
	}
	if e.notes != nil {
		e.note("encodedSlashes", string(v1alpha1.EncodedSlashesKeep), e.q.Action.Path, t)
	}
	return t
}
