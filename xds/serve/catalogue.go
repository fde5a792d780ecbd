package serve

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
)

// catalogue is what all Envoys should have: one entry for each resource. It
// knows streams only by number, and does no I/O.
type catalogue struct {
	press   press
	empty   func(typeURL, name string) proto.Message
	entries map[Key]*entry
	types   map[string]map[string]*entry
	desired []*Resource
	// revision is that of the last Set; 0: there was none.
	revision Revision
	ledger   ledger

	// aloft counts the streams on which an edition is sent and not answered:
	// it may be accepted although it is no longer offered.
	aloft map[*edition]int
	// changed are keys whose offer may be another one now.
	changed map[Key]struct{}
	// These are the entries that are retired but kept, that carry something
	// old, whose trial narrows, that have pending parts.
	retired, carrying, narrowing, unconfirmed map[Key]*entry
}

func newCatalogue(p press, empty func(typeURL, name string) proto.Message) *catalogue {
	return &catalogue{
		press: p, empty: empty, ledger: newLedger(), aloft: map[*edition]int{},
		entries: map[Key]*entry{}, types: map[string]map[string]*entry{}, changed: map[Key]struct{}{},
		retired: map[Key]*entry{}, carrying: map[Key]*entry{}, narrowing: map[Key]*entry{}, unconfirmed: map[Key]*entry{},
	}
}

// change is a resource that is new or another than before.
type change struct {
	resource *Resource
	parts    []Part
}

// set makes desired the complete set. On an error nothing has changed.
func (c *catalogue) set(desired []*Resource) (Revision, error) {
	before, after := trim(c.desired, desired)
	changes, err := c.read(before, after)
	if err != nil {
		return 0, err
	}
	c.revision++
	c.desired = slices.Clone(desired)
	for _, r := range before {
		if _, stays := changes[r.key()]; !stays {
			c.retire(c.entries[r.key()])
		}
	}
	for _, r := range after {
		c.apply(changes[r.key()])
	}
	c.collect()
	return c.revision, nil
}

// trim leaves out what is the same at both ends: most calls change little.
func trim(a, b []*Resource) (x, y []*Resource) {
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	return a, b
}

// read checks what comes in the place of before.
func (c *catalogue) read(before, after []*Resource) (map[Key]change, error) {
	leaving := make(map[*Resource]struct{}, len(before))
	for _, r := range before {
		leaving[r] = struct{}{}
	}
	out := make(map[Key]change, len(after))
	for _, r := range after {
		if r == nil {
			return nil, fmt.Errorf("set: %w: nil", errResource)
		}
		parts, err := c.readParts(r)
		if err != nil {
			return nil, fmt.Errorf("set: %w", err)
		}
		if _, twice := out[r.key()]; twice || c.elsewhere(r.key(), leaving) {
			return nil, fmt.Errorf("set: %w: %s is there twice", errResource, r.key())
		}
		out[r.key()] = change{r, parts}
	}
	return out, nil
}

// readParts does nothing for a resource that only moved within the set.
func (c *catalogue) readParts(r *Resource) ([]Part, error) {
	if e := c.entries[r.key()]; e != nil && e.source == r {
		return e.want, nil
	}
	return r.sortedParts()
}

// elsewhere reports whether k is wanted by a resource that stays.
func (c *catalogue) elsewhere(k Key, leaving map[*Resource]struct{}) bool {
	e := c.entries[k]
	if e == nil || e.source == nil {
		return false
	}
	_, leaves := leaving[e.source]
	return !leaves
}

// apply brings one entry to what is wanted now.
func (c *catalogue) apply(ch change) {
	k := ch.resource.key()
	e := c.entries[k]
	if e == nil {
		e = newEntry(k)
		c.entries[k] = e
		if c.types[k.TypeURL] == nil {
			c.types[k.TypeURL] = map[string]*entry{}
		}
		c.types[k.TypeURL][k.Name] = e
	}
	if e.source == ch.resource || (e.source != nil && equalParts(ch.parts, e.want)) {
		e.source = ch.resource
		return
	}
	for _, o := range differences(ch.parts, e.want) {
		if versionOf(ch.parts, o) != "" {
			c.ledger.add(o, e, c.revision)
		} else {
			c.ledger.remove(o, k, c.revision)
		}
	}
	e.change(ch.resource, ch.parts, c.revision, &c.press)
	c.after(e)
}

func (c *catalogue) retire(e *entry) {
	for _, p := range e.want {
		c.ledger.remove(p.Owner, e.key, c.revision)
	}
	e.retire()
	c.after(e)
}

// after puts e into the sets it belongs to now.
func (c *catalogue) after(e *entry) {
	c.changed[e.key] = struct{}{}
	c.note(e)
	member(c.retired, e, e.source == nil)
	member(c.carrying, e, e.source != nil && e.carries())
	member(c.narrowing, e, e.trial.narrowing)
}

// takeChanged gives the changed keys, sorted, and forgets them.
func (c *catalogue) takeChanged() []Key {
	out := slices.SortedFunc(maps.Keys(c.changed), Key.compare)
	clear(c.changed)
	return out
}

// note takes over whose outcome may have changed.
func (c *catalogue) note(e *entry) {
	for _, o := range e.moved {
		c.ledger.stirred[o] = struct{}{}
	}
	e.moved = nil
	member(c.unconfirmed, e, len(e.pending) > 0)
}

func member(set map[Key]*entry, e *entry, in bool) {
	if in {
		set[e.key] = e
	} else {
		delete(set, e.key)
	}
}

// collect drops retired entries that nothing carried refers to. What is
// exactly as wanted keeps nothing alive: its references are the caller's word.
func (c *catalogue) collect() {
	if len(c.retired) == 0 {
		return
	}
	kept := map[Key]struct{}{}
	for _, e := range c.carrying {
		c.keep(e.good, kept)
	}
	for ed := range c.aloft {
		c.keep(ed, kept)
	}
	for k, e := range c.retired {
		if _, in := kept[k]; in && e.offer != nil {
			continue
		}
		delete(c.retired, k)
		delete(c.entries, k)
		delete(c.types[k.TypeURL], k.Name)
		c.changed[k] = struct{}{}
	}
}

// keep marks what ed refers to, and so on from retired ones.
func (c *catalogue) keep(ed *edition, kept map[Key]struct{}) {
	for _, r := range ed.refs {
		if _, done := kept[r]; done {
			continue
		}
		kept[r] = struct{}{}
		if next := c.retired[r]; next != nil && next.offer != nil {
			c.keep(next.offer, kept)
		}
	}
}

// launch and land count an edition that is sent, and then answered or lost.
func (c *catalogue) launch(ed *edition) {
	if len(ed.refs) > 0 {
		c.aloft[ed]++
	}
}

func (c *catalogue) land(ed *edition) {
	if n := c.aloft[ed]; n > 1 {
		c.aloft[ed] = n - 1
	} else {
		delete(c.aloft, ed)
	}
	c.collect()
}

// accept takes note that an Envoy has ed.
func (c *catalogue) accept(ed *edition) {
	if e := c.entries[ed.key]; e != nil && !ed.stopgap {
		e.accept(ed, &c.press)
		c.after(e)
	}
}

// recall takes note that an Envoy has ed since before it was offered.
func (c *catalogue) recall(ed *edition) {
	if e := c.entries[ed.key]; e != nil && !ed.same(e.good) && !e.refused.has(ed) {
		c.accept(ed)
		c.collect()
	}
}

// reject takes note that an Envoy refused ed, while it has held.
func (c *catalogue) reject(ed *edition, words string, held *edition, by streamID) {
	if e := c.entries[ed.key]; e != nil && !ed.stopgap {
		e.reject(ed, words, held, by, &c.press)
		c.after(e)
	}
}

// retry offers again what was refused of k, and reports whether k is wanted.
func (c *catalogue) retry(k Key) bool {
	e := c.entries[k]
	if e == nil || e.source == nil {
		return false
	}
	if e.retry(&c.press) {
		c.after(e)
	}
	return true
}

// standing is how what is offered came to be.
type standing int

const (
	// standingServed: the resource is served.
	standingServed standing = iota
	// standingMissing: there is nothing by that name.
	standingMissing
	// standingFaulty: it is wanted, but nothing good is known. An Envoy that
	// has some version of it keeps it.
	standingFaulty
	// standingOpen: it is not known yet what can be served.
	standingOpen
)

// offered is what a stream should have by the name of k.
func (c *catalogue) offered(k Key, to streamID) (*edition, standing) {
	e := c.entries[k]
	if e == nil {
		return nil, standingMissing
	}
	ed, wait := e.offered(to)
	switch {
	case wait:
		return nil, standingOpen
	case ed == nil:
		return nil, standingFaulty
	default:
		return ed, standingServed
	}
}

// known is the edition of k with a version that an Envoy says it has.
func (c *catalogue) known(k Key, version string) *edition {
	if e := c.entries[k]; e != nil {
		for _, ed := range []*edition{e.offer, e.good} {
			if ed != nil && ed.version == version {
				return ed
			}
		}
	}
	if strings.HasPrefix(version, emptyPrefix) {
		return &edition{key: k, version: version, stopgap: true}
	}
	return &edition{key: k, version: version, foreign: true}
}

// emptyPrefix marks the versions of stopgaps.
const emptyPrefix = "empty-"

// stopgap is what is said of a name that there is nothing by.
func (c *catalogue) stopgap(k Key) *edition {
	if c.empty == nil {
		return absence(k)
	}
	m := c.empty(k.TypeURL, k.Name)
	if m == nil {
		return absence(k)
	}
	ed, err := c.press.pack(k, m)
	if err != nil {
		return absence(k)
	}
	// The same bytes may be a resource's own: that one is told apart.
	ed.stopgap, ed.version = true, emptyPrefix+ed.version
	return ed
}

// exact reports whether ed is just what is wanted by its name.
func (c *catalogue) exact(ed *edition) bool {
	e := c.entries[ed.key]
	return e != nil && e.source != nil && e.whole && ed.same(e.good)
}

// revisionOf is the revision that a change of k is counted to.
func (c *catalogue) revisionOf(k Key) Revision {
	if e := c.entries[k]; e != nil && e.source != nil {
		return e.revision
	}
	return c.revision
}
