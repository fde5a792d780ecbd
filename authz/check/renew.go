package check

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/authz/decide"
	"github.com/hopgate/hopgate/authz/token"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

// renew renews what the caller of w holds open, by the token that came with w:
// whoever sends a request with a fresher token of the same transaction has
// presented it. What becomes of the request itself does not matter. It waits for
// a few hops only: who holds thousands has the others renewed behind it.
func (s *Service) renew(ctx context.Context, w *work) {
	c, leeway, peer := w.hop.Claims, w.hop.Leeway, w.hop.Peer
	hops := s.renewals.presented(c, peer, w.world.State.Epoch)
	if len(hops) == 0 {
		return
	}
	now := hops[:min(len(hops), renewBatch)]
	all := s.renewSome(ctx, now, c, leeway)
	rest := hops[len(now):]
	if len(rest) == 0 {
		s.renewedBy(c, leeway, peer, all)
		return
	}
	peer = strings.Clone(peer)
	s.renewing.Go(func() { s.renewRest(rest, c, leeway, peer, all) })
}

// renewedBy goes on with the token that came while others were renewed by c.
func (s *Service) renewedBy(c *token.Claims, leeway time.Duration, peer string, all bool) {
	next := s.renewals.done(c, peer, !all)
	w := s.world.Load()
	if next == nil || w == nil {
		return
	}
	peer = strings.Clone(peer)
	s.renewing.Go(func() {
		if hops := s.renewals.presented(next, peer, w.State.Epoch); len(hops) > 0 {
			s.renewRest(hops, next, leeway, peer, true)
		}
	})
}

// renewBatch is how many hops are renewed at once, renewPause what comes
// between two batches: the record and new decisions have their turn.
const (
	renewBatch = 32
	renewPause = time.Millisecond
)

// renewRest renews hops batch by batch. All is false where some before them were
// not renewed that would have been.
func (s *Service) renewRest(hops []*Held, c *token.Claims, leeway time.Duration, peer string, all bool) {
	pause := time.NewTicker(renewPause)
	defer pause.Stop()
	for batch := range slices.Chunk(hops, renewBatch) {
		<-pause.C
		all = s.renewSome(context.Background(), batch, c, leeway) && all
	}
	s.renewedBy(c, leeway, peer, all)
}

// renewSome reports whether all were renewed that would be allowed.
func (s *Service) renewSome(ctx context.Context, hops []*Held, c *token.Claims, leeway time.Duration) bool {
	all := true
	for _, h := range hops {
		if err := s.renewOne(ctx, h, c, leeway); err != nil {
			s.cfg.Log.Warn("a hop is not renewed, because that cannot be recorded", "hop", h.entry.ID.String(), "error", err)
			all = false
		}
	}
	return all
}

// Wait waits for renewals that were begun. No question may come after it.
func (s *Service) Wait() { s.renewing.Wait() }

// maxTokens bounds the tokens that one hop stood on, all of which can be
// revoked; a hop that had as many is not renewed any more.
const maxTokens = 1024

// renewOne renews a hop of the claims' principal, if it would be allowed with
// them. A no changes nothing: the hop still ends at its time. It is recorded
// before it counts, and nothing waits for the disk with it; the error says that
// this could not be.
func (s *Service) renewOne(ctx context.Context, h *Held, c *token.Claims, leeway time.Duration) error {
	next := s.renewal(h, c, leeway)
	if next == nil {
		return nil
	}
	r := h.changed(next, "renewed by a fresher token")
	if err := s.keepChange(ctx, &r, &next.verdict); err != nil {
		return err
	}
	if !s.standRenewed(h, next) {
		return nil
	}
	// An order may have come as it was renewed, and not have found it.
	if code := s.cutOff(h); code != "" {
		s.cfg.Register.Cut(h.entry.ID, CutOf(code))
	}
	return nil
}

// renewal is the decision that renews a hop; nil: none does.
func (s *Service) renewal(h *Held, c *token.Claims, leeway time.Duration) *later {
	h.judging.Lock()
	defer h.judging.Unlock()
	if !h.fresher(c) {
		return nil
	}
	next := h.again(s.cfg.Register)
	next.hop.Claims, next.hop.Leeway = c, leeway
	if code := s.judgeAgain(h, next); code != "" || !renews(&next.verdict, h) {
		return nil
	}
	return next
}

// standRenewed has a hop stand on what was decided, unless the feed has changed
// since, or another token came first: then that counts.
func (s *Service) standRenewed(h *Held, next *later) bool {
	h.judging.Lock()
	defer h.judging.Unlock()
	if !h.fresher(next.hop.Claims) {
		return false
	}
	if w := s.world.Load(); w != next.world {
		if code := s.judgeAgain(h, next); code != "" || !renews(&next.verdict, h) {
			return false
		}
	}
	if !s.cfg.Register.Move(h.entry.ID, next.end()) {
		return false
	}
	s.standOn(h, next)
	return true
}

// renews reports whether a decision lets a fresher token move a hop's end: its
// own lifetime, or that of the tunnel that it would outlive.
func renews(v *decide.Verdict, h *Held) bool {
	switch v.Outcome.Duties.Lifetime {
	case v1alpha1.LifetimeRenewable:
		return true
	case v1alpha1.LifetimeMax:
		return h.inTunnel()
	default:
		return false
	}
}

// fresher reports whether claims outlive those that h stands on.
func (h *Held) fresher(c *token.Claims) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return c.ExpiresAt.After(h.hop.Claims.ExpiresAt) && len(h.before) < maxTokens
}

// later is a decision on a hop that lives.
type later struct {
	world   *World
	now     time.Time
	hop     decide.Hop
	verdict decide.Verdict
}

// end is when the hop ends by this decision, if nobody renews it.
func (l *later) end() time.Time { return l.now.Add(l.verdict.Lease) }

// decidedBy is what decided, by names.
func (l *later) decidedBy() (policy, rule string) {
	o := &l.verdict.Outcome
	if o.Policy.Name == "" {
		return "", ""
	}
	return l.world.State.Name(o.Policy), o.Rule
}

// standOn has h be what it was decided to be, and be found by that.
func (s *Service) standOn(h *Held, l *later) {
	if h.standOn(l) {
		s.cfg.Register.Renamed(h.entry.ID)
	}
}

// standOn has h be what it was decided to be, and reports whether that gives it
// other keys. The hop's action stays.
func (h *Held) standOn(l *later) (renamed bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if old := h.hop.Claims; old != nil && l.hop.Claims != old {
		h.before = append(h.before, token.NameOf(old))
		renamed = true
	}
	h.hop.Claims, h.hop.Leeway, h.hop.Target = l.hop.Claims, l.hop.Leeway, l.hop.Target
	policy, rule := l.decidedBy()
	renamed = renamed || policy != h.policy || rule != h.rule
	h.policy, h.rule = policy, rule
	h.revision, h.lifetime = l.world.State.Revision, string(l.verdict.Outcome.Duties.Lifetime)
	return renamed
}

// changed is the record of a decision that changed something.
func (h *Held) changed(l *later, reason string) audit.Record {
	r := audit.Record{
		Time: l.now, Kind: audit.KindChange, Hop: audit.HopID(h.entry.ID), Parent: audit.HopID(h.entry.Parent),
		Peer: strings.Clone(l.hop.Peer), Surface: string(l.hop.Action.Kind), Verdict: audit.VerdictAllow,
		Level: l.verdict.Outcome.Level, Reason: reason, Revision: l.world.State.Revision, Until: l.end().Round(time.Second),
	}
	r.Policy, r.Rule = l.decidedBy()
	if c := l.hop.Claims; c != nil {
		r.Txn, r.Domain, r.Subject, r.Agent, r.Actors = c.Txn, h.domain, c.Subject, c.Agent, c.Actors
		r.Token, r.Expires = audit.TokenID(token.NameOf(c)), c.ExpiresAt
	}
	return r
}

func (s *Service) keepChange(ctx context.Context, r *audit.Record, v *decide.Verdict) error {
	if v.Outcome.Duties.Audit == v1alpha1.AuditDurable {
		return s.cfg.Recorder.AppendDurable(ctx, *r)
	}
	return s.cfg.Recorder.Append(*r)
}
