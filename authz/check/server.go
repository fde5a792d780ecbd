package check

import (
	"bytes"
	"context"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/authz/denial"
	"github.com/hopgate/hopgate/authz/leash"
	"github.com/hopgate/hopgate/authz/strictjson"
	"github.com/hopgate/hopgate/authz/surface"
	"github.com/hopgate/hopgate/authz/surface/mcp"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

// question is a Check request before it is read into a work.
type question struct {
	req Request
	// err is why req could not be read.
	err error
	buf mem.Buffer
	// size is what it took of the budget; taken: there was room for it.
	size  int
	taken bool
}

// reply is an encoded answer, and the list of one buffer that grpc takes it as.
type reply struct {
	mem.SliceBuffer
	list [1]mem.Buffer
}

// checkMethod is the full name of the call.
const checkMethod = "/envoy.service.auth.v3.Authorization/Check"

// Register adds the service to a server that was made with
// grpc.ForceServerCodecV2 and a Codec.
func (s *Service) Register(r grpc.ServiceRegistrar) {
	r.RegisterService(&grpc.ServiceDesc{
		ServiceName: "envoy.service.auth.v3.Authorization",
		HandlerType: (*any)(nil),
		Methods:     []grpc.MethodDesc{{MethodName: "Check", Handler: handle}},
		Metadata:    "envoy/service/auth/v3/external_auth.proto",
	}, s)
}

//nolint:revive // the order of arguments is grpc's
func handle(srv any, ctx context.Context, dec func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
	q := &question{}
	if err := dec(q); err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	return srv.(*Service).check(ctx, q), nil
}

// check answers one question. Whatever happens there is an answer, and what
// goes wrong denies.
func (s *Service) check(ctx context.Context, q *question) *reply {
	w := s.works.Get().(*work)
	w.question = q
	w.users.Add(1)
	s.answer(ctx, w)
	out := &reply{SliceBuffer: bytes.Clone(w.answer.Bytes())}
	s.drop(w)
	return out
}

// drop ends one use of w. With the last one its question's bytes go back, and
// then w itself.
func (s *Service) drop(w *work) {
	if w.users.Add(-1) > 0 {
		return
	}
	if q := w.question; q.taken {
		q.buf.Free()
		s.cfg.Budget.give(q.size)
	}
	w.reset()
	s.works.Put(w)
}

// answer decides and says.
func (s *Service) answer(ctx context.Context, w *work) {
	if err := w.id.Draw(s.cfg.Rand); err != nil {
		s.cfg.Log.Error("no randomness", "error", err)
		w.deny(denial.Internal)
		s.sayDeny(w)
		return
	}
	w.name, w.now = w.id.String(), s.cfg.Now()
	readable := s.read(w)
	in := insideOf(ctx, w.req.Target)
	if readable && s.isCanary(w) {
		s.answerCanary(ctx, w, in)
		return
	}
	if !readable || !w.captured(ctx) || !s.judge(ctx, w, in) || !s.admit(ctx, w) {
		s.refuse(ctx, w)
		return
	}
	s.count(w, "allow")
	s.sayAllow(w)
	if ctx.Err() != nil {
		// Envoy asks no more: its client left, or it has waited too long. It
		// would log nothing of a hop that it was not told of.
		s.cfg.Register.Left(w.id)
	}
}

// read takes the view of the question, if there is one.
func (s *Service) read(w *work) bool {
	switch q := w.question; {
	case !q.taken:
		return w.deny(denial.Overloaded)
	case q.err != nil:
		s.cfg.Log.Error("denied, because what Envoy asks cannot be read", "hop", w.name, "error", q.err)
		return w.deny(denial.Internal)
	default:
		w.req = q.req
		return true
	}
}

// refuse records and says a denial. One that cannot be recorded is a denial
// all the same.
func (s *Service) refuse(ctx context.Context, w *work) {
	if err := s.write(ctx, w, audit.KindDeny); err != nil {
		s.cfg.Log.Warn("a denial is not recorded", "hop", w.name, "code", w.code, "error", err)
	}
	if w.leaf != nil {
		w.leaf()
		w.leaf = nil
	}
	s.count(w, "deny")
	s.sayDeny(w)
}

// admit records an allow and enters the hop, in this order: a hop that cannot
// be recorded is not let in, and one that cannot be entered takes its record
// back by a denial.
func (s *Service) admit(ctx context.Context, w *work) bool {
	if !s.pay(w) {
		return false
	}
	if err := s.write(ctx, w, audit.KindBegin); err != nil {
		w.unpay()
		s.cfg.Log.Warn("denied, because it cannot be recorded", "hop", w.name, "error", err)
		return w.deny(denial.AuditUnavailable)
	}
	held := w.held()
	held.entry = leash.Hop{
		ID: w.id, Parent: w.parentID, Epoch: w.world.State.Epoch, Held: w.verdict.Hold != wire.HoldNone,
		Relay: w.verdict.Hold == wire.HoldRelay, Upgrade: w.hop.Action.Upgrade,
		Until: w.now.Add(w.verdict.Lease), Last: w.now.Add(w.verdict.Life), Subject: held,
	}
	held.entry.Heard = s.leads(held)
	if held.charge = w.charge; held.charge != nil {
		held.entry.Uploads, held.budgets = held.charge, w.verdict.Outcome.Duties.Budgets
	}
	w.charge = nil
	if err := s.cfg.Register.Enter(&held.entry); err != nil {
		held.charge.Cancel()
		held.over(s)
		held.unapprove()
		return w.deny(denial.Overloaded)
	}
	s.renewals.add(held)
	return true
}

// held is what of w lives as long as the hop. Strings that are views of the
// request are copied; what only rules read stays with work until the hold
// opens, and is copied then.
func (w *work) held() *Held {
	h := &Held{hop: w.hop, addrs: w.way.Addrs, said: w.occasion(), leaf: w.leaf}
	w.leaf = nil
	if w.hop.Action.Kind == v1alpha1.SurfaceHosts {
		h.tls = tlsOf(&w.verdict)
	}
	h.hop.Since = w.now
	if c := w.hop.Claims; c != nil && w.verdict.Renewable() {
		by := principalOf(c, h.hop.Peer)
		h.by = &by
	}
	h.hop.Peer = strings.Clone(w.hop.Peer)
	if w.hop.Target.Entry != wire.EntryRoute {
		h.dest = w.dest
		h.dest.Host = strings.Clone(w.dest.Host)
	}
	h.policy, h.rule = w.decidedBy()
	if c := w.hop.Claims; c != nil {
		h.domain = w.world.State.Name(c.Domain)
	}
	h.revision, h.lifetime, h.hold = w.world.State.Revision, string(w.verdict.Outcome.Duties.Lifetime), w.verdict.Hold
	if h.said.MCP != nil {
		h.mcp = mcp.Request{Kind: w.mcp.Kind, Method: w.mcp.Method, ID: bytes.Clone(w.mcp.ID), Modern: w.mcp.Modern}
		h.said.MCP = &h.mcp
	}
	if w.verdict.Hold != wire.HoldNone {
		w.users.Add(1)
		h.work = w
	} else {
		h.forget()
	}
	return h
}

// forget drops what is a view of the request.
func (h *Held) forget() { h.hop.Action = surface.Action{Kind: h.hop.Action.Kind} }

// Again decides a hop once more when its hold opens: what the feed brought
// between the two is not lost (leash.Judge).
func (s *Service) Again(h *leash.Hop) (code string) {
	held, ok := h.Subject.(*Held)
	if !ok {
		return denial.HopUnknown
	}
	defer held.release(s)
	if held.canary {
		return ""
	}
	if code := s.cutOff(held); code != "" {
		return code
	}
	w := s.world.Load()
	switch c, _ := held.claims(); {
	case w == nil:
		return ""
	case w.State.Epoch != h.Epoch:
		return s.redecide(held, false)
	case c != nil && !s.cfg.Tokens.Current(c, s.cfg.Now()):
		// A key can be withdrawn without a word of the feed, and whoever looks
		// for what it signed looks at what lives.
		return denial.TokenWrongDomain
	default:
		return ""
	}
}

// release gives back what was kept for deciding again, and keeps a copy of it.
func (h *Held) release(s *Service) { h.part(s, h.keep) }

// over is release of a hop that is over: nobody judges it any more, so that its
// arguments are not kept.
func (h *Held) over(s *Service) {
	h.part(s, func() {
		h.hop.Action.Args, h.argsLost = strictjson.Value{}, true
		h.keep()
	})
}

// part has keep copy what is needed of the work, and gives it back.
func (h *Held) part(s *Service, keep func()) {
	h.mu.Lock()
	w := h.work
	if w != nil {
		keep()
		h.work = nil
	}
	h.mu.Unlock()
	if w != nil {
		s.drop(w)
	}
}

// insideOf reads what Envoy adds to a Check for a hop inside a tunnel. It is
// in the call's own metadata, which no request reaches.
func insideOf(ctx context.Context, target string) inside {
	entry, ok := entryInside(target)
	if !ok {
		return inside{}
	}
	md, ok := metadata.FromIncomingContext(ctx)
	if !ok || len(md.Get(wire.CallParent)) != 1 || len(md.Get(wire.CallTarget)) != 1 {
		return inside{entry: entry, parent: "-", target: "-"}
	}
	return inside{entry: entry, parent: md.Get(wire.CallParent)[0], target: md.Get(wire.CallTarget)[0]}
}

// entryInside is how a hop entered that is inside a tunnel; false: it is in none.
func entryInside(target string) (wire.Entry, bool) {
	switch {
	case strings.HasPrefix(target, "e="+string(wire.EntryInner)):
		return wire.EntryInner, true
	case strings.HasPrefix(target, "e="+string(wire.EntryInspected)):
		return wire.EntryInspected, true
	}
	return "", false
}
