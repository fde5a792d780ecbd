package check

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/hopgate/hopgate/authz/canary"
	"github.com/hopgate/hopgate/authz/contain/budget"
	"github.com/hopgate/hopgate/authz/decide"
	"github.com/hopgate/hopgate/authz/denial"
	"github.com/hopgate/hopgate/authz/leash"
	"github.com/hopgate/hopgate/authz/policy"
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

// canaryTLS is the target of canaries by captured TLS.
const canaryTLS = canaryPrefix + ";l=" + wire.CanaryTLS

// isCanary reports whether w is hopgate's own. It entered where nothing else
// does, or is inside a tunnel, and knows the secret.
func (s *Service) isCanary(w *work) bool {
	c := s.cfg.Canaries
	if _, tunnelled := entryInside(w.req.Target); c == nil || !tunnelled && !strings.HasPrefix(w.req.Target, canaryPrefix) {
		return false
	}
	return c.Owns(w.canarySecret())
}

// canarySecret is what a canary shows, empty where nothing is: as others show
// their token, or in the name of its TLS where that is all there is.
func (w *work) canarySecret() string {
	if w.req.Target == canaryTLS {
		// Of a name that is no canary's it is empty, and so is nobody's.
		secret, _, _, _ := wire.ParseCanaryServerName(w.canaryName())
		return secret
	}
	if f := w.req.Header(HeaderTxnToken); f.Count == 1 {
		return f.Value
	}
	return ""
}

// canaryName is what the TLS of a canary names.
func (w *work) canaryName() string {
	name, _ := cutPort(w.req.Host) // any port: the name alone is TLS's
	return name
}

// closed reports whether the Envoy that asks is not proven.
func (s *Service) closed() bool { return s.cfg.Canaries != nil && !s.cfg.Canaries.Proven() }

// answerCanary answers as others are answered, by what the canary is for and
// not by rules. It leaves no record and is not counted.
func (s *Service) answerCanary(ctx context.Context, w *work, in inside) {
	if !s.judgeCanary(ctx, w, in) || !s.admitCanary(w) {
		s.sayDeny(w)
		return
	}
	s.sayAllow(w)
}

func (s *Service) judgeCanary(ctx context.Context, w *work, in inside) bool {
	q := canary.Question{ID: w.id, Path: strings.Clone(w.req.Path), Connect: w.req.Method == http.MethodConnect}
	t := &decide.Target{Target: wire.Target{Entry: wire.EntryInner}}
	for listener, entry := range canaryEntries() {
		if w.req.Target == wire.CanaryTarget(listener).String() {
			t.Entry, q.Listener = entry, listener
		}
	}
	w.hop.Target = t
	if !w.canaryTo(q.Connect) || t.Entry == wire.EntryInner && !s.canaryInside(w, in) {
		return false
	}
	q.Host = strings.Clone(w.dest.Host)
	if t.Entry == wire.EntryCaptureTLS {
		// What is no canary's name is empty, which no plan knows.
		_, what, host, _ := wire.ParseCanaryServerName(q.Host)
		q.Path, q.Host, q.Source = "/"+what, host, strings.Clone(calledWith(ctx, wire.CallSource))
	}
	p, ok := s.cfg.Canaries.Plan(q)
	if !ok {
		return w.deny(denial.NoRoute)
	}
	if strings.HasSuffix(p.Mode, wire.InspectSuffix) && !s.approve(w) {
		return false
	}
	w.way = egress.Way{Mode: p.Mode, Cluster: p.Cluster}
	w.verdict.Allowed, w.verdict.Life, w.verdict.Lease, w.verdict.Hold = true, p.Life, p.Life, p.Hold
	w.mute = p.Mute
	return p.Upload == 0 || s.meterCanary(w, p.Upload)
}

// canaryEntries are how what enters by a listener of canaries would have
// entered by one that serves.
func canaryEntries() map[string]wire.Entry {
	return map[string]wire.Entry{
		wire.CanaryRoutes: wire.EntryRoute, wire.CanaryProxy: wire.EntryProxy,
		wire.CanaryTLS: wire.EntryCaptureTLS, wire.CanaryHTTP: wire.EntryCaptureHTTP,
	}
}

// meterCanary has a canary counted by a budget of its own.
func (s *Service) meterCanary(w *work, room int64) bool {
	book, err := budget.Open(budget.Config{Now: s.cfg.Now, Rand: s.cfg.Rand})
	if err != nil {
		return w.deny(denial.Internal)
	}
	id := w.id
	w.hop.Action.RequestBytes = -1 // not known before it has come
	w.verdict.Outcome.Duties.Budgets = []*policy.Budget{{UploadBytes: room, Window: time.Minute}}
	charge, refusal := book.Begin(&budget.Ask{
		Limits: []budget.Limit{{UploadBytes: room, Window: time.Minute}}, Body: -1,
		Cut: func() { s.cfg.Register.Cut(id, leash.Limited()) },
	})
	if refusal != nil {
		return w.deny(denial.Internal) // nobody has used it yet
	}
	w.charge = charge
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
		Until: until, Last: until, Canary: true, Mute: w.mute, Subject: h,
	}
	if w.charge != nil {
		h.entry.Uploads = w.charge
	}
	if err := s.cfg.Register.Enter(&h.entry); err != nil {
		h.unapprove()
		return w.deny(denial.Overloaded)
	}
	return true
}
