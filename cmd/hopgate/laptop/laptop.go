package laptop

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	secretv3 "github.com/envoyproxy/go-control-plane/envoy/service/secret/v3"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/hopgate/hopgate/authz/admin"
	"github.com/hopgate/hopgate/authz/guard"
	"github.com/hopgate/hopgate/authz/policy"
	"github.com/hopgate/hopgate/authz/token"
	"github.com/hopgate/hopgate/gateway/controller"
	"github.com/hopgate/hopgate/gateway/infra/process"
	"github.com/hopgate/hopgate/gateway/source/file"
	"github.com/hopgate/hopgate/gateway/translate"
	"github.com/hopgate/hopgate/xds/envoy"
	"github.com/hopgate/hopgate/xds/secrets"
	"github.com/hopgate/hopgate/xds/serve"
)

// Laptop is the whole product in one process. Use New, then Run.
type Laptop struct {
	cfg     Config
	state   *state
	runtime guard.Runtime
	caller  *guard.Caller

	guard      *guard.Guard
	inspection inspection
	secrets    *secrets.Leaves // nil: no TLS is inspected
	xds        *serve.Server
	controller *controller.Controller
	source     *file.Source
	grpc       *grpc.Server
	socket     net.Listener
	envoy      *process.Envoy
	health     *health
	admin      *admin.Server
	envoys     *envoys

	// Binary and Version are the Envoy that runs.
	Binary  string
	Version process.Version
}

// New takes what is needed and starts nothing. What it finds wrong with the
// machine is an ErrEnvironment.
func New(ctx context.Context, cfg Config) (_ *Laptop, err error) {
	cfg.setDefaults()
	l := &Laptop{cfg: cfg, caller: guard.NewCaller()}
	var undo cleanup
	defer func() {
		if err != nil {
			err = errors.Join(err, undo.run())
		}
	}()
	if err := findPaths(cfg.Paths, cfg.State); err != nil {
		return nil, err
	}
	if err := l.findEnvoy(ctx); err != nil {
		return nil, err
	}
	if l.state, err = openState(cfg.State); err != nil {
		return nil, err
	}
	undo.add(l.state.close)
	if l.runtime, err = guard.NewRuntime(cfg.Getenv("XDG_RUNTIME_DIR"), os.TempDir(), "/tmp"); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrEnvironment, err)
	}
	undo.add(l.runtime.Close)
	if l.health, err = newHealth(cfg.Health); err != nil {
		return nil, err
	}
	undo.add(l.health.close)
	if err := l.makeSecrets(); err != nil {
		return nil, err
	}
	if err := l.makeGuard(&undo); err != nil {
		return nil, err
	}
	if err := l.makeEnvoy(); err != nil {
		return nil, err
	}
	return l, l.makeController(&undo)
}

// cleanup undoes what was done, last first.
type cleanup struct{ steps []func() error }

func (c *cleanup) add(f func() error) { c.steps = append(c.steps, f) }

func (c *cleanup) run() error {
	var errs []error
	for _, v := range slices.Backward(c.steps) {
		errs = append(errs, v())
	}
	return errors.Join(errs...)
}

func (l *Laptop) findEnvoy(ctx context.Context) (err error) {
	find := process.Finder{Flag: l.cfg.Envoy, Getenv: l.cfg.Getenv, Dirs: l.cfg.EnvoyDirs}
	if l.Binary, err = find.Find(); err != nil {
		return fmt.Errorf("%w: %w\n%s", ErrEnvironment, err, process.Advice(process.Wanted()))
	}
	if l.Version, err = process.CheckVersion(ctx, l.Binary); err != nil {
		return fmt.Errorf("%w: %w\n%s", ErrEnvironment, err, process.Advice(process.Wanted()))
	}
	return nil
}

func (l *Laptop) makeGuard(undo *cleanup) error {
	key, err := token.LoadOrCreate(l.state.path(auditKeyFile))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrEnvironment, err)
	}
	record := l.cfg.Audit
	if record == "" {
		record = l.state.path(auditFileName)
	}
	l.guard, err = guard.New(guard.Config{
		TrustedCA: roots(l.cfg.Getenv), Leaves: l.leaves(), NoInspect: l.inspection.why, CanaryTLS: l.inspection.canaryTLS(), AuditPath: record, AuditKey: key.Private(), Version: l.cfg.Version, Own: l.own(),
		Local: localAddresses, Getenv: l.cfg.Getenv, Log: l.cfg.Log, BodyBudget: l.cfg.BodyBudget,
		OrdersPath: l.state.path(ordersFileName), BudgetsPath: l.state.path(budgetsFileName), CanaryDir: l.runtime.Dir, Configured: l.configured, Proven: l.cfg.Report.Proven,
		NamesChanged: l.namesChanged,
	})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrEnvironment, err)
	}
	undo.add(l.guard.Close)
	return l.makeAdmin(undo)
}

// makeAdmin opens the door for people: on a socket that nothing which is
// decided can reach.
func (l *Laptop) makeAdmin(undo *cleanup) (err error) {
	l.admin, err = admin.New(admin.Config{
		State: l.state.dir, Socket: filepath.Join(l.runtime.Dir, "operator.sock"),
		Streams: l.guard, Orders: l.guard, Domains: l.guard, Now: time.Now, Rand: rand.Reader, Log: l.cfg.Log,
	})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrEnvironment, err)
	}
	undo.add(l.admin.Close)
	return nil
}

// own are sockets of this process that nothing may reach through it.
func (l *Laptop) own() []netip.AddrPort {
	if a := l.health.address(); a.IsValid() {
		return []netip.AddrPort{a}
	}
	return nil
}

func (l *Laptop) makeEnvoy() error {
	settings := l.settings()
	boot, err := protojson.Marshal(envoy.Bootstrap{NodeID: "laptop", AdminSocket: process.AdminSocket(l.runtime.Dir)}.Message(settings))
	if err != nil {
		return fmt.Errorf("write envoy's bootstrap: %w", err)
	}
	l.envoy, err = process.New(process.Config{
		Path: l.Binary, Dir: l.runtime.Dir, Bootstrap: boot, Concurrency: l.cfg.Concurrency,
		DrainTime: l.cfg.Grace, Started: l.started, Log: l.cfg.Log,
	})
	return err
}

// started lets a new Envoy in, of which nothing is proven.
func (l *Laptop) started(pid int) {
	l.guard.Begin()
	l.caller.Set(pid)
}

// configured waits until Envoy has answered to what is wanted now.
func (l *Laptop) configured(ctx context.Context) error {
	return l.xds.Wait(ctx, l.xds.Snapshot().Revision)
}

func (l *Laptop) settings() envoy.Settings {
	return envoy.Settings{Socket: l.runtime.Socket(), DNSPort: l.guard.DNS().Port(), TrustedCA: roots(l.cfg.Getenv), Replies: replies(), CanaryDir: l.runtime.Dir, Inspect: l.secrets != nil}
}

func (l *Laptop) makeController(undo *cleanup) error {
	key, err := token.LoadOrCreate(l.state.path(LocalKeyFile))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrEnvironment, err)
	}
	compiler, err := policy.New(l.inspection.policies())
	if err != nil {
		return err
	}
	translator, err := translate.New(TranslateConfig(key.JWKS(), policyChecker(compiler), true, l.own()))
	if err != nil {
		return err
	}
	l.envoys = newEnvoys(l)
	floor := process.Floor()
	l.xds, err = serve.New(serve.Config{
		Check: envoy.Check, Observer: l.envoys, Log: l.cfg.Log, MaxBytes: maxResource,
		MinVersion: serve.Version{Major: uint32(floor.Major), Minor: uint32(floor.Minor), Patch: uint32(floor.Patch)},
	})
	if err != nil {
		return err
	}
	l.controller = controller.New(controller.Config{
		Translator: translator, Guards: l.guard, Envoys: l.envoys, Report: l.cfg.Report.Changed, Now: time.Now, Log: l.cfg.Log,
	})
	l.source, err = file.New(file.Config{
		Paths: l.cfg.Paths, Sink: l.controller.Deliver, LastGood: file.NewStateFile(l.state.path(lastGoodFile)),
	})
	if err != nil {
		return err
	}
	return l.listen(undo)
}

// maxResource is less than what Envoy takes in one message.
const maxResource = 30 << 20

func (l *Laptop) listen(undo *cleanup) (err error) {
	if l.socket, err = guard.Listen(l.runtime.Socket(), l.caller, l.cfg.Log); err != nil {
		return fmt.Errorf("%w: %w", ErrEnvironment, err)
	}
	undo.add(l.socket.Close)
	l.grpc = grpc.NewServer(l.guard.ServerOptions()...)
	l.guard.Register(l.grpc)
	discoveryv3.RegisterAggregatedDiscoveryServiceServer(l.grpc, l.xds)
	if l.secrets != nil {
		secretv3.RegisterSecretDiscoveryServiceServer(l.grpc, secrets.NewServer(l.secrets))
	}
	return nil
}

// Guard is the decision point.
func (l *Laptop) Guard() *guard.Guard { return l.guard }

// XDS is the server of Envoy's configuration.
func (l *Laptop) XDS() *serve.Server { return l.xds }

// Controller has the statuses.
func (l *Laptop) Controller() *controller.Controller { return l.controller }

// Envoy is the child.
func (l *Laptop) Envoy() *process.Envoy { return l.envoy }

// HealthAddress is where readiness and metrics are served; invalid: nowhere.
func (l *Laptop) HealthAddress() netip.AddrPort { return l.health.address() }

// Record is the path of the audit file.
func (l *Laptop) Record() string {
	if l.cfg.Audit != "" {
		return l.cfg.Audit
	}
	return l.state.path(auditFileName)
}

// Folder is where relative paths of objects begin.
func folder() string {
	d, err := filepath.Abs(".")
	if err != nil {
		return "/"
	}
	return d
}
