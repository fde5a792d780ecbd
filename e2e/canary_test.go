package e2e

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	statev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/common/set_filter_state/v3"
	authzv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3"
	procv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	netprocv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/ext_proc/v3"
	tcpproxyv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/hopgate/hopgate/authz/canary"
	"github.com/hopgate/hopgate/authz/guard"
	"github.com/hopgate/hopgate/gateway/api/wire"
	"github.com/hopgate/hopgate/gateway/graph"
	"github.com/hopgate/hopgate/gateway/infra/process"
	"github.com/hopgate/hopgate/internal/testenv"
	"github.com/hopgate/hopgate/internal/testgateway"
	"github.com/hopgate/hopgate/xds/desired"
	"github.com/hopgate/hopgate/xds/envoy"
	"github.com/hopgate/hopgate/xds/serve"
)

// change makes one kind of message in a resource another one, what is packed
// too.
type change func(resource string, m proto.Message)

// changed is a resource after a change.
func changed(t testing.TB, r *serve.Resource, c change) *serve.Resource {
	t.Helper()
	out := *r
	out.Parts = slices.Clone(r.Parts)
	for i := range out.Parts {
		out.Parts[i].Version += "-changed"
	}
	out.Build = func(parts []serve.Part) (proto.Message, error) {
		m, err := r.Build(parts)
		if err != nil {
			return nil, err
		}
		m = proto.Clone(m)
		edit(t, r.Name, m, c)
		return m, nil
	}
	return &out
}

func edit(t testing.TB, name string, m proto.Message, c change) {
	t.Helper()
	if a, ok := m.(*anypb.Any); ok {
		in, err := a.UnmarshalNew()
		if err != nil {
			t.Errorf("unpack %s: %v", a.GetTypeUrl(), err)
			return
		}
		edit(t, name, in, c)
		if err := a.MarshalFrom(in); err != nil {
			t.Error(err)
		}
		return
	}
	m.ProtoReflect().Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.Message() == nil || f.IsMap() && f.MapValue().Message() == nil:
		case f.IsMap():
			v.Map().Range(func(_ protoreflect.MapKey, v protoreflect.Value) bool {
				edit(t, name, v.Message().Interface(), c)
				return true
			})
		case f.IsList():
			for i := range v.List().Len() {
				edit(t, name, v.List().Get(i).Message().Interface(), c)
			}
		default:
			edit(t, name, v.Message().Interface(), c)
		}
		return true
	})
	c(name, m)
}

// verdicts proves an Envoy without a Gateway, on hopgate's own configuration
// after a change, and gives what comes of each attempt.
func verdicts(t *testing.T, c change) <-chan canary.Verdict {
	t.Helper()
	binary, dir := testenv.Envoy(t), testenv.ShortDir(t)
	xds, err := serve.New(serve.Config{Check: envoy.Check, MaxBytes: envoy.MaxMessage - 1<<20})
	if err != nil {
		t.Fatal(err)
	}
	log := &testgateway.Buffer{}
	told := make(chan canary.Verdict, 100)
	g, err := guard.New(guard.Config{
		AuditPath: filepath.Join(t.TempDir(), "audit.jsonl"), AuditKey: ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)),
		CanaryDir: dir, Proven: func(v canary.Verdict) { told <- v }, Log: slog.New(slog.NewTextHandler(log, nil)),
		Configured: func(ctx context.Context) error { return xds.Wait(ctx, xds.Snapshot().Revision) },
	})
	if err != nil {
		t.Fatal(err)
	}
	settings := envoy.Settings{Socket: filepath.Join(dir, "guard.sock"), DNSPort: g.DNS().Port(), CanaryDir: dir}
	var rs []*serve.Resource
	for _, r := range desired.New(settings).Resources(&graph.Graph{}) {
		rs = append(rs, changed(t, r, c))
	}
	if _, err := xds.Set(rs); err != nil {
		t.Fatal(err)
	}
	boot, err := protojson.Marshal(envoy.Bootstrap{NodeID: "test", AdminSocket: process.AdminSocket(dir)}.Message(settings))
	if err != nil {
		t.Fatal(err)
	}
	caller := guard.NewCaller()
	child, err := process.New(process.Config{Path: binary, Dir: dir, Bootstrap: boot, Concurrency: 2, Log: slog.New(slog.NewTextHandler(log, nil)), Started: func(pid int) {
		g.Begin()
		caller.Set(pid)
	}})
	if err != nil {
		t.Fatal(err)
	}
	socket, err := guard.Listen(settings.Socket, caller, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(g.ServerOptions()...)
	g.Register(server)
	discoveryv3.RegisterAggregatedDiscoveryServiceServer(server, xds)
	serving, stopServing := context.WithCancel(context.Background())
	running, stopChild := context.WithCancel(context.Background())
	ended := make(chan error, 3)
	gone := make(chan error, 1)
	go func() { ended <- server.Serve(socket) }()
	go func() { ended <- xds.Run(serving) }()
	go func() { ended <- g.Run(serving, server.Stop) }()
	go func() { gone <- child.Run(running) }()
	t.Cleanup(func() {
		stopChild()
		if err := <-gone; err != nil {
			t.Errorf("the end of Envoy: %v", err)
		}
		if st := xds.Snapshot(); len(st.Parked) > 0 {
			t.Errorf("Envoy refused what it was to take: %v", st.Parked)
		}
		stopServing()
		for range 3 {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
		if t.Failed() {
			t.Logf("log:\n%s", log)
		}
	})
	return told
}

// removesDeadline has virtual hosts remove a header that Check sets, which is
// what switches every deadline off without a word.
func removesDeadline(_ string, m proto.Message) {
	if v, ok := m.(*routev3.VirtualHost); ok {
		v.RequestHeadersToRemove = append(v.RequestHeadersToRemove, wire.HeaderDeadline)
	}
}

// in is a change of some resources alone.
func in(c change, names ...string) change {
	return func(name string, m proto.Message) {
		if slices.Contains(names, name) {
			c(name, m)
		}
	}
}

// mistaken has matchers look for another string.
func mistaken(from, to string) change {
	return func(_ string, m proto.Message) {
		if s, ok := m.(*matcherv3.StringMatcher); ok && s.GetExact() == from {
			s.MatchPattern = &matcherv3.StringMatcher_Exact{Exact: to}
		}
	}
}

// mode has the hold work otherwise.
func mode(c func(*procv3.ProcessingMode)) change {
	return func(_ string, m proto.Message) {
		if p, ok := m.(*procv3.ProcessingMode); ok {
			c(p)
		}
	}
}

// state has filter state be handed on otherwise.
func state(c func(*statev3.FilterStateValue)) change {
	return func(_ string, m proto.Message) {
		if v, ok := m.(*statev3.FilterStateValue); ok {
			c(v)
		}
	}
}

// without takes a network filter out of filter chains.
func without(filter string) change {
	return func(_ string, m proto.Message) {
		if c, ok := m.(*listenerv3.FilterChain); ok {
			c.Filters = slices.DeleteFunc(c.Filters, func(f *listenerv3.Filter) bool { return f.GetName() == filter })
		}
	}
}

// dialsAtOnce has tunnels be dialled before anything of them is looked at.
func dialsAtOnce(_ string, m proto.Message) {
	if p, ok := m.(*tcpproxyv3.TcpProxy); ok {
		p.UpstreamConnectMode, p.MaxEarlyDataBytes = tcpproxyv3.UpstreamConnectMode_IMMEDIATE, nil
	}
}

// unasked has nobody answer what a filter asks of tunnels and requests.
func unasked(_ string, m proto.Message) {
	if a, ok := m.(*authzv3.ExtAuthz); ok {
		a.GetGrpcService().GetEnvoyGrpc().ClusterName = "hopgate/nowhere"
	}
}

// TestCanaries: what fails silently does not pass, and is named; what is right
// passes. Where the machine had no time for more than that, it is tried again.
func TestCanaries(t *testing.T) {
	t.Parallel()
	for _, tt := range []proving{
		{"right", func(string, proto.Message) {}, nil, nil, ""},
		{"the deadline is removed", removesDeadline, []string{canary.Deadline}, nil, "was open after"},
		{"the deadline is removed on routes", in(removesDeadline, "hopgate/canary/routes"), []string{canary.Deadline}, nil, "routes: a stream with a deadline of 60ms was open after"},
		{"the deadline is removed in tunnels", in(removesDeadline, "hopgate/tunnel/inside"), []string{canary.Deadline}, nil, "tunnel inside: a stream with a deadline of 60ms was open after"},
		{"the hold ends with the headers", in(mode(func(p *procv3.ProcessingMode) {
			p.ResponseTrailerMode = procv3.ProcessingMode_SKIP
		}), "hold.headers"), []string{canary.Cut, canary.Tunnels}, []string{canary.Meter, canary.Flight}, "a stream "},
		{"nothing is metered", in(mistaken(wire.MeterYes, "oui"), "meter"), []string{canary.Meter}, nil, "1 byte passed that a budget had no room for"},
		{"the meter only watches", in(func(_ string, m proto.Message) {
			if p, ok := m.(*procv3.ExternalProcessor); ok {
				p.ObservabilityMode = true
			}
		}, "meter"), []string{canary.Meter}, nil, "1 byte passed that a budget had no room for"},
		{"first flights are not read", in(without("envoy.filters.network.ext_proc"), "hopgate/tunnel/guard"), []string{canary.Flight}, nil, "tunnel guard: TLS passed that was not to"},
		{"first flights need no word", in(func(_ string, m proto.Message) {
			if p, ok := m.(*netprocv3.NetworkExternalProcessor); ok {
				p.FailureModeAllow = true
			}
		}, "hopgate/tunnel/inside"), []string{canary.Flight}, nil, "tunnel inside: a tunnel was open still"},
		{"tunnels are dialled at once", in(dialsAtOnce, "hopgate/tunnel/hosts"), []string{canary.Flight}, nil, "connections were made for TLS that was not to pass"},
		{"the deadline is removed where TLS is captured", in(removesDeadline, "hopgate/canary/tls"), []string{canary.Deadline}, nil, "captured TLS: a tunnel with a deadline of 10ms was open after"},
		{"nobody decides captured TLS", in(unasked, "authz.capture-tls"), []string{canary.Refused, canary.Deadline, canary.Cut, canary.Tunnels, canary.Meter}, nil, "captured TLS: TLS was answered nothing"},
		{"the hold is skipped", in(mistaken(wire.HoldNone, wire.HoldHeaders), "hold.headers"), []string{canary.Deadline, canary.Cut, canary.Tunnels, canary.Meter, canary.Flight}, nil, "hop_unknown"},
		{"the relay is skipped", in(mistaken(wire.HoldRelay, "relays"), "hold.relay"), []string{canary.Relay}, nil, "nothing held"},
		{"the relay has no body", in(mode(func(p *procv3.ProcessingMode) {
			p.ResponseBodyMode = procv3.ProcessingMode_NONE
		}), "hold.relay"), []string{canary.Relay}, nil, "hop_unknown"},
		{"filter state is not hashable", state(func(v *statev3.FilterStateValue) {
			if v.GetFactoryKey() == "envoy.hashable_string" {
				v.FactoryKey = "envoy.string"
			}
		}), []string{canary.Tunnels}, []string{canary.Cut, canary.Meter, canary.Flight}, "a tunnel was taken for another"},
		{"sources are not hashable", in(state(func(v *statev3.FilterStateValue) {
			if v.GetObjectKey() == wire.StateSource {
				v.FactoryKey = "envoy.string"
			}
		}), "hopgate/canary/tls"), []string{canary.Tunnels}, nil, "captured TLS: what came from 192.0.2."},
		{"filter state is not shared", state(func(v *statev3.FilterStateValue) {
			v.SharedWithUpstream = statev3.FilterStateValue_NONE
		}), []string{canary.Tunnels, canary.Cut, canary.Meter, canary.Flight}, nil, "tunnel_gone"},
		{"any tunnel's requests go to the first destination", func(name string, m proto.Message) {
			if r, ok := m.(*routev3.RouteMatch); ok && strings.HasPrefix(name, "hopgate/tunnel/") && len(r.DynamicMetadata) == 2 {
				r.DynamicMetadata = r.DynamicMetadata[:1]
			}
		}, []string{canary.Tunnels}, nil, `a tunnel to two led to "one"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			told := verdicts(t, tt.change)
			for n := 0; ; n++ {
				v := <-told
				t.Logf("took %s: %s", v.Took, v)
				why := tt.differs(v)
				if why == "" {
					return
				}
				if v.Passed() || n == unhurt {
					t.Fatal(why)
				}
			}
		})
	}
}

// proving is a change, and what is to be seen of it.
type proving struct {
	name   string
	change change
	// failed are the canaries that do not pass, saw is in what is said of the
	// first. also are those that may not.
	failed, also []string
	saw          string
}

// differs says how a verdict is another one than it should be; empty: it is not.
func (p *proving) differs(v canary.Verdict) string {
	saw := map[string]string{}
	for _, f := range v.Failed {
		saw[f.Canary] = f.Saw
		if !slices.Contains(p.failed, f.Canary) && !slices.Contains(p.also, f.Canary) {
			return f.Canary + " does not pass"
		}
	}
	for i, name := range p.failed {
		if said, ok := saw[name]; !ok || i == 0 && !strings.Contains(said, p.saw) {
			return fmt.Sprintf("%s saw %q, want %q in it", name, said, p.saw)
		}
	}
	return ""
}
