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
	switch profile {
	case v1alpha1.AgentProfileActor:
	case v1alpha1.AgentProfileAgenticContext:
		chain = m.agentic(chain)
	default: // who the agent is cannot be known
		m.wrong("agents are named in a way that is not known here: " + string(profile))
	}
	if len(chain) > maxActors {
		m.wrong("it names more than 32 actors")
	}
	return chain
}

// act reads nested actors (RFC 8693 section 4.1): the outermost is the newest.
func (m *members) act() []string {
	act, ok := m.object("act")
	if !ok {
		return nil
	}
	var chain []string
	m.inside(act, "act", func(at *members) {
		chain = append(chain, at.text("sub"))
		chain = append(chain, at.act()...)
	}, "sub", "iss", "act")
	return chain
}

// agentic adds to chain whom agentic_ctx names: the current actor, who is the
// agent, and those by whom the transaction was handed over (draft-araut-oauth-
// transaction-tokens-for-agents-02). A token that one agent had from the start
// has neither, and its act names the agent.
func (m *members) agentic(chain []string) []string {
	ctx, ok := m.object("agentic_ctx")
	if !ok {
		return chain
	}
	var current string
	var path []string
	m.inside(ctx, "agentic_ctx", func(at *members) {
		current, path = at.current(), at.path()
	}, "current_actor", "chain_metadata")
	switch {
	case current != "":
		chain = append([]string{current}, append(path, chain...)...)
	case len(chain) > 0: // who handed it over is behind who acts
		chain = slices.Insert(chain, 1, path...)
	case len(path) > 0:
		m.wrong("agentic_ctx names who handed it over, and not to whom")
	}
	return distinct(chain)
}

// distinct drops names that came before: who is in act is in the path too.
func distinct(names []string) []string {
	var out []string
	for _, n := range names {
		if !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}

// current is the name of the current actor; empty: none is there.
func (m *members) current() string {
	actor, ok := m.object("current_actor")
	if !ok {
		return ""
	}
	var name string
	m.inside(actor, "current_actor", func(at *members) {
		identity, ok := at.object("identity")
		if !ok {
			at.wrong("identity is missing")
			return
		}
		at.inside(identity, "identity", func(at *members) { name = at.text("workload_id") }, "workload_id")
	}, "identity")
	return name
}

// path is txn_path, newest first.
func (m *members) path() []string {
	meta, ok := m.object("chain_metadata")
	if !ok {
		return nil
	}
	var out []string
	m.inside(meta, "chain_metadata", func(at *members) { out = at.names("txn_path") }, "txn_path")
	slices.Reverse(out)
	return out
}

// names is a member that must be a list of names where it is there.
func (m *members) names(name string) []string {
	list, ok := m.v.Member(name)
	if !ok {
		return nil
	}
	if list.Kind() != strictjson.Array || list.Len() > maxActors {
		m.wrong(name + " is not a list of at most 32 names")
		return nil
	}
	out := make([]string, 0, list.Len())
	for v := range list.Elems() {
		s, ok := v.Text()
		if !ok || s == "" || len(s) > maxName {
			m.wrong(name + " has something else than texts of 1 to 1024 bytes")
			return nil
		}
		out = append(out, strings.Clone(s))
	}
	return out
}
