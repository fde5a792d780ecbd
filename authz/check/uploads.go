package check

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/hopgate/hopgate/authz/contain/budget"
	"github.com/hopgate/hopgate/authz/denial"
	"github.com/hopgate/hopgate/authz/leash"
	"github.com/hopgate/hopgate/authz/policy"
)

// pay finds room for the hop in the budgets of the rules that allow it. What is
// found is taken back where the hop does not begin.
func (s *Service) pay(w *work) bool {
	budgets := w.verdict.Outcome.Duties.Budgets
	if len(budgets) == 0 {
		return true
	}
	if s.cfg.Uploads == nil {
		return w.deny(denial.NotAvailable)
	}
	id := w.id
	charge, refusal := s.cfg.Uploads.Begin(&budget.Ask{
		Who: w.principal(), Limits: w.limits(budgets), Head: w.req.head(), Body: w.hop.Action.RequestBytes, Host: w.hop.Action.Host,
		Cut: func() { s.cfg.Register.Cut(id, leash.Limited()) },
	})
	if refusal != nil {
		return w.unpaid(refusal)
	}
	w.charge = charge
	return true
}

// unpay takes back what pay found.
func (w *work) unpay() {
	w.charge.Cancel()
	w.charge = nil
}

// unpaid says why there is no room.
func (w *work) unpaid(r *budget.Refusal) bool {
	what := fmt.Sprintf("rule %s lets %d bytes be sent in %s", r.Limit.Rule, r.Limit.UploadBytes, r.Limit.Window)
	switch {
	case r.Unkept != nil:
		w.reason = r.Unkept.Error()
		return w.deny(denial.Internal)
	case r.Full:
		return w.deny(denial.Overloaded)
	case r.Never:
		w.reason = what + ", and this is more"
		return w.deny(denial.LimitExceeded)
	case r.Names:
		what = fmt.Sprintf("rule %s lets %d different hosts be gone to in %s", r.Limit.Rule, r.Limit.Names, r.Limit.Window)
	}
	w.after = int64(math.Ceil(r.Wait.Seconds()))
	w.reason = fmt.Sprintf("%s; there is room in %s", what, r.Wait.Round(time.Second))
	return w.deny(denial.BudgetExhausted)
}

// principal is who uses budgets: the agent where there is one.
func (w *work) principal() budget.Principal {
	c := w.hop.Claims
	if c == nil {
		return budget.Principal{Kind: budget.Peer, Value: siteOf(w.hop.Peer)}
	}
	p := budget.Principal{Kind: budget.Agent, Domain: c.Domain.String(), Value: c.Agent}
	if c.Agent == "" {
		p.Kind, p.Value = budget.Subject, c.Subject
	}
	return p
}

// siteOf is the peer that budgets count for: of one that is known by an IPv6
// address its /64, in which a host has as many addresses as it likes.
func siteOf(peer string) string {
	a, err := netip.ParseAddr(peer)
	if err != nil || !a.Is6() {
		return strings.Clone(peer)
	}
	p, err := a.Prefix(64)
	if err != nil {
		return strings.Clone(peer)
	}
	return p.String()
}

func (w *work) limits(budgets []*policy.Budget) []budget.Limit {
	out := make([]budget.Limit, len(budgets))
	for i, b := range budgets {
		out[i] = budget.Limit{Policy: w.world.State.Name(b.Policy), Rule: b.Rule, UploadBytes: b.UploadBytes, Names: b.Names, Window: b.Window}
	}
	return out
}

// uncounted reports whether a hop that lives is to be counted by what it was not
// counted by as it began.
func (h *Held) uncounted(d *policy.Duties) bool {
	return slices.ContainsFunc(d.Budgets, func(b *policy.Budget) bool {
		return b.UploadBytes > 0 && !slices.ContainsFunc(h.budgets, func(o *policy.Budget) bool { return *o == *b })
	})
}

// settle counts what the hop has sent in all.
func (h *Held) settle(l *leash.Logged) {
	if l == nil {
		h.charge.End(0, false)
		return
	}
	h.charge.End(l.In, true)
}
