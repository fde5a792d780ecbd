package check

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/hopgate/hopgate/authz/decide"
	"github.com/hopgate/hopgate/authz/denial"
	"github.com/hopgate/hopgate/authz/leash"
	"github.com/hopgate/hopgate/authz/resolve"
	"github.com/hopgate/hopgate/authz/surface/egress"
	"github.com/hopgate/hopgate/authz/token"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

// inside is what a hop inside a tunnel carries: how it entered, the tunnel's
// hop id, and its target as Check had it dialled.
type inside struct {
	entry          wire.Entry
	parent, target string
}

// judge decides the request of w, and reports whether it may pass. What is
// not known yet, cannot be read or cannot be decided ends at the first step
// that finds it.
func (s *Service) judge(ctx context.Context, w *work, in inside) bool {
	if w.world = s.world.Load(); w.world == nil || s.closed() {
		return w.deny(denial.NotReady)
	}
	if !s.place(w, in) {
		return false
	}
	if !s.identify(ctx, w) {
		w.glance()
		return false
	}
	if w.token != "" {
		s.renew(ctx, w)
	}
	if !w.recognise() {
		return false
	}
	if code := s.contained(&w.hop, nil, w.now); code != "" {
		return w.deny(code)
	}
	// What no policy can open comes before policy, so that its reason is told;
	// a name is looked up only for who may go there.
	if w.hop.Target.Entry != wire.EntryRoute && !s.reachable(w, in) {
		return false
	}
	w.led = s.ledTo(w)
	w.hop.Cause = w.led.cause
	w.verdict.Decide(&w.hop, w.now, nil)
	if w.verdict.Code == denial.ReleaseAgeUnknown && !s.aged(ctx, w) {
		return false
	}
	if !w.verdict.Allowed {
		return w.refused()
	}
	return s.settle(ctx, w)
}

// place finds the target of the hop.
func (s *Service) place(w *work, in inside) bool {
	if in.parent != "" {
		return s.placeInside(w, in)
	}
	t := w.world.State.Target(w.req.Target)
	if t == nil || t.Entry.InTunnel() {
		return w.deny(denial.NotReady)
	}
	w.hop.Target = t
	w.hop.Action.Kind = v1alpha1.SurfaceType(t.Surface)
	if t.Listener == nil {
		return w.deny(denial.NoRoute)
	}
	return true
}

// placeInside finds the tunnel that the hop came through: its target, its
// caller and its end are the hop's too.
func (s *Service) placeInside(w *work, in inside) bool {
	id, err := leash.ParseID(in.parent)
	if err != nil {
		return w.deny(denial.TunnelGone)
	}
	live, ok := s.cfg.Register.Live(id)
	if !ok {
		return w.deny(denial.TunnelGone)
	}
	until, last := s.cfg.Register.Until(id)
	parent, ok := live.Subject.(*Held)
	if !ok || parent.canary || until.IsZero() || parent.dest.String() != in.target || in.entry == wire.EntryInspected && parent.tls != v1alpha1.TLSInspect {
		return w.deny(denial.TunnelGone)
	}
	outer := parent.target()
	t := w.world.State.Resolve(w.world.surfaceInside(wire.Target{
		Entry: in.entry, Gateway: outer.Gateway, Listener: outer.Listener, Surface: "HTTP",
	}, parent.dest))
	if t == nil {
		return w.deny(denial.NotReady)
	}
	w.parent, w.parentID = parent, id
	w.hop = decide.Hop{Target: t, Peer: parent.hop.Peer, Until: until, Last: last}
	w.hop.Claims, w.hop.Leeway = parent.claims()
	return true
}

// identify says who asks: by the connection, and by the token. A token that
// is there and bad is never passed over, also where none would be needed.
func (s *Service) identify(ctx context.Context, w *work) bool {
	if w.parent != nil {
		// Who calls is the tunnel's, and a token in here is passed over; two of
		// them are there for a reader who takes the other one.
		return w.req.Header(HeaderTxnToken).Count <= 1 || w.deny(denial.TokenMalformed)
	}
	l := w.hop.Target.Listener
	peer := token.Peer{Certificate: w.req.Source.Certificate}
	switch {
	case w.hop.Target.Entry.Captured():
		if w.hop.Peer = addressOf(&w.req.Source); w.hop.Peer == "" {
			return w.deny(denial.Internal)
		}
	case l.Peers:
		peer.SPIFFE = peerOf(&w.req.Source)
		w.hop.Peer = peer.SPIFFE
	}
	if len(l.TrustDomains) == 0 {
		return true
	}
	raw, code := tokenOf(&w.req, w.hop.Target.Entry)
	if code == denial.TokenMissing {
		return true // a rule may need none
	}
	if code != "" {
		return w.deny(code)
	}
	claims, leeway, code := s.cfg.Tokens.Verify(ctx, w.now, raw, l, peer)
	switch {
	case code != "":
		return w.deny(code)
	case claims == nil:
		return w.deny(denial.Internal)
	}
	w.hop.Claims, w.hop.Leeway, w.token = claims, leeway, raw
	return true
}

// peerOf is the SPIFFE ID of the connection. Of a certificate without a URI
// Envoy gives a DNS name or the subject, which say nothing of a workload.
func peerOf(p *Peer) string {
	if !isSPIFFE(p.Principal) {
		return ""
	}
	return p.Principal
}

// isSPIFFE reports whether a peer was authenticated. One that is named by its
// address was not, but by the network.
func isSPIFFE(peer string) bool { return strings.HasPrefix(peer, "spiffe://") }

// reachable refuses what no policy can open, and what is reachable only as
// something else.
func (s *Service) reachable(w *work, in inside) bool {
	if in.parent != "" && w.dest.String() != in.target {
		return w.deny(denial.TargetMismatch)
	}
	way, code, err := w.world.wayTo(w.hop.Target, w.hop.Action.Kind, w.dest)
	switch {
	case err != nil:
		return w.refuse(err)
	case code != "":
		return w.deny(code)
	}
	w.way = way
	return true
}

// wayTo says how a destination is reached on a target by a hop of some kind, as
// decide.Reach does.
func (w *World) wayTo(t *decide.Target, kind v1alpha1.SurfaceType, d egress.Destination) (way egress.Way, code string, err error) {
	plan := w.Egress[t.Target.Gateway].Plan
	if plan == nil {
		return egress.Way{}, denial.NotReady, nil
	}
	if kind == v1alpha1.SurfaceHosts {
		return decide.ReachTunnel(plan, t, d)
	}
	if way, code, err = decide.Reach(plan, t, d); t.Entry.InTunnel() {
		way = way.Direct()
	}
	return way, code, err
}

// settle does what is left of an allowed hop: find its address, and its
// credential.
func (s *Service) settle(ctx context.Context, w *work) bool {
	if decide.MustInspect(w.way, w.hop.Action.Kind) && !w.verdict.Inspects(&w.hop) {
		return w.deny(denial.SurfaceRequired)
	}
	if w.hop.Target.Entry != wire.EntryRoute && w.way.NeedsResolution() && !s.resolve(ctx, w) {
		return false
	}
	for _, c := range w.hop.Target.Credentials {
		secret, ok := s.cfg.Secrets.Get(c)
		if !ok || c.Rejected != "" {
			return w.deny(denial.CredentialMissing)
		}
		w.secrets = append(w.secrets, secret)
	}
	return !w.verdict.Inspects(&w.hop) || s.approve(w)
}

// approve has a certificate ready for a tunnel whose TLS is to end here: the
// client asks for it as soon as it is told that there is a tunnel.
func (s *Service) approve(w *work) bool {
	err := errNoLeaves
	if s.cfg.Leaves != nil {
		w.leaf, err = s.cfg.Leaves.Approve(strings.Clone(w.dest.Host))
	}
	if err != nil {
		w.text = "the TLS of this tunnel is to be inspected, and cannot be: " + err.Error()
		return w.deny(denial.NotAvailable)
	}
	return true
}

var errNoLeaves = errors.New("there is no CA")

// approvedFor is how long Envoy may look a name up after a hop was allowed to
// it: its cache asks again for as long as the host is in use, and a minute.
const approvedFor = 5 * time.Minute

// resolve looks the name up once. What Envoy dials is from the same answer.
func (s *Service) resolve(ctx context.Context, w *work) bool {
	out := w.world.Egress[w.hop.Target.Target.Gateway]
	// A copy: whoever looks a name up remembers it, and the host may be a view.
	name := strings.Clone(w.dest.Host)
	found, err := out.Names.Lookup(ctx, name)
	if err != nil {
		return w.unresolved(err)
	}
	if w.way, err = out.Plan.Settle(w.dest, w.way, found.Addrs); err != nil {
		return w.refuse(err)
	}
	out.Names.Approve(name, w.now.Add(max(w.verdict.Life, approvedFor)))
	return true
}

// unresolved notes why a name has no address to dial.
func (w *work) unresolved(err error) bool {
	var f *resolve.Failure
	if !errors.As(err, &f) {
		return w.refuse(err)
	}
	w.reason = string(f.Kind)
	return w.deny(denial.NameUnresolved)
}
