package check

import (
	"context"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/authz/denial"
	"github.com/hopgate/hopgate/authz/leash"
	"github.com/hopgate/hopgate/authz/policy"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

// write keeps the decision. A durable one is on disk when it returns.
func (s *Service) write(ctx context.Context, w *work, kind audit.Kind) error {
	s.record(w, kind)
	if w.verdict.Outcome.Duties.Audit == v1alpha1.AuditDurable {
		return s.cfg.Recorder.AppendDurable(ctx, w.record)
	}
	return s.cfg.Recorder.Append(w.record)
}

// record makes w.record of the decision, as far as it came. Strings may be
// views of the request: the log keeps none of them.
func (s *Service) record(w *work, kind audit.Kind) {
	w.record = audit.Record{
		Time: w.now, Kind: kind, Hop: audit.HopID(w.id), RequestID: w.name,
		Source: source(&w.req.Source), Seen: w.record.Seen[:0],
	}
	r := &w.record
	w.recordTarget(r)
	w.recordCaller(r)
	if w.verdict.Led {
		r.Cause, r.CauseUntil = audit.HopID(w.led.hop), w.led.until
	}
	a := &w.hop.Action
	r.Surface, r.Method, r.Name = string(a.Kind), a.Method, a.Name
	r.Host, r.Port, r.Path = a.Host, a.Port, a.Path
	if r.Method == "" {
		// It was denied before it was read: this is what the client wrote.
		r.Method, r.Host = w.req.Method, withoutUser(w.req.Host)
		r.Path, _ = cutQuery(w.req.Path)
	}
	s.recordVerdict(w, r)
}

func (w *work) recordTarget(r *audit.Record) {
	t := w.hop.Target
	if t == nil {
		return
	}
	r.Gateway, r.Listener, r.Route, r.RouteRule, r.Backends = t.Target.Gateway, t.Target.Listener, t.Route, t.Rule, t.Backends
	r.Revision = w.world.State.Revision
	if w.parent != nil {
		r.Parent = audit.HopID(w.parentID)
	}
}

func (w *work) recordCaller(r *audit.Record) {
	r.Peer = w.hop.Peer
	c := w.hop.Claims
	if c == nil {
		return
	}
	r.Txn, r.Domain, r.Subject, r.Agent, r.Actors = c.Txn, w.world.State.Name(c.Domain), c.Subject, c.Agent, c.Actors
	r.Token, r.Expires = audit.TokenID(c.Hash[:8]), c.ExpiresAt
}

func (s *Service) recordVerdict(w *work, r *audit.Record) {
	o := &w.verdict.Outcome
	r.Verdict, r.Level, r.Rule = audit.VerdictAllow, o.Level, o.Rule
	if o.Policy.Name != "" {
		r.Policy = w.world.State.Name(o.Policy)
	}
	if r.Kind == audit.KindDeny {
		code := s.codes.Get(w.code)
		r.Verdict, r.Code, r.Retry, r.Reason = audit.VerdictDeny, code.Name, string(code.Retry), w.why(code.Text)
		if w.code == denial.ApprovalRequired {
			r.Verdict = audit.VerdictAsk
		}
	}
	for _, e := range o.Errors {
		r.RuleErrors = append(r.RuleErrors, audit.RuleError{Policy: e.Policy.String(), Rule: e.Rule, Error: e.Error})
	}
	for _, x := range o.Would {
		r.Would = append(r.Would, audit.Would{
			Level: x.Level, Policy: x.Policy.String(), Rule: x.Rule, Verdict: audit.Verdict(x.Effect.String()), Code: x.Code,
		})
	}
	if w.hop.Target == nil || w.hop.Target.Listener == nil {
		return
	}
	q := policy.Question{Peer: w.hop.Peer, Claims: w.hop.Claims, Action: &w.hop.Action}
	for _, f := range o.Seen(&q, &w.seen) {
		r.Seen = append(r.Seen, audit.Field(f))
	}
	w.recordLimits(r)
	w.recordPackage(r)
	if o := w.hop.Action.Override; o != "" {
		r.Seen = append(r.Seen, audit.Field{Name: audit.FieldOverride, Value: strconv.AppendQuote(nil, o)})
	}
	if w.hop.Action.Inspected {
		r.Seen = append(r.Seen, audit.Field{Name: audit.FieldInspected, Value: []byte("true")})
	}
}

// recordLimits adds what limits were compared with, where there were any, so
// that the hop can be decided again.
func (w *work) recordLimits(r *audit.Record) {
	d, a := &w.verdict.Outcome.Duties, &w.hop.Action
	broken := w.code == denial.LimitExceeded || w.code == denial.LimitMissing
	add := func(name string, n int64) {
		r.Seen = append(r.Seen, audit.Field{Name: name, Value: strconv.AppendInt(nil, n, 10)})
	}
	if broken || d.OutputTokens > 0 {
		add(audit.FieldOutputTokens, a.OutputTokens)
	}
	if broken || r.Kind == audit.KindBegin && d.RequestBytes >= 0 {
		add(audit.FieldRequestBytes, a.RequestBytes)
	}
}

// withoutUser leaves out what stands before an at-sign: it may be a password.
func withoutUser(host string) string { return host[strings.LastIndexByte(host, '@')+1:] }

// why is a sentence for the record.
func (w *work) why(text string) string {
	switch {
	case w.text != "":
		return w.text
	case w.verdict.Outcome.Detail != "":
		return text + ": " + w.verdict.Outcome.Detail
	case w.reason != "":
		return text + ": " + w.reason
	default:
		return text
	}
}

// source is the client's address; zero where it has none, inside a tunnel.
func source(p *Peer) netip.AddrPort {
	a, err := netip.ParseAddr(p.Address)
	if err != nil {
		return netip.AddrPort{}
	}
	if p.Port > math.MaxUint16 {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(a, uint16(p.Port))
}

// Ended writes the end of a hop. It is given to the register.
func (s *Service) Ended(h *leash.Hop, e leash.Ending) {
	if h.Canary {
		if held, ok := h.Subject.(*Held); ok {
			held.unapprove()
		}
		return
	}
	r := audit.Record{Time: s.cfg.Now(), Kind: audit.KindEnd, Hop: audit.HopID(h.ID), End: e.How, Duration: e.Lived.Round(time.Microsecond), Code: e.CutCode}
	if held, ok := h.Subject.(*Held); ok {
		held.over(s)
		held.unapprove()
		held.settle(e.Log)
		s.renewals.remove(held)
		if c, _ := held.claims(); c != nil {
			r.Txn, r.Domain = c.Txn, held.domain
		}
	}
	if e.Log != nil {
		r.BytesIn, r.BytesOut = int64(e.Log.In), int64(e.Log.Out)
		r.Duration, r.Status, r.Detail = e.Log.Duration, int(e.Log.Status), e.Log.Details
	}
	if err := s.cfg.Recorder.Append(r); err != nil {
		s.cfg.Log.Warn("the end of a hop is not recorded", "hop", h.ID.String(), "error", err)
	}
}
