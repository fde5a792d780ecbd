package check

import (
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/authz/contain/budget"
	"github.com/hopgate/hopgate/authz/credential"
	"github.com/hopgate/hopgate/authz/decide"
	"github.com/hopgate/hopgate/authz/denial"
	"github.com/hopgate/hopgate/authz/leash"
	"github.com/hopgate/hopgate/authz/policy"
	"github.com/hopgate/hopgate/authz/surface"
	"github.com/hopgate/hopgate/authz/surface/egress"
	"github.com/hopgate/hopgate/authz/surface/llm"
	"github.com/hopgate/hopgate/authz/surface/mcp"
	"github.com/hopgate/hopgate/authz/token"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

// work is one question while it is worked on. It is used again and again; an
// allowed hop keeps it until its hold opens, to be decided again there if the
// feed has changed.
type work struct {
	// question has the bytes that req is a view of.
	question *question
	// users are those who read w: the answer to its question, and the hop for
	// as long as its hold has not opened. The last one gives w back.
	users atomic.Int32

	req Request

	id leash.ID
	// name is id as text.
	name  string
	now   time.Time
	world *World
	hop   decide.Hop
	// parent and parentID are the tunnel that the hop is inside of.
	parent   *Held
	parentID leash.ID
	verdict  decide.Verdict
	// dest is where the hop goes on a Proxy listener, way how.
	dest egress.Destination
	way  egress.Way
	// led is how the caller was led there; the zero one: they were not.
	led redirect
	// token is what the hop's claims were read from, when it came with them.
	token string
	// leaf gives back the certificate that was approved; nil: none was.
	leaf func()
	// charge is what budgets have for the hop; nil: none counts it.
	charge *budget.Charge
	// mute is true of a canary whose first flight is never answered.
	mute bool
	// secrets are those of the target's credentials, in their order.
	secrets []credential.Secret

	// mcpRead is true once mcp holds what could be read of the request.
	mcpRead bool
	mcp     mcp.Request
	llm     llm.Request

	// code, reason and text are why the hop is denied.
	code, reason, text string
	// after is in how many seconds it may be tried again; 0: soon.
	after int64

	answer Answer

	// record and seen are used to write the decision down.
	record audit.Record
	seen   policy.Rendering
}

// reset makes w ready for another question.
func (w *work) reset() {
	w.mcp.Reset()
	w.llm.Reset()
	clear(w.secrets)
	clear(w.record.Seen)
	*w = work{
		mcp: w.mcp, llm: w.llm, answer: w.answer, secrets: w.secrets[:0],
		record: audit.Record{Seen: w.record.Seen[:0]}, seen: w.seen,
	}
}

// deny notes why and reports false, for steps that end there.
func (w *work) deny(code string) bool {
	w.code = code
	return false
}

// Held is an allowed hop while it lives: what is needed to answer for it, and
// to judge what happens inside of it. It never changes but for what mu guards.
type Held struct {
	// mu guards hop.Action, argsLost and work: what rules read is a view of the
	// request until the hold has opened. Who reads it while the hop is live
	// holds mu for as long as it does. It guards hop.Claims and what they were
	// judged by, too: they change as the hop is renewed and decided again.
	mu sync.Mutex

	// entry is the hop as the register has it, mcp what said quotes.
	entry leash.Hop
	mcp   mcp.Request

	hop decide.Hop
	// dest is where the hop goes that no route has chosen.
	dest egress.Destination
	// addrs are those of dest, where it was looked up.
	addrs []netip.Addr
	said  denial.Occasion
	// policy and rule are what allowed it, revision the feed that they were of
	// when it was last decided.
	policy, rule, revision string
	lifetime, hold         string
	// judging is held for as long as one later decision takes. Who holds it may
	// take mu, and ask the register.
	judging sync.Mutex
	// by is who may renew the hop; nil: nobody. gone is true when nobody can any
	// more; guarded by the renewals' mu.
	by   *principal
	gone bool
	// before are the tokens that the hop stood on before the one that it stands
	// on now; guarded by mu.
	before []token.Name
	// domain is that of the claims, as text; empty: there are none.
	domain string
	// argsLost is true where the arguments were too long to be kept.
	argsLost bool
	// canary is true of hopgate's own.
	canary bool
	// tls is what becomes of the TLS in a tunnel; empty: it is none.
	tls v1alpha1.TLSDuty
	// leaf gives back the certificate that was approved; nil: none was.
	leaf func()
	// charge is what budgets count of it, budgets are those; nil: none does.
	charge  *budget.Charge
	budgets []*policy.Budget
	// work has what of the request rules may read. It is given back when the
	// hold opens, which happens once.
	work *work
}

// claims are those that the hop stands on now.
func (h *Held) claims() (c *token.Claims, leeway time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.hop.Claims, h.hop.Leeway
}

// target is where it entered.
func (h *Held) target() wire.Target {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.hop.Target.Target
}

// occasion is how a denial of w is said. An MCP request is read for its id
// even where it was denied before anything of it counted.
func (w *work) occasion() denial.Occasion {
	t := w.hop.Target
	if t == nil {
		return denial.Occasion{TLS: strings.HasPrefix(w.req.Target, captureTLSPrefix)}
	}
	if w.hop.Action.Kind == v1alpha1.SurfaceTools && !w.mcpRead {
		_ = w.readMCP() // what could not be read has no id
	}
	o := denial.Occasion{
		Proxy:    t.Entry == wire.EntryProxy,
		TLS:      t.Entry == wire.EntryCaptureTLS,
		GRPC:     isGRPC(w.req.Header(HeaderContentType)),
		Surface:  w.hop.Action.Kind,
		Provider: t.Provider,
		AsResult: w.verdict.Outcome.Duties.DenyAs == v1alpha1.DenyAsResult,
	}
	if w.mcpRead {
		o.MCP = &w.mcp
	}
	return o
}

func isGRPC(f surface.Field) bool {
	const g = "application/grpc"
	return len(f.Value) >= len(g) && f.Value[:len(g)] == g
}
