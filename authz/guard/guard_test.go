package guard

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	logdatav3 "github.com/envoyproxy/go-control-plane/envoy/data/accesslog/v3"
	logv3 "github.com/envoyproxy/go-control-plane/envoy/service/accesslog/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	procv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/api/wire"
	"github.com/hopgate/hopgate/internal/testenv"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a guard that may run, and Envoy's way to it.
type rig struct {
	*Guard
	t    *testing.T
	path string
	pub  ed25519.PublicKey
	out  *lines
	conn *grpc.ClientConn
	// stop ends the guard as a process ends it, and gives how Run ended.
	stop func() error
}

func config(t *testing.T) (Config, ed25519.PublicKey, *lines) {
	t.Helper()
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	out := &lines{}
	return Config{
		AuditPath: filepath.Join(t.TempDir(), "audit.jsonl"), AuditKey: key, Version: "test",
		Getenv: func(k string) string { return map[string]string{"SECRET": "s3cret"}[k] },
		Log:    slog.New(slog.NewTextHandler(out, nil)),
	}, pub, out
}

// newRig makes a guard and serves it; Run has begun.
func newRig(t *testing.T, change ...func(*Config)) *rig {
	t.Helper()
	cfg, pub, out := config(t)
	for _, c := range change {
		c(&cfg)
	}
	g, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{Guard: g, t: t, path: cfg.AuditPath, pub: pub, out: out}
	r.serve()
	t.Cleanup(func() { _ = r.stop() })
	return r
}

func (r *rig) serve() {
	r.t.Helper()
	s, served := r.open()
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- r.Run(ctx, s.Stop) }()
	r.stop = sync.OnceValue(func() error {
		cancel()
		err := <-ran
		return errors.Join(err, <-served, r.conn.Close())
	})
}

// serveAlone serves a guard that does not run, until the test ends.
func (r *rig) serveAlone() {
	r.t.Helper()
	s, served := r.open()
	r.t.Cleanup(func() {
		s.Stop()
		r.register.Shutdown()
		r.closeExits()
		if err := errors.Join(<-served, r.conn.Close(), r.Close()); err != nil {
			r.t.Error(err)
		}
	})
}

// open begins to serve.
func (r *rig) open() (*grpc.Server, <-chan error) {
	r.t.Helper()
	path := filepath.Join(testenv.ShortDir(r.t), "g.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		r.t.Fatal(err)
	}
	s := grpc.NewServer(r.ServerOptions()...)
	r.Register(s)
	if r.conn, err = grpc.NewClient("unix:"+path, grpc.WithTransportCredentials(insecure.NewCredentials())); err != nil {
		r.t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	return s, served
}

// key is that of a Gateway or of anything else in the tests' namespace.
func key(name string) feedv1.Key { return feedv1.Key{Namespace: "agents", Name: name} }

func gateway(name string, unmatched v1alpha1.Unmatched) feedv1.Gateway {
	return feedv1.Gateway{
		Key: key(name), Unmatched: unmatched,
		Listeners: []feedv1.Listener{{Name: "http", Protocol: "HTTP", Address: netip.MustParseAddr("127.0.0.1"), Port: 8080}},
		Egress: feedv1.Egress{Hosts: []feedv1.Host{{
			Name: "web.example", Addresses: []netip.Addr{netip.MustParseAddr("127.0.0.1")}, Ports: []uint16{8443}, Clusters: []string{"host/" + name},
		}}},
	}
}

func snapshot(revision string, gws ...feedv1.Gateway) *feedv1.Snapshot {
	return &feedv1.Snapshot{Revision: revision, Gateways: gws}
}

func (r *rig) apply(f *feedv1.Snapshot) {
	r.t.Helper()
	if err := r.ApplyFeed(f); err != nil {
		r.t.Fatal(err)
	}
}

// ask puts a request on a route of a Gateway to the guard, as Envoy does.
func (r *rig) ask(gw string) *authv3.CheckResponse {
	r.t.Helper()
	return r.askAs(gw, "")
}

// askAs is ask on a connection of this workload, with more headers.
func (r *rig) askAs(gw, peer string, more ...*corev3.HeaderValue) *authv3.CheckResponse {
	r.t.Helper()
	target := wire.Target{
		Entry: wire.EntryRoute, Gateway: key(gw).String(), Listener: "http", Route: "agents/r", Rule: "#0",
		Surface: "HTTP", Backends: []string{"Service/agents/x"},
	}
	ctx, cancel := context.WithTimeout(r.t.Context(), 20*time.Second)
	defer cancel()
	res, err := authv3.NewAuthorizationClient(r.conn).Check(ctx, &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		ContextExtensions: map[string]string{wire.ContextTarget: target.String()},
		Source:            &authv3.AttributeContext_Peer{Principal: peer},
		Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{
			Method: "GET", Path: "/", Host: "a.example", Scheme: "http", Protocol: "HTTP/1.1",
			HeaderMap: &corev3.HeaderMap{Headers: append(more, &corev3.HeaderValue{Key: "te", RawValue: []byte("trailers")})},
		}},
	}})
	if err != nil {
		r.t.Fatal(err)
	}
	return res
}

// status is that of a denial; 0: allowed.
func status(r *authv3.CheckResponse) int { return int(r.GetDeniedResponse().GetStatus().GetCode()) }

func hopOf(r *authv3.CheckResponse) string {
	return r.GetDynamicMetadata().GetFields()[wire.MetaHopID].GetStringValue()
}

// hold opens a hold as Envoy does, and gives the guard's first word.
func (r *rig) hold(hop string) (procv3.ExternalProcessor_ProcessClient, *procv3.ProcessingResponse) {
	r.t.Helper()
	s, err := procv3.NewExternalProcessorClient(r.conn).Process(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	meta := &structpb.Struct{Fields: map[string]*structpb.Value{wire.MetaHopID: structpb.NewStringValue(hop)}}
	if err := s.Send(&procv3.ProcessingRequest{
		Request:         &procv3.ProcessingRequest_RequestHeaders{RequestHeaders: &procv3.HttpHeaders{}},
		MetadataContext: &corev3.Metadata{FilterMetadata: map[string]*structpb.Struct{wire.AuthzNamespace: meta}},
		ProtocolConfig:  &procv3.ProtocolConfiguration{},
	}); err != nil {
		r.t.Fatal(err)
	}
	m, err := s.Recv()
	if err != nil {
		r.t.Fatal(err)
	}
	return s, m
}

// TestNotReadyIsClosed: before there is a feed, nothing passes.
func TestNotReadyIsClosed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	if r.Ready() {
		t.Error("ready without a feed")
	}
	if got := status(r.ask("one")); got != 503 {
		t.Errorf("status %d, want 503", got)
	}
	r.apply(snapshot("1", gateway("one", v1alpha1.UnmatchedAllow)))
	if !r.Ready() {
		t.Error("not ready with a feed")
	}
	if got := status(r.ask("one")); got != 0 {
		t.Errorf("status %d, want it allowed", got)
	}
	if got := status(r.ask("another")); got != 503 {
		t.Errorf("a Gateway that nobody knows: status %d, want 503", got)
	}
}

// TestGatewaysAreApart: each decides by its own rules, and finds its own names.
func TestGatewaysAreApart(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	two := gateway("two", v1alpha1.UnmatchedDeny)
	two.Egress.Hosts[0].Addresses = []netip.Addr{netip.MustParseAddr("127.0.0.2")}
	r.apply(snapshot("1", gateway("one", v1alpha1.UnmatchedAllow), two))
	if got := [...]int{status(r.ask("one")), status(r.ask("two"))}; got != [...]int{0, 403} {
		t.Errorf("statuses %v, want one allowed and one denied", got)
	}
	for name, want := range map[string]string{"one": "127.0.0.1", "two": "127.0.0.2"} {
		a, err := r.check.World().Egress[key(name).String()].Names.Lookup(t.Context(), "web.example")
		if err != nil || len(a.Addrs) != 1 || a.Addrs[0].String() != want {
			t.Errorf("web.example by %s is %v, %v, want %s", name, a.Addrs, err, want)
		}
	}
}

// TestWhatAResolverKnowsOutlivesTheFeed: it is the same one as long as its
// Gateway is there, with the settings of today, and gone with it.
func TestWhatAResolverKnowsOutlivesTheFeed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	names := func(gw string) any { return r.check.World().Egress[key(gw).String()].Names }
	r.apply(snapshot("1", gateway("one", v1alpha1.UnmatchedAllow), gateway("two", v1alpha1.UnmatchedAllow)))
	first, gone := names("one"), names("two").(*exit)
	changed := gateway("one", v1alpha1.UnmatchedAllow)
	changed.Egress.Hosts[0].Addresses = []netip.Addr{netip.MustParseAddr("127.0.0.9")}
	r.apply(snapshot("2", changed))
	if names("one") != first {
		t.Error("a change of the feed made another resolver")
	}
	a, err := first.(*exit).Lookup(t.Context(), "web.example")
	if err != nil || len(a.Addrs) != 1 || a.Addrs[0].String() != "127.0.0.9" {
		t.Errorf("web.example is %v, %v, want the address of today", a.Addrs, err)
	}
	if names("two") != nil {
		t.Error("a Gateway that is gone has names")
	}
	if _, err := gone.Lookup(t.Context(), "name.test.hopgate.dev"); err == nil {
		t.Error("the resolver of a Gateway that is gone resolves")
	}
	r.apply(snapshot("3", changed, gateway("two", v1alpha1.UnmatchedAllow)))
	if names("two") == any(gone) {
		t.Error("a resolver that was closed is used again")
	}
}

// TestABadFeedChangesNothing: not the world, not the secrets, not the tokens,
// not the resolvers.
func TestABadFeedChangesNothing(t *testing.T) {
	t.Parallel()
	secret := feedv1.Credential{Key: key("c"), Backend: "Service/agents/x", Header: "x-key", Environment: "SECRET"}
	domain := feedv1.TrustDomain{Key: key("corp"), Audience: "corp.example", Algorithms: []string{"EdDSA"}}
	policy := feedv1.Policy{Key: key("p"), Mode: v1alpha1.ModeEnforce}
	one, other := gateway("one", v1alpha1.UnmatchedAllow), gateway("other", v1alpha1.UnmatchedAllow)
	for _, tt := range []struct {
		name string
		feed *feedv1.Snapshot
		says string
	}{
		{"none", nil, "there is none"},
		{"a Gateway twice", &feedv1.Snapshot{Gateways: []feedv1.Gateway{other, one, other}}, "Gateway/agents/other is there twice"},
		{"a trust domain twice", &feedv1.Snapshot{Gateways: []feedv1.Gateway{other}, TrustDomains: []feedv1.TrustDomain{domain, domain}}, "TrustDomain/agents/corp is there twice"},
		{"a policy twice", &feedv1.Snapshot{Policies: []feedv1.Policy{policy, policy}}, "AccessPolicy/agents/p is there twice"},
		{"a quarantine of nothing known", &feedv1.Snapshot{Gateways: []feedv1.Gateway{other}, Quarantines: []feedv1.Quarantine{{Name: "q", Type: "Odd", Value: "x"}}}, "read quarantine q"},
		{"a quarantine of nobody", &feedv1.Snapshot{Gateways: []feedv1.Gateway{other}, Quarantines: []feedv1.Quarantine{{Name: "q", Type: v1alpha1.QuarantinePeer}}}, "read quarantine q"},
		{"a credential twice", &feedv1.Snapshot{Credentials: []feedv1.Credential{secret, secret}}, "Credential/agents/c is there twice"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			good := snapshot("1", one)
			good.TrustDomains, good.Credentials = []feedv1.TrustDomain{domain}, []feedv1.Credential{secret}
			r.apply(good)
			world, keys := r.check.World(), r.tokens.Keys()
			if err := r.ApplyFeed(tt.feed); err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Fatalf("ApplyFeed = %v, want %q", err, tt.says)
			}
			if r.check.World() != world || len(r.gateways) != 1 {
				t.Errorf("the world has changed: %d Gateways", len(r.gateways))
			}
			if s, ok := r.secrets.Get(&secret); !ok || s.Reveal() != "s3cret" {
				t.Error("the credential is gone")
			}
			if now := r.tokens.Keys(); len(now) != 1 || now[0].Key != keys[0].Key {
				t.Errorf("the keys have changed: %v", now)
			}
			if got := status(r.ask("one")); got != 0 {
				t.Errorf("status %d, want it allowed as before", got)
			}
		})
	}
}

// TestProblemsOfPoliciesAreLogged: what cannot be compiled denies, and is told.
func TestProblemsOfPoliciesAreLogged(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	f := snapshot("1", gateway("one", v1alpha1.UnmatchedAllow))
	f.Policies = []feedv1.Policy{{
		Key: key("broken"), Mode: v1alpha1.ModeEnforce, Targets: []feedv1.PolicyTarget{{Kind: "Gateway", Key: key("one")}},
		Rules: []v1alpha1.AccessRule{{
			Name: "r", Action: v1alpha1.ActionAllow, When: []string{"no such thing ("},
			To: v1alpha1.RuleTo{Type: v1alpha1.SurfaceHTTP, HTTP: []v1alpha1.HTTPMatch{{}}},
		}},
	}}
	r.apply(f)
	if got := status(r.ask("one")); got != 403 {
		t.Errorf("status %d, want 403", got)
	}
	if got := r.out.String(); !strings.Contains(got, "policy=agents/broken") {
		t.Errorf("the log does not tell: %s", got)
	}
}

// TestAHopFromCheckToItsEnd goes by Envoy's three calls, and again when the
// feed has changed between the first two.
func TestAHopFromCheckToItsEnd(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.apply(snapshot("1", gateway("one", v1alpha1.UnmatchedAllow)))
	hop := hopOf(r.ask("one"))
	if r.Live() != 1 {
		t.Fatalf("%d hops, want the one that was allowed", r.Live())
	}
	s, m := r.hold(hop)
	if m.GetRequestHeaders() == nil {
		t.Errorf("the hold opens with %v", m)
	}
	if _, m := r.hold(hop); m.GetImmediateResponse().GetDetails() != wire.DetailRefused {
		t.Errorf("one hop was held twice: %v", m)
	}
	if err := s.CloseSend(); err != nil {
		t.Fatal(err)
	}
	r.logEnd(hop)
	testenv.Wait(t, "the hop's end", func() bool { return r.Live() == 0 })

	late := hopOf(r.ask("one"))
	r.apply(snapshot("2", gateway("one", v1alpha1.UnmatchedDeny)))
	if _, m := r.hold(late); m.GetImmediateResponse().GetStatus().GetCode() != 403 || m.GetImmediateResponse().GetDetails() != wire.DetailRefused {
		t.Errorf("a hop that the new feed denies: %v", m)
	}
	if err := r.stop(); err != nil {
		t.Errorf("Run = %v", err)
	}
	ends := r.ends()
	if ends[hop] != audit.EndDone || ends[late] != audit.EndRefused {
		t.Errorf("ends %v, want %s done and %s refused", ends, hop, late)
	}
}

// logEnd tells the guard of a hop's end, as Envoy's access log does.
func (r *rig) logEnd(hop string) {
	r.t.Helper()
	s, err := logv3.NewAccessLogServiceClient(r.conn).StreamAccessLogs(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	meta := &structpb.Struct{Fields: map[string]*structpb.Value{wire.MetaHopID: structpb.NewStringValue(hop)}}
	entry := &logdatav3.HTTPAccessLogEntry{
		CommonProperties: &logdatav3.AccessLogCommon{
			Metadata:      &corev3.Metadata{FilterMetadata: map[string]*structpb.Struct{wire.AuthzNamespace: meta}},
			AccessLogType: logdatav3.AccessLogType_DownstreamEnd,
		},
		Response: &logdatav3.HTTPResponseProperties{ResponseCodeDetails: "via_upstream"},
	}
	if err := s.Send(&logv3.StreamAccessLogsMessage{LogEntries: &logv3.StreamAccessLogsMessage_HttpLogs{
		HttpLogs: &logv3.StreamAccessLogsMessage_HTTPAccessLogEntries{LogEntry: []*logdatav3.HTTPAccessLogEntry{entry}},
	}}); err != nil {
		r.t.Fatal(err)
	}
}

// records are the lines of the record, read when the guard has ended.
func (r *rig) records() []audit.Record {
	r.t.Helper()
	raw, err := os.ReadFile(r.path)
	if err != nil {
		r.t.Fatal(err)
	}
	report, err := audit.Verify(bytes.NewReader(raw), r.pub)
	if err != nil || !report.OK() {
		r.t.Errorf("the record is not whole: %v, %+v", err, report)
	}
	var out []audit.Record
	for line := range bytes.Lines(raw) {
		rec, err := audit.Decode(bytes.TrimSuffix(line, []byte("\n")))
		if err != nil {
			r.t.Fatal(err)
		}
		out = append(out, rec)
	}
	return out
}

func (r *rig) ends() map[string]audit.End {
	out := map[string]audit.End{}
	for _, rec := range r.records() {
		if rec.Kind == audit.KindEnd {
			out[rec.Hop.String()] = rec.End
		}
	}
	return out
}

// TestTheRecordIsClosedLast: what ends as the guard ends is in it, signed.
func TestTheRecordIsClosedLast(t *testing.T) {
	t.Parallel()
	cfg, pub, out := config(t)
	g, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{Guard: g, t: t, path: cfg.AuditPath, pub: pub, out: out}
	r.serve()
	r.apply(snapshot("1", gateway("one", v1alpha1.UnmatchedAllow)))
	pending, held := hopOf(r.ask("one")), hopOf(r.ask("one"))
	r.hold(held)
	if err := r.stop(); err != nil {
		t.Errorf("Run = %v", err)
	}
	if err := r.Record().Append(audit.Record{Kind: audit.KindDeny}); err == nil {
		t.Error("the record is open after the guard's end")
	}
	if diff := cmp.Diff(map[string]audit.End{pending: audit.EndShutdown, held: audit.EndShutdown}, r.ends()); diff != "" {
		t.Errorf("ends differ (-want +got):\n%s", diff)
	}
	recs := r.records()
	if last := recs[len(recs)-1]; last.Kind != audit.KindCheckpoint {
		t.Errorf("the record ends with %s, want a checkpoint", last.Kind)
	}
}

// TestTheRecordIsOpenUntilNobodyIsServed: the last decisions are written too.
func TestTheRecordIsOpenUntilNobodyIsServed(t *testing.T) {
	t.Parallel()
	cfg, _, _ := config(t)
	g, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var late error
	if err := g.Run(ctx, func() { late = g.Record().Append(audit.Record{Kind: audit.KindDeny, Verdict: audit.VerdictDeny}) }); err != nil {
		t.Errorf("Run = %v", err)
	}
	if late != nil {
		t.Errorf("Append = %v before the last request has ended", late)
	}
}

func TestCloseGivesUpWhatNewTook(t *testing.T) {
	t.Parallel()
	cfg, _, _ := config(t)
	g, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	dns := g.DNS()
	if err := g.Close(); err != nil {
		t.Errorf("Close = %v", err)
	}
	l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(dns))
	if err != nil {
		t.Fatalf("the DNS port is taken: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := New(cfg)
	if err != nil {
		t.Fatalf("the record is held: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Errorf("Close = %v", err)
	}
}

func TestNewSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	cfg, _, _ := config(t)
	cfg.AuditPath = filepath.Join(t.TempDir(), "nothing", "audit.jsonl")
	if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), "open the record") {
		t.Errorf("New = %v, want what is wrong with the record", err)
	}
}

// TestAPartThatFailsEndsTheGuard: without DNS no name can be dialled, and
// nobody would know why.
func TestAPartThatFailsEndsTheGuard(t *testing.T) {
	t.Parallel()
	cfg, _, _ := config(t)
	g, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ran := make(chan error, 1)
	go func() { ran <- g.Run(t.Context(), func() {}) }()
	testenv.Wait(t, "an answer", func() bool { return answers(g.DNS()) })
	_ = g.dns.Close() // Run may have closed the half of it that is left
	if err := <-ran; err == nil || !strings.Contains(err.Error(), "serve dns") {
		t.Errorf("Run = %v, want what has failed", err)
	}
}

// answers reports whether a DNS server answers a query.
func answers(a netip.AddrPort) bool {
	c, err := net.Dial("udp", a.String())
	if err != nil {
		return false
	}
	defer c.Close()
	// Header: one question; name x.; type A, class IN.
	query := []byte{0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 'x', 0, 0, 1, 0, 1}
	if _, err := c.Write(query); err != nil {
		return false
	}
	if err := c.SetReadDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		return false
	}
	_, err = c.Read(make([]byte, 512))
	return err == nil
}

// TestServesWhatEnvoyNeeds: large questions pass, and are counted.
func TestServesWhatEnvoyNeeds(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.apply(snapshot("1", gateway("one", v1alpha1.UnmatchedAllow)))
	r.ask("one")
	if r.Decisions() == nil || r.Record() == nil || !r.DNS().Addr().IsLoopback() {
		t.Error("something is missing")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	r.Settle(ctx)
	if r.Live() != 1 {
		t.Errorf("%d hops live, want one", r.Live())
	}
}
