package token

import (
	"slices"
	"strings"

	"github.com/hopgate/hopgate/authz/strictjson"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

// actors are who acts, newest first: the agent of the hop, and those that it
// acts for.
func (m *members) actors(profile v1alpha1.AgentProfile) []string {
	chain := m.act()
	if profile == v1alpha1.AgentProfileAgenticContext {
		chain = m.agentic(chain)
	}
	if len(chain) > maxActors {
		m.wrong("it names more than 32 actors")
	}
	return chain
}

// act reads nested actors (RFC 8693 section 4.1): the outermost is the newest.
func (m *members) act() []string {
	var chain []string
	at := members{v: m.v}
	for {
		act, ok := at.object("act")
		if !ok {
			break
		}
		if at.rej == nil {
			at.rej = exact(act, knownActor, []string{"sub", "iss", "act"})
		}
		at.v = act
		chain = append(chain, at.text("sub"))
		if at.rej != nil {
			break
		}
	}
	if at.rej != nil && m.rej == nil {
		m.rej = at.rej
	}
	return chain
}

func knownActor(name string) bool { return name == "sub" || name == "iss" || name == "act" }

// agentic puts those in front of chain that agentic_ctx names: the current
// actor, and whom it was handed over by (draft-araut-oauth-transaction-tokens-
// for-agents-02). A token that one agent had from the start has neither, and
// its act names the agent.
func (m *members) agentic(chain []string) []string {
	ctx, ok := m.object("agentic_ctx")
	if !ok {
		return chain
	}
	c := members{v: ctx, rej: m.rej}
	defer func() { m.rej = c.rej }()
	if c.rej == nil {
		c.rej = exact(ctx, knownAgentic, []string{"current_actor", "chain_metadata"})
	}
	var out []string
	if actor, ok := c.object("current_actor"); ok {
		out = append(out, c.workload(actor))
	}
	for _, name := range append(c.path(), chain...) {
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

func knownAgentic(name string) bool { return name == "current_actor" || name == "chain_metadata" }

// workload is the name of the current actor.
func (m *members) workload(actor strictjson.Value) string {
	a := members{v: actor, rej: m.rej}
	identity, ok := a.object("identity")
	if !ok {
		a.wrong("agentic_ctx.current_actor has no identity")
		m.rej = a.rej
		return ""
	}
	id := members{v: identity, rej: a.rej}
	if id.rej == nil {
		id.rej = exact(identity, func(n string) bool { return n == "workload_id" }, []string{"workload_id"})
	}
	name := id.text("workload_id")
	m.rej = id.rej
	return name
}

// path is txn_path, newest first.
func (m *members) path() []string {
	meta, ok := m.object("chain_metadata")
	if !ok {
		return nil
	}
	list, ok := meta.Member("txn_path")
	if !ok {
		return nil
	}
	if list.Kind() != strictjson.Array || list.Len() > maxActors {
		m.wrong("agentic_ctx.chain_metadata.txn_path is not a list of at most 32")
		return nil
	}
	var out []string
	for v := range list.Elems() {
		s, ok := v.Text()
		if !ok || s == "" || len(s) > maxName {
			m.wrong("agentic_ctx.chain_metadata.txn_path has something else than names")
			return nil
		}
		out = append(out, strings.Clone(s))
	}
	slices.Reverse(out)
	return out
}
