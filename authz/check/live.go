package check

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/hopgate/hopgate/authz/contain"
	"github.com/hopgate/hopgate/authz/decide"
	"github.com/hopgate/hopgate/authz/denial"
	"github.com/hopgate/hopgate/authz/leash"
	"github.com/hopgate/hopgate/authz/strictjson"
	"github.com/hopgate/hopgate/authz/surface/egress"
	"github.com/hopgate/hopgate/authz/token"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

// maxKept is how much of the arguments of a tool call is kept with a stream, in
// bytes.
const maxKept = 4 << 10

// keep copies what rules read of the request: it is not there much longer.
func (h *Held) keep() {
	a := &h.hop.Action
	all := a.Method + a.Name + a.Host + a.Path + a.Package.Version + a.Package.File
	for _, s := range []*string{&a.Method, &a.Name, &a.Host, &a.Path, &a.Package.Version, &a.Package.File} {
		*s, all = all[:len(*s)], all[len(*s):]
	}
	if a.Words != nil {
		a.Words = h.work.verdict.Outcome.KeepWords(a.Words)
	}
	a.Override = strings.Clone(a.Override)
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
	return s.contained(&held.hop, held.before, s.cfg.Now())
}

func (s *Service) contained(h *decide.Hop, before []token.Name, now time.Time) (code string) {
	if s.cfg.Contained == nil {
		return ""
	}
	o, ok := s.cfg.Contained.Cut(&contain.Hop{
		Claims: h.Claims, Before: before, Peer: h.Peer, Backends: h.Target.Backends, Host: h.Action.Host,
	}, now)
	switch {
	case !ok:
		return ""
	case o.Verb == contain.VerbRevoke:
		return denial.TokenRevoked
	default:
		return denial.Quarantined
	}
}

// endSlack is by how much a hop's end may be off before it is moved: clocks
// that are read at two moments differ a little.
const endSlack = 100 * time.Millisecond

// redecide decides a hop again, and has it follow what has changed. Its end is
// only ever moved nearer: later is for who renews it.
func (s *Service) redecide(held *Held, begun bool) (code string) {
	held.judging.Lock()
	defer held.judging.Unlock()
	next := held.again(s.cfg.Register)
	if !begun {
		next.hop.Since = time.Time{}
	}
	if code := s.judgeAgain(held, next); code != "" {
		return code
	}
	// Zero where the hop has just ended: then there is nothing to be sooner than.
	until, _ := s.cfg.Register.Until(held.entry.ID)
	sooner := !until.IsZero() && next.end().Before(until.Add(-endSlack))
	if reason := held.whatChanged(next, sooner); reason != "" && begun {
		r := held.changed(next, reason)
		if !sooner {
			r.Until = until.Round(time.Second)
		}
		if err := s.cfg.Recorder.Append(r); err != nil {
			s.cfg.Log.Warn("a change of a hop is not recorded", "hop", held.entry.ID.String(), "error", err)
		}
	}
	s.standOn(held, next)
	if sooner {
		s.cfg.Register.Move(held.entry.ID, next.end())
	}
	return ""
}

// again is h as it is to be decided again. Where it is inside of a tunnel, it
// ends with that.
func (h *Held) again(r *leash.Register) *later {
	l := &later{}
	if h.inTunnel() {
		l.hop.Until, l.hop.Last = r.Until(h.entry.Parent)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	hop := h.hop
	hop.Until, hop.Last = l.hop.Until, l.hop.Last
	l.hop = hop
	return l
}

func (h *Held) inTunnel() bool { return h.entry.Parent != (leash.ID{}) }

// whatChanged says in words what is new in a decision; empty: nothing.
func (h *Held) whatChanged(l *later, sooner bool) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	policy, rule := l.decidedBy()
	switch {
	case policy != h.policy || rule != h.rule:
		return "another rule allows it"
	case sooner:
		return "it ends sooner"
	default:
		return ""
	}
}

// judgeAgain asks everything of l again, and fills in what that comes to:
// whether the hop's token is believed, its destination open, its credentials
// the same, and what rules say.
func (s *Service) judgeAgain(held *Held, l *later) (code string) {
	l.world, l.now = s.world.Load(), s.cfg.Now()
	if l.world == nil {
		return denial.NotReady
	}
	held.mu.Lock()
	defer held.mu.Unlock()
	before, hop := held.hop.Target, &l.hop
	// Others let go of what these are views of.
	hop.Action = held.hop.Action
	switch hop.Target = l.world.State.Resolve(before.Target); {
	case hop.Target == nil:
		return denial.NotReady
	case held.inTunnel() && hop.Until.IsZero():
		return denial.TunnelGone
	case hop.Claims != nil && !s.cfg.Tokens.Current(hop.Claims, l.now):
		return denial.TokenWrongDomain
	case !slices.EqualFunc(before.Credentials, hop.Target.Credentials, sameCredential):
		return denial.CredentialMissing
	}
	if code := s.contained(hop, held.before, l.now); code != "" {
		return code
	}
	if code := held.stillThere(l.world, hop.Target); code != "" {
		return code
	}
	if hop.Cause != nil {
		hop.Cause = l.world.State.Again(hop.Cause)
	}
	l.verdict.Decide(hop, l.now, nil)
	switch {
	case !l.verdict.Allowed:
		return l.verdict.Code
	case held.looser(&l.verdict):
		return denial.TunnelChanged
	case held.uncounted(&l.verdict.Outcome.Duties):
		return denial.BudgetChanged
	case held.argsLost && readsArguments(l.verdict.Outcome.SeenNames()):
		// What was not kept cannot be judged.
		return denial.RuleError
	default:
		return ""
	}
}

// tlsOf is what becomes of the TLS in a tunnel by a verdict.
func tlsOf(v *decide.Verdict) v1alpha1.TLSDuty {
	return cmp.Or(v.Outcome.Duties.TLS, v1alpha1.TLSPassthrough)
}

// looser reports whether the TLS in a tunnel is handled less strictly than it
// is to be by now.
func (h *Held) looser(v *decide.Verdict) bool {
	strict := []v1alpha1.TLSDuty{v1alpha1.TLSOpaque, v1alpha1.TLSPassthrough, v1alpha1.TLSInspect}
	return h.tls != "" && slices.Index(strict, h.tls) < slices.Index(strict, tlsOf(v))
}

// unapprove gives back the certificate of a tunnel that is over.
func (h *Held) unapprove() {
	if h.leaf != nil {
		h.leaf()
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
	way, code, err := w.wayTo(t, h.hop.Action.Kind, h.dest)
	if code == "" && err == nil && decide.MustInspect(way, h.hop.Action.Kind) && h.tls != v1alpha1.TLSInspect {
		return denial.SurfaceRequired
	}
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
	h.mu.Lock()
	defer h.mu.Unlock()
	t, a := h.hop.Target, &h.hop.Action
	st.Gateway, st.Listener, st.Route, st.Backends = t.Target.Gateway, t.Target.Listener, t.Route, t.Backends
	st.Surface, st.Port = string(a.Kind), a.Port
	st.Method, st.Name, st.Host, st.Path = strings.Clone(a.Method), strings.Clone(a.Name), strings.Clone(a.Host), strings.Clone(a.Path)
	st.Peer = h.hop.Peer
	st.Policy, st.Rule, st.Revision, st.Lifetime, st.Hold = h.policy, h.rule, h.revision, h.lifetime, h.hold
	c := h.hop.Claims
	if c == nil {
		return
	}
	st.Domain, st.Txn, st.Subject, st.Agent, st.Actors = h.domain, c.Txn, c.Subject, c.Agent, c.Actors
	st.Token, st.Renewals = token.NameOf(c).String(), len(h.before)
}
