package controller

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/graph"
	"github.com/hopgate/hopgate/gateway/source"
	"github.com/hopgate/hopgate/gateway/translate"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a Controller that runs, between a guard and an Envoy that note what
// they are given.
type rig struct {
	*Controller
	stop func()

	mu      sync.Mutex
	seen    []string // guarded by mu; what was told, in order
	feeds   []*feedv1.Snapshot
	graphs  []*graph.Graph
	reports []Report
	log     bytes.Buffer
	// guard and envoy are what they answer with.
	guard, envoy error
}

func (r *rig) ApplyFeed(f *feedv1.Snapshot) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen, r.feeds = append(r.seen, "feed"), append(r.feeds, f)
	return r.guard
}

func (r *rig) ApplyGraph(g *graph.Graph) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen, r.graphs = append(r.seen, "graph"), append(r.graphs, g)
	return r.envoy
}

func (r *rig) report(p Report) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen, r.reports = append(r.seen, "report"), append(r.reports, p)
}

func (r *rig) answer(guard, envoy error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.guard, r.envoy = guard, envoy
}

// took gives what was told since the last call.
func (r *rig) took() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := strings.Join(r.seen, " ")
	r.seen = nil
	return out
}

func (r *rig) last() Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.reports[len(r.reports)-1]
}

func noon() time.Time { return time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC) }

func newRig(t *testing.T) *rig {
	t.Helper()
	tr, err := translate.New(translate.Config{
		BuiltIn: true, AwaitEnvoy: true, LocalKeySet: v1alpha1.KeySet{Type: v1alpha1.KeySetFile, File: "/state/jwks.json"},
		Policies:    translate.PolicyCheckerFunc(func(*v1alpha1.AccessPolicy) []translate.PolicyFinding { return nil }),
		PackageName: func(_, name string) (canonical, mend string) { return name, "" },
	})
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{}
	r.Controller = New(Config{
		Translator: tr, Guards: r, Envoys: r, Report: r.report, Now: noon, Log: slog.New(slog.NewTextHandler(&r.log, nil)),
	})
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan struct{})
	go func() { defer close(ran); r.Run(ctx) }()
	r.stop = sync.OnceFunc(func() { cancel(); <-ran })
	t.Cleanup(r.stop)
	return r
}

func object(v source.Typed, group, kind, hash string) source.Object {
	return source.Object{
		Ref:   source.Ref{Group: group, Kind: kind, Namespace: v.GetNamespace(), Name: v.GetName()},
		Value: v, Hash: hash, Origin: source.Origin{File: "in.yaml", Line: 1, Document: 1},
	}
}

// policy allows one host; hash makes it another one.
func policy(name, hash string) source.Object {
	return object(&v1alpha1.AccessPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, Generation: 1},
		Spec: v1alpha1.AccessPolicySpec{Rules: []v1alpha1.AccessRule{{
			Name: hash, Action: v1alpha1.ActionAllow,
			To: v1alpha1.RuleTo{Type: v1alpha1.SurfaceHosts, Hosts: []v1alpha1.HostMatch{{Names: []string{"*"}}}},
		}}},
	}, source.GroupHopgate, "AccessPolicy", hash)
}

// gateway has a listener for routes.
func gateway() source.Object {
	return object(&gatewayv1.Gateway{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web", Generation: 1},
		Spec: gatewayv1.GatewaySpec{GatewayClassName: "hopgate", Listeners: []gatewayv1.Listener{{
			Name: "http", Port: 8080, Protocol: gatewayv1.HTTPProtocolType,
		}}},
	}, source.GroupGateway, "Gateway", "1")
}

// route leads to a backend that is not there.
func route(name, hash string) source.Object {
	port := gatewayv1.PortNumber(80)
	return object(&gatewayv1.HTTPRoute{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, Generation: 1},
		Spec: gatewayv1.HTTPRouteSpec{
			CommonRouteSpec: gatewayv1.CommonRouteSpec{ParentRefs: []gatewayv1.ParentReference{{Name: "web"}}},
			Hostnames:       []gatewayv1.Hostname{gatewayv1.Hostname(hash + ".example")},
			Rules: []gatewayv1.HTTPRouteRule{{BackendRefs: []gatewayv1.HTTPBackendRef{{
				BackendRef: gatewayv1.BackendRef{BackendObjectReference: gatewayv1.BackendObjectReference{Name: "gone", Port: &port}},
			}}}},
		},
	}, source.GroupGateway, "HTTPRoute", hash)
}

func upserts(os ...source.Object) source.Delta { return source.Delta{Upserts: os} }

func ref(group, kind, name string) source.Ref {
	return source.Ref{Group: group, Kind: kind, Namespace: "default", Name: name}
}

// TestTheGuardIsToldFirst: no route is served whose rules are not known yet.
func TestTheGuardIsToldFirst(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Deliver(upserts(gateway(), route("a", "one")))
	if got := r.took(); got != "feed graph report" {
		t.Errorf("told %q, want the guard first and people last", got)
	}
	r.Deliver(upserts(policy("p", "one")))
	if got := r.took(); got != "feed report" {
		t.Errorf("a policy told %q: Envoy has nothing to do with it", got)
	}
	r.Deliver(upserts(policy("p", "one")))
	if got := r.took(); got != "report" {
		t.Errorf("the same again told %q", got)
	}
}

// TestWhatTheGuardRefuses keeps its route away from Envoy. It is tried again
// with the next change, whatever it is, and people are told all along.
func TestWhatTheGuardRefuses(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Deliver(upserts(gateway()))
	r.took()
	r.answer(errors.New("no room"), nil)
	r.Deliver(source.Delta{Upserts: []source.Object{route("a", "one"), policy("p", "one")}, Problems: []source.Problem{{Message: "odd"}}})
	if got := r.took(); got != "feed report" {
		t.Fatalf("told %q, want nothing to Envoy", got)
	}
	if p := r.last().Problems; len(p) != 1 || p[0].Message != "odd" {
		t.Errorf("problems %v", p)
	}
	r.Observe([]Outcome{{Owner: graph.Owner{Kind: "Gateway", Namespace: "default", Name: "web"}, Outcome: translate.Outcome{State: translate.OutcomeTaken}}})
	if got := r.took(); got != "feed report" {
		t.Errorf("told %q while the guard still refuses", got)
	}
	r.answer(nil, nil)
	r.Observe([]Outcome{{Owner: graph.Owner{Kind: "Gateway", Namespace: "default", Name: "web"}, Outcome: translate.Outcome{State: translate.OutcomeTaken}}})
	if got := r.took(); got != "feed graph" {
		t.Errorf("told %q when the guard takes it, want what was held back", got)
	}
	r.stop()
	if got := r.log.String(); strings.Count(got, "the guard refused the feed") != 2 || !strings.Contains(got, "no room") {
		t.Errorf("the log does not tell: %s", got)
	}
}

// TestWhatIsMalformed stays away from Envoy until there is another one.
func TestWhatIsMalformed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.answer(nil, errors.New("twice"))
	r.Deliver(upserts(gateway()))
	if got := r.took(); got != "feed graph report" {
		t.Errorf("told %q", got)
	}
	r.answer(nil, nil)
	r.Deliver(upserts(policy("p", "one")))
	if got := r.took(); got != "feed graph report" {
		t.Errorf("told %q, want the graph again", got)
	}
	r.stop()
	if got := r.log.String(); !strings.Contains(got, "malformed") || !strings.Contains(got, "twice") {
		t.Errorf("the log does not tell: %s", got)
	}
}

// programmed is the Programmed condition of the Gateway.
func programmed(t *testing.T, ss []translate.Status) metav1.Condition {
	t.Helper()
	for _, s := range ss {
		if s.Gateway == nil || s.Ref.Name != "web" {
			continue
		}
		for _, c := range s.Gateway.Conditions {
			if c.Type == "Programmed" {
				return c
			}
		}
	}
	t.Fatalf("the Gateway has no such condition in %v", ss)
	return metav1.Condition{}
}

func TestOutcomesBecomeConditions(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	owner := graph.Owner{Kind: "Gateway", Namespace: "default", Name: "web"}
	r.Deliver(upserts(gateway()))
	if c := programmed(t, r.last().Statuses); c.Status == metav1.ConditionTrue {
		t.Errorf("Programmed before Envoy took it: %v", c)
	}
	r.took()
	r.Observe([]Outcome{{Owner: owner, Outcome: translate.Outcome{State: translate.OutcomeTaken}}})
	if got := r.took(); got != "report" {
		t.Errorf("an outcome told %q", got)
	}
	if c := programmed(t, r.last().Statuses); c.Status != metav1.ConditionTrue {
		t.Errorf("taken, and %v", c)
	}
	if p := r.last().Problems; p != nil {
		t.Errorf("an outcome says of problems: %v", p)
	}
	r.Observe([]Outcome{{Owner: owner, Outcome: translate.Outcome{State: translate.OutcomeRefused, Message: "address in use"}}})
	if c := programmed(t, r.last().Statuses); c.Status != metav1.ConditionFalse || !strings.Contains(c.Message, "address in use") {
		t.Errorf("refused, and %v", c)
	}
	r.took()
	r.Observe(nil)
	r.Observe([]Outcome{{Owner: graph.Owner{Kind: "HTTPRoute", Namespace: "default", Name: "nobody"}}})
	if got := r.took(); got != "" {
		t.Errorf("an outcome of nothing told %q", got)
	}
}

// TestAStatusIsToldOnce: owners that Envoy speaks of together change the
// status of their Gateway together.
func TestAStatusIsToldOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Deliver(upserts(gateway(), route("a", "a"), route("b", "b")))
	refused := func(name string) Outcome {
		return Outcome{Owner: graph.Owner{Kind: "HTTPRoute", Namespace: "default", Name: name}, Outcome: translate.Outcome{State: translate.OutcomeRefused, Message: name + " is bad"}}
	}
	r.Observe([]Outcome{refused("b"), refused("a")})
	var refs []source.Ref
	text := ""
	for _, s := range r.last().Statuses {
		refs = append(refs, s.Ref)
		if s.Gateway != nil {
			text = fmt.Sprint(s.Faults())
		}
	}
	want := []source.Ref{ref(source.GroupGateway, "Gateway", "web"), ref(source.GroupGateway, "HTTPRoute", "a"), ref(source.GroupGateway, "HTTPRoute", "b")}
	if diff := cmp.Diff(want, refs); diff != "" {
		t.Errorf("statuses differ (-want +got):\n%s", diff)
	}
	if !strings.Contains(text, "a is bad") || !strings.Contains(text, "b is bad") {
		t.Errorf("the Gateway's status is not the last: %s", text)
	}
}

func TestProblemsAndWhatIsGoneAreReported(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	bad := source.Problem{File: "in.yaml", Line: 3, Message: "unknown field", Severity: source.Error}
	r.Deliver(source.Delta{Upserts: []source.Object{gateway(), route("a", "one")}, Problems: []source.Problem{bad}})
	if diff := cmp.Diff([]source.Problem{bad}, r.last().Problems); diff != "" {
		t.Errorf("problems differ (-want +got):\n%s", diff)
	}
	if _, problems := r.Statuses(); len(problems) != 1 {
		t.Errorf("problems that stand: %v", problems)
	}
	gone := ref(source.GroupGateway, "HTTPRoute", "a")
	r.Deliver(source.Delta{Deletes: []source.Ref{gone}})
	if got := r.last(); got.Problems == nil || len(got.Problems) != 0 || len(got.Gone) != 1 || got.Gone[0] != gone {
		t.Errorf("after the edit: problems %v, gone %v", got.Problems, got.Gone)
	}
	statuses, problems := r.Statuses()
	if len(problems) != 0 {
		t.Errorf("problems that stand: %v", problems)
	}
	for _, s := range statuses {
		if s.Ref == gone {
			t.Error("what is gone has a status")
		}
	}
}

func TestNobodyNeedsToBeTold(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.stop()
	quiet := New(r.cfg)
	quiet.cfg.Report = nil
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan struct{})
	go func() { defer close(ran); quiet.Run(ctx) }()
	quiet.Deliver(upserts(gateway()))
	cancel()
	<-ran
	if got := r.took(); got != "feed graph" {
		t.Errorf("told %q", got)
	}
}

// TestWhatWasBegunIsFinished: a change that the loop has is told to everyone
// before Run returns, and one that it has not is told to nobody.
func TestWhatWasBegunIsFinished(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		slow := &slowGuard{rig: r, open: make(chan struct{})}
		r.cfg.Guards = slow
		delivered := make(chan struct{})
		go func() { defer close(delivered); r.Deliver(upserts(gateway())) }()
		synctest.Wait()
		ended := make(chan struct{})
		go func() { defer close(ended); r.stop() }()
		synctest.Wait()
		select {
		case <-ended:
			t.Fatal("Run returned with a change half told")
		case <-delivered:
			t.Fatal("Deliver returned with a change half told")
		default:
		}
		close(slow.open)
		<-ended
		<-delivered
		if got := r.took(); got != "feed graph report" {
			t.Errorf("told %q", got)
		}
		r.Deliver(upserts(policy("p", "one")))
		r.Observe([]Outcome{{}})
		if got := r.took(); got != "" {
			t.Errorf("told %q after the end", got)
		}
		if ss, ps := r.Statuses(); ss != nil || ps != nil {
			t.Errorf("statuses after the end: %v, %v", ss, ps)
		}
	})
}

// slowGuard takes a feed when it is opened.
type slowGuard struct {
	*rig
	open chan struct{}
}

func (s *slowGuard) ApplyFeed(f *feedv1.Snapshot) error {
	<-s.open
	return s.rig.ApplyFeed(f)
}

// TestManyAtOnce: whoever delivers, the last that is told is the last of all.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Deliver(upserts(gateway()))
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() { r.Deliver(upserts(route(fmt.Sprintf("r%d", i), fmt.Sprintf("h%d", i)))) })
		wg.Go(func() {
			r.Observe([]Outcome{{Owner: graph.Owner{Kind: "HTTPRoute", Namespace: "default", Name: fmt.Sprintf("r%d", i)}, Outcome: translate.Outcome{State: translate.OutcomeTaken}}})
		})
	}
	wg.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	routes := 0
	for _, t := range r.graphs[len(r.graphs)-1].Tables {
		routes += len(t.Fragments)
	}
	if routes != 20 {
		t.Errorf("Envoy was last told of %d routes, want 20", routes)
	}
}
