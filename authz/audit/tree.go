package audit

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"time"
)

// Tree is one transaction: what was tried in it, by whom, and what came of it.
type Tree struct {
	// Txn and Domain name it. Both empty: the hops that had no token that
	// could be believed.
	Txn     string `json:"txn,omitempty"`
	Domain  string `json:"domain,omitempty"`
	Subject string `json:"subject,omitempty"`
	// From and To span its records.
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	// Allowed, Denied and Asked count its hops by verdict.
	Allowed int `json:"allowed"`
	Denied  int `json:"denied"`
	Asked   int `json:"asked,omitempty"`
	// Nodes are agents and hops, in order of time.
	Nodes []*Node `json:"nodes,omitempty"`
}

// Node is an agent with what it did, or a hop with those inside its tunnel.
type Node struct {
	// Agent is set on an agent's node, which has no hop.
	Agent string `json:"agent,omitempty"`
	// Hop is the decision; End how it ended, nil: not known yet, or never
	// begun.
	Hop   *Record `json:"hop,omitempty"`
	End   *Record `json:"end,omitempty"`
	Nodes []*Node `json:"nodes,omitempty"`

	depth int
}

// maxDepth bounds how deep a tree grows; what lies deeper hangs at the last
// level. A log that we did not write can claim any depth.
const maxDepth = 32

// Filter chooses records. Empty fields choose all.
type Filter struct {
	Txn    string
	Domain string
	// Since leaves out what is older.
	Since time.Time
}

func (f *Filter) takes(r *Record) bool {
	return (f.Txn == "" || f.Txn == r.Txn) && (f.Domain == "" || f.Domain == r.Domain) && !r.Time.Before(f.Since)
}

// Builder makes trees of records, in the order of the log. It keeps them all:
// choose with a Filter where there are many. It is for one goroutine.
type Builder struct {
	filter Filter
	trees  map[[2]string]*Tree
	order  []*Tree
	hops   map[HopID]*Node
	agents map[agentKey]*Node
	// roots are the trees of the hops in hops, for their ends.
	roots map[HopID]*Tree
}

// agentKey is one agent below another, or below the root.
type agentKey struct {
	tree  *Tree
	above *Node
	name  string
}

// NewBuilder returns an empty one.
func NewBuilder(f Filter) *Builder {
	return &Builder{
		filter: f,
		trees:  map[[2]string]*Tree{},
		hops:   map[HopID]*Node{},
		agents: map[agentKey]*Node{},
		roots:  map[HopID]*Tree{},
	}
}

// Read takes the lines of a log in and returns how many were not lines of
// one; those are left out.
func (b *Builder) Read(r io.Reader) (skipped int, err error) {
	lines := newLines(r)
	for {
		line, err := lines.next()
		if errors.Is(err, io.EOF) {
			return skipped, nil
		}
		if err != nil {
			return skipped, err
		}
		rec, err := Decode(bytes.TrimSuffix(line, []byte("\r")))
		if err != nil {
			skipped++
			continue
		}
		b.Add(rec)
	}
}

// Add takes one record in. Those that are not of a hop are left out.
func (b *Builder) Add(r Record) {
	switch r.Kind {
	case KindEnd:
		b.end(&r)
	case KindChange:
		b.change(&r)
	case KindBegin, KindDeny:
		if b.filter.takes(&r) {
			b.decision(&r)
		}
	}
}

// Trees are in order of their first record.
func (b *Builder) Trees() []*Tree { return slices.Clone(b.order) }

func (b *Builder) end(r *Record) {
	n, ok := b.hops[r.Hop]
	if !ok {
		return
	}
	n.End = r
	b.roots[r.Hop].spans(r.Time)
}

// change hangs what changed below its hop.
func (b *Builder) change(r *Record) {
	n, ok := b.hops[r.Hop]
	if !ok {
		return
	}
	t := b.roots[r.Hop]
	t.hang(n, &Node{Hop: r})
	t.spans(r.Time)
}

func (b *Builder) decision(r *Record) {
	if n, ok := b.hops[r.Hop]; ok && r.Hop != (HopID{}) {
		b.again(n, r)
		return
	}
	t := b.tree(r)
	t.spans(r.Time)
	t.count(r, 1)
	n := &Node{Hop: r}
	b.place(t, n)
	if r.Hop != (HopID{}) {
		b.hops[r.Hop], b.roots[r.Hop] = n, t
	}
}

// again is a second decision on a hop: a deny takes its begin back.
func (b *Builder) again(n *Node, r *Record) {
	t := b.roots[r.Hop]
	t.spans(r.Time)
	t.count(n.Hop, -1)
	t.count(r, 1)
	n.Hop = r
}

// tree is that of a record. What was not verified is nobody's transaction.
func (b *Builder) tree(r *Record) *Tree {
	key := [2]string{r.Domain, r.Txn}
	t, ok := b.trees[key]
	if !ok {
		t = &Tree{Txn: r.Txn, Domain: r.Domain, From: r.Time, To: r.Time}
		b.trees[key] = t
		b.order = append(b.order, t)
	}
	if t.Subject == "" {
		t.Subject = r.Subject
	}
	return t
}

// place hangs a hop below its tunnel, or below its agent.
func (b *Builder) place(t *Tree, n *Node) {
	if tunnel, ok := b.hops[n.Hop.Parent]; ok && tunnel.depth < maxDepth {
		t.hang(tunnel, n)
		return
	}
	var above *Node
	for _, name := range n.Hop.lineage() {
		above = b.agent(t, above, name)
	}
	t.hang(above, n)
}

func (b *Builder) agent(t *Tree, above *Node, name string) *Node {
	key := agentKey{t, above, name}
	n, ok := b.agents[key]
	if !ok {
		n = &Node{Agent: name}
		b.agents[key] = n
		t.hang(above, n)
	}
	return n
}

func (t *Tree) hang(above, n *Node) {
	if above == nil {
		t.Nodes = append(t.Nodes, n)
		return
	}
	n.depth = above.depth + 1
	above.Nodes = append(above.Nodes, n)
}

// lineage is the chain of agents, the first one first.
func (r *Record) lineage() []string {
	chain := slices.Clone(r.Actors[:min(len(r.Actors), maxDepth/2)])
	slices.Reverse(chain)
	if r.Agent != "" && !slices.Contains(chain, r.Agent) {
		chain = append(chain, r.Agent)
	}
	return chain
}

func (t *Tree) spans(at time.Time) {
	if at.Before(t.From) {
		t.From = at
	}
	if at.After(t.To) {
		t.To = at
	}
}

func (t *Tree) count(r *Record, n int) {
	switch {
	case r.Kind == KindBegin:
		t.Allowed += n
	case r.Verdict == VerdictAsk:
		t.Asked += n
	default:
		t.Denied += n
	}
}
