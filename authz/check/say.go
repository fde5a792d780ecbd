package check

import (
	"net/http"
	"strconv"
	"time"

	"github.com/hopgate/hopgate/authz/denial"
	"github.com/hopgate/hopgate/authz/leash"
	"github.com/hopgate/hopgate/authz/leash/word"
	"github.com/hopgate/hopgate/authz/surface"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

// sayDeny writes the answer that refuses w.
func (s *Service) sayDeny(w *work) {
	code := s.codes.Get(w.code)
	d := surface.Denial{RequestID: w.name, Reason: w.reason, Text: w.text, After: w.after}
	if w.told() {
		d.Policy, d.Rule = w.decidedBy()
		if d.Text == "" && w.verdict.Outcome.Detail != "" {
			d.Text = code.Text + ": " + w.verdict.Outcome.Detail
		}
	}
	a := denial.Say(code, d, w.occasion())
	w.answer.Deny(a.Status, pairs(a.Headers), a.Body)
}

// told reports whether a denial names the rule: to a verified caller, where
// the Gateway's operator has not said otherwise.
func (w *work) told() bool {
	t := w.hop.Target
	return t != nil && (w.hop.Claims != nil || isSPIFFE(w.hop.Peer)) && t.Gateway.Detail != v1alpha1.DetailCode
}

// decidedBy is what decided, by names; empty where nothing did.
func (w *work) decidedBy() (policy, rule string) {
	o := &w.verdict.Outcome
	if o.Policy.Name == "" {
		return "", ""
	}
	return w.world.State.Name(o.Policy), o.Rule
}

func pairs(hs []denial.Header) []Pair {
	out := make([]Pair, len(hs))
	for i, h := range hs {
		out[i] = Pair(h)
	}
	return out
}

// sayAllow writes the answer that lets w pass. What carried the token is
// always removed; the token is set again only where every rule that allows
// says so, and it is this hop's own: what came beside a tunnel's token, or
// where none is believed, was never looked at. The agent's own credential goes
// where ours stands.
func (s *Service) sayAllow(w *work) {
	var setTo [5]Pair
	var removeTo [3]string
	set := append(setTo[:0], Pair{wire.HeaderDeadline, milliseconds(w.verdict.Life)})
	remove := append(removeTo[:0], headerProxyAuthorization)
	if w.token != "" && w.verdict.Outcome.Duties.ForwardToken == v1alpha1.ForwardTokenForward {
		set = append(set, Pair{wire.HeaderTxnToken, w.token})
	} else {
		remove = append(remove, wire.HeaderTxnToken)
	}
	if path, ok := w.sent(); ok {
		set = append(set, Pair{headerPath, path})
	}
	own := len(w.secrets) > 0
	for i, c := range w.hop.Target.Credentials {
		own = own && c.Header != headerAuthorization
		set = append(set, Pair{c.Header, w.secrets[i].Reveal()})
	}
	if own {
		remove = append(remove, headerAuthorization)
	}
	var metaTo [8]Pair
	w.answer.Allow(set, remove, s.metadata(w, metaTo[:0]))
}

// milliseconds is a deadline as Envoy reads it: whole, at least 1.
func milliseconds(d time.Duration) string { return strconv.FormatInt(max(1, d.Milliseconds()), 10) }

// metadata is what filters and routes behind Check go by.
func (s *Service) metadata(w *work, ps []Pair) []Pair {
	ps = append(ps, Pair{wire.MetaHopID, w.name}, Pair{wire.MetaHold, w.verdict.Hold})
	if w.verdict.Meters(&w.hop) {
		ps = append(ps, Pair{wire.MetaMeter, wire.MeterYes})
	}
	if w.hop.Target.Entry == wire.EntryRoute {
		return ps
	}
	mode := w.way.Mode
	switch {
	case w.hop.Target.Entry == wire.EntryProxy && w.req.Method == http.MethodConnect && w.verdict.Outcome.Duties.TLS == v1alpha1.TLSOpaque:
		mode += wire.OpaqueSuffix
	case w.verdict.Inspects(&w.hop):
		mode += wire.InspectSuffix
	}
	ps = append(ps, Pair{wire.MetaMode, mode},
		Pair{wire.MetaHost, w.dest.DialHost()}, Pair{wire.MetaPort, strconv.Itoa(int(w.dest.Port))})
	if w.way.Cluster != "" {
		ps = append(ps, Pair{wire.MetaCluster, w.way.Cluster})
	}
	switch {
	case w.req.Method == http.MethodConnect:
		ps = append(ps, Pair{wire.MetaTunnel, w.name})
	case !w.hop.Target.Entry.InTunnel():
		ps = append(ps, Pair{wire.MetaPool, s.pool(w)})
	}
	return ps
}

// Words says a denial for a hop that was allowed and has had no answer yet
// (leash.Words).
func (s *Service) Words(h *leash.Hop, code string) leash.Reply {
	var d surface.Denial
	var o denial.Occasion
	if h != nil {
		d.RequestID = h.ID.String()
		if held, ok := h.Subject.(*Held); ok {
			o = held.said
		}
	}
	a := denial.Say(s.codes.Get(code), d, o)
	r := leash.Reply{Status: a.Status, Body: a.Body}
	for _, kv := range a.Headers {
		r.Headers = append(r.Headers, [2]string{kv.Name, kv.Value})
	}
	return r
}

// Last says why a stream of events, or a WebSocket, is ended (leash.Words).
func (s *Service) Last(h *leash.Hop, code string) leash.Last {
	var d surface.Denial
	var o denial.Occasion
	if held, ok := h.Subject.(*Held); ok {
		d.RequestID, o = h.ID.String(), held.said
	}
	c := s.codes.Get(code)
	e := denial.Last(c, d, o)
	l := leash.Last{Event: e.Name, Data: e.Data, Text: c.Name + ": " + c.Text}
	if code == denial.ShuttingDown {
		l.Close = word.GoingAway
	}
	return l
}

// Warn says ahead that the life of a hop will end (leash.Words).
func (s *Service) Warn(h *leash.Hop) leash.Last {
	var d surface.Denial
	var o denial.Occasion
	if held, ok := h.Subject.(*Held); ok {
		d.RequestID, o = h.ID.String(), held.said
	}
	e := denial.Warning(s.codes.Get(denial.TokenExpiring), d, o)
	return leash.Last{Event: e.Name, Data: e.Data}
}
