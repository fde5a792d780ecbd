package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/hopgate/hopgate/gateway/api/wire"
	"github.com/hopgate/hopgate/gateway/graph"
	"github.com/hopgate/hopgate/gateway/infra/process"
	"github.com/hopgate/hopgate/xds/envoy"
)

// baseline is an Envoy with hopgate's connection manager and clusters, whose
// configuration is all in its bootstrap: no routes and no filters by xDS, no
// log, no holds.
type baseline struct {
	port     int
	upstream netip.AddrPort
	// socket is that of an ext_authz; empty: there is none.
	socket string
}

// Names in a baseline.
const (
	baselineListener = "bench"
	baselineCluster  = "bench/upstream"
)

// bootstrap is all of its configuration.
func (v baseline) bootstrap(dir string) (*bootstrapv3.Bootstrap, error) {
	settings := envoy.Settings{Socket: v.socket}
	boot := envoy.Bootstrap{NodeID: "bench", AdminSocket: process.AdminSocket(dir)}.Message(settings)
	boot.DynamicResources = nil
	backend := v.backend()
	cluster, err := envoy.Cluster(backend, settings)
	if err != nil {
		return nil, err
	}
	listener, err := v.listener(backend, settings)
	if err != nil {
		return nil, err
	}
	res := boot.GetStaticResources()
	res.Clusters, res.Listeners = append(res.Clusters[:0], cluster), []*listenerv3.Listener{listener}
	if v.socket != "" {
		res.Clusters = append(res.Clusters, envoy.SocketCluster(envoy.ClusterAuthz, v.socket))
	}
	return boot, nil
}

func (v baseline) backend() *graph.Backend {
	return &graph.Backend{
		Name: baselineCluster, Kind: graph.BackendAddresses, Protocol: graph.ProtocolHTTP1, Addresses: []netip.AddrPort{v.upstream},
	}
}

// listener is hopgate's, with what comes by xDS put in.
func (v baseline) listener(b *graph.Backend, s envoy.Settings) (*listenerv3.Listener, error) {
	l := envoy.Listener(&graph.Listener{
		Name: baselineListener, Kind: graph.ListenerRoutes, Address: v.upstream.Addr(), Port: uint16(v.port),
	}, s)
	return l, rewrite(l.GetFilterChains()[0].GetFilters()[0], func(h *hcmv3.HttpConnectionManager) error {
		h.RouteSpecifier = &hcmv3.HttpConnectionManager_RouteConfig{RouteConfig: envoy.RouteTable(
			baselineListener, graph.Owner{Kind: "Gateway", Namespace: namespace, Name: "egress"},
			[]*envoy.Fragment{envoy.NewFragment(v.fragment(), func(string) *graph.Backend { return b })},
		)}
		if v.socket == "" {
			return nil
		}
		authz, err := inline(envoy.RouteFilters(s)[0])
		h.HttpFilters = append([]*hcmv3.HttpFilter{authz}, h.HttpFilters...)
		return err
	})
}

// rewrite changes a connection manager, of which there is left what routes: no
// log, and no other filter.
func rewrite(filter *listenerv3.Filter, change func(*hcmv3.HttpConnectionManager) error) error {
	var h hcmv3.HttpConnectionManager
	if err := filter.GetTypedConfig().UnmarshalTo(&h); err != nil {
		return fmt.Errorf("read the connection manager: %w", err)
	}
	h.AccessLog = nil
	h.HttpFilters = h.GetHttpFilters()[len(h.GetHttpFilters())-1:]
	if err := change(&h); err != nil {
		return err
	}
	packed, err := anypb.New(&h)
	if err != nil {
		return fmt.Errorf("write the connection manager: %w", err)
	}
	filter.ConfigType = &listenerv3.Filter_TypedConfig{TypedConfig: packed}
	return nil
}

// inline makes of a filter that comes by ECDS one that is there.
func inline(n envoy.Named) (*hcmv3.HttpFilter, error) {
	m, ok := n.Message.(*corev3.TypedExtensionConfig)
	if !ok {
		return nil, fmt.Errorf("filter %s is a %T", n.Name, n.Message)
	}
	return &hcmv3.HttpFilter{Name: n.Name, ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: m.GetTypedConfig()}}, nil
}

// fragment is the one route, as it would be made of an HTTPRoute.
func (v baseline) fragment() *graph.Fragment {
	return &graph.Fragment{
		Owner: graph.Owner{Kind: "HTTPRoute", Namespace: namespace, Name: "r0000"},
		Rules: []*graph.Rule{{
			Hostnames: []string{"*"}, Matches: []graph.Match{{PathKind: graph.MatchPrefix, Path: routePath(0, 0)}},
			Forward: &graph.Forward{Backends: []graph.WeightedBackend{{Backend: baselineCluster, Weight: 1}}},
			Target: wire.Target{
				Entry: wire.EntryRoute, Gateway: gatewayKey().String(), Listener: "agents", Route: namespace + "/r0000", Rule: "#0",
				Surface: "HTTP", Backends: []string{"Service/" + namespace + "/s0000"},
			},
		}},
	}
}

// static is a baseline that runs.
type static struct {
	envoy  *process.Envoy
	cancel context.CancelFunc
	ended  chan error
	// ready is how long Envoy took to be.
	ready time.Duration
}

// configured is an Envoy whose configuration is all in its bootstrap.
type configured interface {
	bootstrap(dir string) (*bootstrapv3.Bootstrap, error)
}

// runStatic starts a baseline and waits until it is ready. admit is told of its
// process at once.
func (b *bench) runStatic(ctx context.Context, dir string, v configured, admit func(pid int)) (*static, error) {
	boot, err := v.bootstrap(dir)
	if err != nil {
		return nil, fmt.Errorf("configure a baseline: %w", err)
	}
	raw, err := protojson.Marshal(boot)
	if err != nil {
		return nil, fmt.Errorf("configure a baseline: %w", err)
	}
	s := &static{ended: make(chan error, 1)}
	s.envoy, err = process.New(process.Config{
		Path: b.binary, Dir: dir, Bootstrap: raw, Concurrency: workers, DrainTime: grace, Started: admit,
		Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
	})
	if err != nil {
		return nil, err
	}
	begun := time.Now()
	running, cancel := context.WithCancel(ctx)
	s.cancel = cancel
	go func() { s.ended <- s.envoy.Run(running) }()
	for !s.envoy.Admin().Ready(ctx) {
		select {
		case err := <-s.ended:
			cancel()
			return nil, errors.Join(errors.New("a baseline does not start"), err)
		case <-time.After(time.Millisecond):
		}
		if time.Since(begun) > readyWithin {
			return nil, errors.Join(errors.New("a baseline does not start"), s.stop())
		}
	}
	s.ready = time.Since(begun)
	return s, nil
}

func (s *static) stop() error {
	s.cancel()
	return <-s.ended
}

func socketIn(dir string) string { return filepath.Join(dir, socketFile) }
