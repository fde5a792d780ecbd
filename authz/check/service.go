package check

import (
	"context"
	"errors"
	"hash/maphash"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/authz/contain"
	"github.com/hopgate/hopgate/authz/contain/budget"
	"github.com/hopgate/hopgate/authz/credential"
	"github.com/hopgate/hopgate/authz/decide"
	"github.com/hopgate/hopgate/authz/denial"
	"github.com/hopgate/hopgate/authz/leash"
	"github.com/hopgate/hopgate/authz/resolve"
	"github.com/hopgate/hopgate/authz/surface/egress"
	"github.com/hopgate/hopgate/authz/token"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
)

// Tokens verifies transaction tokens.
type Tokens interface {
	// Current reports whether claims would be believed now, on a listener.
	Current(c *token.Claims, now time.Time) bool
	// Verify checks a token that came on a listener, sent by peer. The code is
	// empty, or a name of the denial table. raw and p are views of a request:
	// they are not to be kept.
	Verify(ctx context.Context, now time.Time, raw string, l *feedv1.Listener, p token.Peer) (c *token.Claims, leeway time.Duration, code string)
}

// Names finds addresses of names.
type Names interface {
	// Lookup gives every address of a name, all of them open.
	Lookup(ctx context.Context, name string) (resolve.Answer, error)
	// Approve lets Envoy look the name up too, until then.
	Approve(name string, until time.Time)
}

// Leaves has certificates for tunnels whose TLS ends here.
type Leaves interface {
	// Approve has one served to Envoy for a name, until release is called. The
	// error is a sentence for a person.
	Approve(name string) (release func(), err error)
}

// Secrets holds credentials.
type Secrets interface {
	// Get is the secret of exactly this Credential; false: it cannot be had.
	Get(*feedv1.Credential) (credential.Secret, bool)
}

// Contained says who is cut off.
type Contained interface {
	// Cut is the order that cuts a hop off; false: none does.
	Cut(h *contain.Hop, now time.Time) (contain.Order, bool)
}

// Recorder keeps the record.
type Recorder interface {
	// Neither keeps anything of a record: its strings may be views of a request.
	Append(audit.Record) error
	AppendDurable(context.Context, audit.Record) error
}

// World is all that decisions depend on, at one moment. It never changes.
type World struct {
	State *decide.State
	// Egress says how destinations are reached, by Gateway.
	Egress map[string]Egress
}

// Egress is how the destinations of one Gateway are reached.
type Egress struct {
	Plan  *egress.Plan
	Names Names
	// Hidden: TLS may pass that hides its name (ECH).
	Hidden bool
}

// Config is what a Service needs. Everything but Contained, Uploads, Leaves, Releases, Canaries
// and Log is required.
type Config struct {
	Tokens   Tokens
	Secrets  Secrets
	Recorder Recorder
	Register *leash.Register
	// Contained may be nil: nobody is cut off.
	Contained Contained
	// Uploads may be nil: rules with budgets allow nothing.
	Uploads *budget.Book
	// Leaves may be nil: no TLS is inspected.
	Leaves Leaves
	// Releases may be nil: nobody knows how old a release is.
	Releases Releases
	// Canaries may be nil: no Envoy is proven.
	Canaries Canaries
	Budget   *Budget
	Now      func() time.Time
	Rand     io.Reader
	Log      *slog.Logger
}

// Service answers Envoy's questions.
type Service struct {
	cfg   Config
	codes denial.Codes
	counters
	world    atomic.Pointer[World]
	works    sync.Pool
	renewals renewals
	// redirects are where answers have led to.
	redirects redirects
	renewing  sync.WaitGroup
	// pools names connections, as nobody else can.
	pools maphash.Seed
}

// New makes a Service that denies everything until SetWorld.
func New(cfg Config) (*Service, error) {
	if cfg.Tokens == nil || cfg.Secrets == nil || cfg.Recorder == nil ||
		cfg.Register == nil || cfg.Budget == nil || cfg.Now == nil || cfg.Rand == nil {
		return nil, errors.New("make check service: something is missing")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &Service{cfg: cfg, codes: denial.NewCodes(), counters: newCounters(), pools: maphash.MakeSeed()}
	s.works.New = func() any { return new(work) }
	return s, nil
}

// SetWorld decides by w from now on.
func (s *Service) SetWorld(w *World) { s.world.Store(w) }

// World is what is decided by; nil: nothing yet.
func (s *Service) World() *World { return s.world.Load() }
