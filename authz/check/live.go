package check

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/authz/contain"
	"github.com/hopgate/hopgate/authz/decide"
	"github.com/hopgate/hopgate/authz/denial"
	"github.com/hopgate/hopgate/authz/leash"
	"github.com/hopgate/hopgate/authz/strictjson"
	"github.com/hopgate/hopgate/authz/surface/egress"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

// maxKept is how much of the arguments of a tool call is kept with a stream, in
// bytes.
const maxKept = 4 << 10

// keep copies what rules read of the request: it is not there much longer.
func (h *Held) keep() {
	a := &h.hop.Action
	all := a.Method + a.Name + a.Host + a.Path
	for _, s := range []*string{&a.Method, &a.Name, &a.Host, &a.Path} {
		*s, all = all[:len(*s)], all[len(*s):]
	}
	if len(a.Args.Raw()) > maxKept {
		a.Args, h.argsLost = strictjson.Value{}, true
		return
	}
	if a.Args.Kind() != strictjson.Absent {
		a.Args = a.Args.Clone()
	}
}

// Redecide decides a hop that lives once more, by what holds now, and returns
// the code of a denial, or nothing.
func (s *Service) Redecide(h *leash.Hop) (code string) {
	held, ok := h.Subject.(*Held)
	if !ok {
		return denial.HopUnknown
	}
	if code := s.cutOff(held); code != "" {
		return code
	}
	return s.redecide(held, true)
}

// Contained is the code by which a live hop is cut off by an order; empty: none
// does.
func (s *Service) Contained(h *leash.Hop) (code string) {
	held, ok := h.Subject.(*Held)
	if !ok {
		return denial.HopUnknown
	}
	return s.cutOff(held)
}

func (s *Service) cutOff(held *Held) (code string) {
	held.mu.Lock()
	defer held.mu.Unlock()
	return s.contained(&held.hop, s.cfg.Now())
}

func (s *Service) contained(h *decide.Hop, now time.Time) (code string) {
	if s.cfg.Contained == nil {
		return ""
	}
	o, ok := s.cfg.Contained.Cut(&contain.Hop{Claims: h.Claims, Peer: h.Peer, Backends: h.Target.Backends, Host: h.Action.Host}, now)
	switch {
	case !ok:
		return ""
	case o.Verb == contain.VerbRevoke:
		return denial.TokenRevoked
	default:
		return denial.Quarantined
	}
}

// redecide asks everything again: whether the hop's token is believed, its
// destination open, its credentials the same, and what rules say. How long it
// may live is not asked of a hop that has begun.
func (s *Service) redecide(held *Held, begun bool) (code string) {
	w, now := s.world.Load(), s.cfg.Now()
	if w == nil {
		return denial.NotReady
	}
	held.mu.Lock()
	defer held.mu.Unlock()
	hop := held.hop
	hop.Begun = begun
	if hop.Target = w.State.Resolve(held.hop.Target.Target); hop.Target == nil {
		return denial.NotReady
	}
	if hop.Claims != nil && !s.cfg.Tokens.Current(hop.Claims, now) {
		return denial.TokenWrongDomain
	}
	if !slices.EqualFunc(held.hop.Target.Credentials, hop.Target.Credentials, sameCredential) {
		return denial.CredentialMissing
	}
	if code := held.stillThere(w, hop.Target); code != "" {
		return code
	}
	v := decide.Decide(&hop, now, nil)
	switch {
	case !v.Allowed:
		return v.Code
	case held.argsLost && readsArguments(v.Outcome.SeenNames()):
		// What was not kept cannot be judged.
		return denial.RuleError
	default:
		return ""
	}
}

func sameCredential(a, b *feedv1.Credential) bool { return *a == *b }

func readsArguments(names []string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return n == "args" || strings.HasPrefix(n, "args.") })
}

// stillThere reports by a code that the hop's destination is not open any
// more, in w, for the addresses that it was dialled by.
func (h *Held) stillThere(w *World, t *decide.Target) (code string) {
	if t.Entry == wire.EntryRoute {
		return ""
	}
	way, code, err := w.wayTo(t, h.dest)
	if code == "" && err == nil && way.NeedsResolution() {
		_, err = w.Egress[t.Target.Gateway].Plan.Settle(h.dest, way, h.addrs)
	}
	var r *egress.Refusal
	switch {
	case errors.As(err, &r):
		return r.Code()
	case err != nil:
		return denial.Internal
	default:
		return code
	}
}

// Describe tells of a live hop (leash.Describer). What it tells are copies: the
// hop may still have views of its request.
func (h *Held) Describe(st *leash.Stream) {
	t := h.hop.Target
	st.Gateway, st.Listener, st.Route, st.Backends = t.Target.Gateway, t.Target.Listener, t.Route, t.Backends
	h.mu.Lock()
	a := &h.hop.Action
	st.Surface, st.Port = string(a.Kind), a.Port
	st.Method, st.Name, st.Host, st.Path = strings.Clone(a.Method), strings.Clone(a.Name), strings.Clone(a.Host), strings.Clone(a.Path)
	h.mu.Unlock()
	st.Peer = h.hop.Peer
	st.Policy, st.Rule, st.Revision, st.Lifetime, st.Hold = h.policy, h.rule, h.revision, h.lifetime, h.hold
	c := h.hop.Claims
	if c == nil {
		return
	}
	st.Domain, st.Txn, st.Subject, st.Agent, st.Actors = h.domain, c.Txn, c.Subject, c.Agent, c.Actors
	st.Token = audit.TokenID(c.Hash[:8]).String()
}
