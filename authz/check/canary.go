package check

import (
	"net/http"
	"strings"

	"github.com/hopgate/hopgate/authz/canary"
	"github.com/hopgate/hopgate/authz/decide"
	"github.com/hopgate/hopgate/authz/denial"
	"github.com/hopgate/hopgate/authz/leash"
	"github.com/hopgate/hopgate/authz/surface/egress"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

// Canaries say which hops are hopgate's own, by which an Envoy is proven, and
// whether it is.
type Canaries interface {
	// Proven reports whether hops of others may be decided.
	Proven() bool
	// Owns reports whether what a request carries as its token is the secret
	// of an attempt that is being made.
	Owns(secret string) bool
	// Plan says how a canary goes on; false: it goes nowhere.
	Plan(canary.Question) (canary.Plan, bool)
}

// canaryPrefix begins every target of a listener of canaries.
const canaryPrefix = "e=" + string(wire.EntryCanary)

// isCanary reports whether w is hopgate's own. It entered where nothing else
// does, or is inside a tunnel, and knows the secret.
func (s *Service) isCanary(w *work) bool {
	c := s.cfg.Canaries
	if _, tunnelled := entryInside(w.req.Target); c == nil || !tunnelled && !strings.HasPrefix(w.req.Target, canaryPrefix) {
		return false
	}
	secret := w.req.Header(HeaderTxnToken)
	return secret.Count == 1 && c.Owns(secret.Value)
}

// closed reports whether the Envoy that asks is not proven.
func (s *Service) closed() bool { return s.cfg.Canaries != nil && !s.cfg.Canaries.Proven() }

// answerCanary answers as others are answered, by what the canary is for and
// not by rules. It leaves no record and is not counted.
func (s *Service) answerCanary(w *work, in inside) {
	if !s.judgeCanary(w, in) || !s.admitCanary(w) {
		s.sayDeny(w)
		return
	}
	s.sayAllow(w)
}

func (s *Service) judgeCanary(w *work, in inside) bool {
	q := canary.Question{ID: w.id, Path: strings.Clone(w.req.Path), Connect: w.req.Method == http.MethodConnect}
	t := &decide.Target{Target: wire.Target{Entry: wire.EntryInner}}
	switch w.req.Target {
	case wire.CanaryTarget(wire.CanaryRoutes).String():
		t.Entry, q.Listener = wire.EntryRoute, wire.CanaryRoutes
	case wire.CanaryTarget(wire.CanaryProxy).String():
		t.Entry, q.Listener = wire.EntryProxy, wire.CanaryProxy
	}
	w.hop.Target = t
	if !w.canaryTo(q.Connect) || t.Entry == wire.EntryInner && !s.canaryInside(w, in) {
		return false
	}
	q.Host = strings.Clone(w.dest.Host)
	p, ok := s.cfg.Canaries.Plan(q)
	if !ok {
		return w.deny(denial.NoRoute)
	}
	if strings.HasSuffix(p.Mode, wire.InspectSuffix) && !s.approve(w) {
		return false
	}
	w.way = egress.Way{Mode: p.Mode, Cluster: p.Cluster}
	w.verdict.Allowed, w.verdict.Life, w.verdict.Lease, w.verdict.Hold = true, p.Life, p.Life, p.Hold
	return true
}

// canaryTo reads where a canary goes.
func (w *work) canaryTo(connect bool) bool {
	var port uint16 = httpPort
	if connect {
		port = 0
	}
	d, err := egress.ParseAuthority(w.req.Host, port)
	if err != nil {
		return w.refuse(err)
	}
	w.dest = d
	return true
}

// canaryInside wants the tunnel that a canary came through to be a canary, and
// to be the one that it names.
func (s *Service) canaryInside(w *work, in inside) bool {
	id, err := leash.ParseID(in.parent)
	if err != nil {
		return w.deny(denial.TunnelGone)
	}
	live, ok := s.cfg.Register.Live(id)
	if !ok {
		return w.deny(denial.TunnelGone)
	}
	parent, ok := live.Subject.(*Held)
	if !ok || !parent.canary || parent.dest.String() != in.target {
		return w.deny(denial.TunnelGone)
	}
	if w.dest.String() != in.target {
		return w.deny(denial.TargetMismatch)
	}
	w.parent, w.parentID = parent, id
	return true
}

// admitCanary enters the hop.
func (s *Service) admitCanary(w *work) bool {
	h := &Held{hop: w.hop, dest: w.dest, said: w.occasion(), hold: w.verdict.Hold, canary: true}
	h.dest.Host = strings.Clone(w.dest.Host)
	h.leaf, w.leaf = w.leaf, nil
	h.forget()
	until := w.now.Add(w.verdict.Life)
	h.entry = leash.Hop{
		ID: w.id, Parent: w.parentID, Held: w.verdict.Hold != wire.HoldNone, Relay: w.verdict.Hold == wire.HoldRelay,
		Until: until, Last: until, Canary: true, Subject: h,
	}
	if err := s.cfg.Register.Enter(&h.entry); err != nil {
		h.unapprove()
		return w.deny(denial.Overloaded)
	}
	s.canaries.Add(1)
	return true
}

// LiveCanaries is how many of the register's hops are hopgate's own.
func (s *Service) LiveCanaries() int { return int(s.canaries.Load()) }
