package guard

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/authz/canary"
	"github.com/hopgate/hopgate/authz/check"
	"github.com/hopgate/hopgate/authz/contain"
	"github.com/hopgate/hopgate/authz/contain/budget"
	"github.com/hopgate/hopgate/authz/credential"
	"github.com/hopgate/hopgate/authz/firstflight"
	"github.com/hopgate/hopgate/authz/leash"
	"github.com/hopgate/hopgate/authz/nameserver"
	"github.com/hopgate/hopgate/authz/policy"
	"github.com/hopgate/hopgate/authz/release"
	"github.com/hopgate/hopgate/authz/resolve"
	"github.com/hopgate/hopgate/authz/token"
	"github.com/hopgate/hopgate/authz/token/jwks"
)

// Config is what a guard needs of the process around it.
type Config struct {
	// AuditPath is the file of the record, AuditKey signs its checkpoints.
	AuditPath string
	AuditKey  ed25519.PrivateKey
	// OrdersPath is the file of what people revoke and quarantine; empty: it
	// does not outlive the process.
	OrdersPath string
	// BudgetsPath is the file of what is used of budgets; empty: it does not
	// outlive the process.
	BudgetsPath string
	// Version is written into the record's first line.
	Version string
	// Keys is how the keys of trust domains are loaded. The zero one works.
	Keys jwks.Config
	// Own are sockets of this process that no hop may reach: health, and so
	// on. The guard adds its own.
	Own []netip.AddrPort
	// Local gives the addresses of this machine; nil: none.
	Local func() []netip.Addr
	// Getenv reads the environment, for credentials.
	Getenv func(string) string
	// Leaves has certificates for tunnels whose TLS is inspected; nil: none is,
	// for the reason that NoInspect gives.
	Leaves    check.Leaves
	NoInspect string
	// TrustedCA is the file of the certificates by which Envoy verifies what has no
	// others, and the guard too; empty: the system's.
	TrustedCA string
	// CanaryTLS is how canaries trust what Leaves mint; nil: tunnels that are
	// inspected are not proven.
	CanaryTLS *tls.Config
	// BodyBudget bounds the bytes of all questions in flight. 0: 256 MiB.
	BodyBudget int64
	// CanaryDir is the private folder of the canaries' sockets: each Envoy that
	// begins is proven by them, and until then all else is denied. Empty: none
	// is, and nothing is denied for that.
	CanaryDir string
	// Configured waits until Envoy has answered to what it was told; nil:
	// canaries do not wait for that.
	Configured func(context.Context) error
	// Proven is told of each attempt to prove an Envoy; nil: nobody is. It must
	// not block.
	Proven func(canary.Verdict)
	// NamesChanged is told where names are answered, and where not and why,
	// whenever that has changed; nil: nobody is.
	NamesChanged func([]nameserver.State)
	Now          func() time.Time
	Rand         io.Reader
	Log          *slog.Logger
}

const defaultBodyBudget = 256 << 20

// maxQuestion is the largest question: the largest body, and its headers.
const maxQuestion = 64<<20 + 1<<20

func (c *Config) setDefaults() {
	if c.BodyBudget <= 0 {
		c.BodyBudget = defaultBodyBudget
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	if c.Local == nil {
		c.Local = func() []netip.Addr { return nil }
	}
	if c.Getenv == nil {
		c.Getenv = func(string) string { return "" }
	}
}

// Guard is the decision point and all that belongs to it.
type Guard struct {
	cfg Config

	log      *audit.Log
	secrets  *credential.Holder
	tokens   *token.Verifier
	compiler *policy.Compiler
	dns      *resolve.Server
	names    *nameserver.Pool
	register *leash.Register
	check    *check.Service
	budget   *check.Budget
	orders   *contain.Store
	uploads  *budget.Book
	releases *release.Reader
	prover   *canary.Prover // nil: no Envoy is proven
	// changed has one token when live hops are to be decided again.
	changed chan struct{}

	mu       sync.Mutex
	epoch    uint64           // guarded by mu
	gateways map[string]*exit // guarded by mu
	basis    *basis           // guarded by mu; what is decided by; nil: no feed yet
	pending  *change          // guarded by mu; what live hops are to be decided again for; nil: nothing
}

// New opens the record and the DNS port. Run must follow; Close is for when
// it does not.
func New(cfg Config) (*Guard, error) {
	cfg.setDefaults()
	g := &Guard{cfg: cfg, gateways: map[string]*exit{}, budget: check.NewBudget(cfg.BodyBudget), changed: make(chan struct{}, 1)}
	var err error
	if g.compiler, err = policy.New(policy.Config{Inspects: cfg.Leaves != nil, NoInspect: cfg.NoInspect}); err != nil {
		return nil, fmt.Errorf("make guard: %w", err)
	}
	if g.tokens, err = token.New(token.Config{Keys: cfg.Keys, Log: cfg.Log}); err != nil {
		return nil, fmt.Errorf("make guard: %w", err)
	}
	if g.log, err = audit.Open(audit.Config{
		Path: cfg.AuditPath, Key: cfg.AuditKey, Version: cfg.Version, Now: cfg.Now, Rand: cfg.Rand, Logger: cfg.Log,
	}); err != nil {
		return nil, fmt.Errorf("open the record: %w", err)
	}
	if g.dns, err = resolve.NewServer(resolve.ServerConfig{Now: cfg.Now}); err != nil {
		return nil, errors.Join(err, g.log.Close())
	}
	if g.orders, err = contain.Open(contain.Config{Path: cfg.OrdersPath, Now: cfg.Now, Rand: cfg.Rand}); err != nil {
		return nil, errors.Join(err, g.dns.Close(), g.log.Close())
	}
	if g.names, err = nameserver.New(nameserver.Config{
		Recorder: g.log, Contained: g.orders, Report: cfg.NamesChanged, Now: cfg.Now, Rand: cfg.Rand, Log: cfg.Log,
	}); err != nil {
		return nil, errors.Join(err, g.orders.Close(), g.dns.Close(), g.log.Close())
	}
	if g.releases, err = release.New(release.Config{Now: cfg.Now, Roots: cfg.TrustedCA}); err != nil {
		return nil, errors.Join(err, g.orders.Close(), g.dns.Close(), g.log.Close())
	}
	if g.uploads, err = budget.Open(budget.Config{Path: cfg.BudgetsPath, Now: cfg.Now, Rand: cfg.Rand, Log: cfg.Log}); err != nil {
		g.releases.Close()
		return nil, errors.Join(err, g.orders.Close(), g.dns.Close(), g.log.Close())
	}
	g.secrets = credential.New(cfg.Getenv, cfg.Log)
	g.register = leash.NewRegister(leash.Config{Now: cfg.Now, Ended: func(h *leash.Hop, e leash.Ending) { g.check.Ended(h, e) }})
	if err := g.makeCheck(); err != nil {
		return nil, errors.Join(err, g.Close())
	}
	return g, nil
}

// makeCheck makes what decides, and what proves the Envoys that ask it.
func (g *Guard) makeCheck() (err error) {
	cfg := check.Config{
		Tokens: g.tokens, Secrets: g.secrets, Recorder: g.log, Register: g.register,
		Contained: g.orders, Uploads: g.uploads, Releases: g.releases, Leaves: g.cfg.Leaves, Budget: g.budget, Now: g.cfg.Now, Rand: g.cfg.Rand, Log: g.cfg.Log,
	}
	if g.cfg.CanaryDir != "" {
		g.prover, err = canary.New(canary.Config{
			Dir: g.cfg.CanaryDir, Cut: g.register.Cut, TLS: g.cfg.CanaryTLS, Configured: g.cfg.Configured, Report: g.cfg.Proven,
			Now: g.cfg.Now, Rand: g.cfg.Rand, Log: g.cfg.Log,
		})
		if err != nil {
			return err
		}
		cfg.Canaries = g.prover
	}
	g.check, err = check.New(cfg)
	return err
}

// Close gives up what New took, for a guard that does not run.
func (g *Guard) Close() error {
	var canaries error
	g.releases.Close()
	if g.prover != nil {
		canaries = g.prover.Close()
	}
	return errors.Join(canaries, g.dns.Close(), g.log.Close(), g.orders.Close(), g.uploads.Close())
}

// DNS is where Envoy resolves names.
func (g *Guard) DNS() netip.AddrPort { return g.dns.Address() }

// Record is the audit log.
func (g *Guard) Record() *audit.Log { return g.log }

// Live is how many hops are pending or live, but for hopgate's own.
func (g *Guard) Live() int { return g.register.Served() }

// Settle waits until every hop has ended and Envoy has said how, or ctx ends.
func (g *Guard) Settle(ctx context.Context) { g.register.Settle(ctx) }

// Ready reports whether there is a feed to decide by, an Envoy that is proven,
// and names that are answered where they can be.
func (g *Guard) Ready() bool {
	return g.check.World() != nil && g.names.Ready() && (g.prover == nil || g.prover.Proven())
}

// Begin says that an Envoy starts. From when it returns until that Envoy is
// proven all is denied.
func (g *Guard) Begin() {
	if g.prover != nil {
		g.prover.Begin()
	}
}

// Canaries is how the last attempt to prove an Envoy ended, and whether the one
// that runs is proven.
func (g *Guard) Canaries() (last canary.Verdict, proven bool) {
	if g.prover == nil {
		return last, false
	}
	return g.prover.Last(), g.prover.Proven()
}

// Names answers workloads that ask for names, and counts what they ask.
func (g *Guard) Names() *nameserver.Pool { return g.names }

// Decisions counts decisions.
func (g *Guard) Decisions() prometheus.Collector { return g.check }

// Budgets counts what rules give, and what is used of it.
func (g *Guard) Budgets() prometheus.Collector { return g.uploads }

// ServerOptions are those that the guard's services need of a gRPC server.
func (g *Guard) ServerOptions() []grpc.ServerOption {
	return append(serverOptions(), grpc.ForceServerCodecV2(check.NewCodec(g.budget)))
}

// Register adds the guard's services to a server.
func (g *Guard) Register(s grpc.ServiceRegistrar) {
	g.check.Register(s)
	leash.NewHolder(g.register, g.check, g.check, g.cfg.Log).Register(s)
	leash.NewEndLog(g.register).Register(s)
	firstflight.New(g.register, g.check, g.cfg.Now, g.cfg.Log).Register(s)
}

// Run works until ctx ends, or until a part of it has failed that decisions
// depend on. The record is closed last, when nothing can add to it any more:
// stopped must return when no request is served.
func (g *Guard) Run(ctx context.Context, stopped func()) error {
	working, fail := context.WithCancel(ctx)
	defer fail()
	var wg sync.WaitGroup
	errs := make([]error, 3)
	for i, run := range []func(context.Context) error{g.dns.Run, g.tokens.Run, g.names.Run} {
		wg.Go(func() {
			if errs[i] = run(working); errs[i] != nil {
				fail()
			}
		})
	}
	wg.Go(func() { g.register.Run(working) })
	wg.Go(func() { g.secrets.Run(working) })
	wg.Go(func() { g.redecide(working) })
	if g.prover != nil {
		wg.Go(func() { g.prover.Run(working) })
	}
	record := make(chan error, 1)
	recording, end := context.WithCancel(context.WithoutCancel(ctx))
	go func() { record <- g.log.Run(recording) }()
	<-working.Done()
	stopped()
	g.check.Wait()
	g.releases.Close()
	wg.Wait()
	g.register.Shutdown()
	g.closeExits()
	end()
	return errors.Join(errors.Join(errs...), <-record, g.orders.Close(), g.uploads.Close())
}
