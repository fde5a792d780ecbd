package main

import (
	"fmt"
	"log/slog"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	netprocv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/ext_proc/v3"
	tcpproxyv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/hopgate/hopgate/authz/firstflight"
	"github.com/hopgate/hopgate/authz/leash"
	"github.com/hopgate/hopgate/authz/surface/clienthello"
	"github.com/hopgate/hopgate/gateway/api/wire"
	"github.com/hopgate/hopgate/xds/envoy"
)

// readHop is the one hop of all tunnels whose first flight is read here.
func readHop() leash.ID { return leash.ID{1} }

// lenient lets everything pass (firstflight.Judge).
type lenient struct{}

func (lenient) Hello(*leash.Hop, clienthello.Hello, error) string { return "" }

// newReader reads first flights, and does nothing else.
func newReader(opts []grpc.ServerOption) (*grpc.Server, error) {
	live := leash.NewRegister(leash.Config{Now: time.Now, Ended: func(*leash.Hop, leash.Ending) {}})
	if err := live.Enter(&leash.Hop{ID: readHop(), Held: true}); err != nil {
		return nil, fmt.Errorf("enter the hop: %w", err)
	}
	if _, ok := live.Open(readHop(), false, func(leash.Cut) {}); !ok {
		return nil, fmt.Errorf("hold the hop %s", readHop())
	}
	server := grpc.NewServer(opts...)
	firstflight.New(live, lenient{}, time.Now, slog.New(slog.DiscardHandler)).Register(server)
	return server, nil
}

// strait is an Envoy alone whose tunnels enter hopgate's listener for those that
// pass, of which there is left what dials and, where there is a socket, what shows
// first flights to who is there.
type strait struct {
	alone
	socket string
}

// straitInner is hopgate's listener for tunnels to fixed hosts, and what leads
// to it.
const straitInner = "hopgate/tunnel/" + wire.ModeHosts

func (v strait) bootstrap(dir string) (*bootstrapv3.Bootstrap, error) {
	v.passed = straitInner
	boot, err := v.alone.bootstrap(dir)
	if err != nil {
		return nil, err
	}
	all := envoy.Proxying(envoy.Settings{})
	cluster, err := shared[*clusterv3.Cluster](all, straitInner)
	if err != nil {
		return nil, err
	}
	listener, err := shared[*listenerv3.Listener](all, straitInner)
	if err != nil {
		return nil, err
	}
	res := boot.GetStaticResources()
	res.Clusters, res.Listeners = append(res.Clusters, cluster), append(res.Listeners, listener)
	if v.socket != "" {
		res.Clusters = append(res.Clusters, envoy.SocketCluster(envoy.ClusterFlight, v.socket))
	}
	return boot, v.narrow(listener)
}

// narrow leaves the chain of TLS, and in it what reads and what dials.
func (v strait) narrow(l *listenerv3.Listener) error {
	chain := l.GetFilterChains()[1]
	l.FilterChains = []*listenerv3.FilterChain{chain}
	reads, dials := chain.GetFilters()[1], chain.GetFilters()[2]
	chain.Filters = []*listenerv3.Filter{dials}
	if v.socket != "" {
		chain.Filters = []*listenerv3.Filter{reads, dials}
	}
	var to tcpproxyv3.TcpProxy
	if err := revise(dials, &to, func() { to.ClusterSpecifier = &tcpproxyv3.TcpProxy_Cluster{Cluster: aloneSecure} }); err != nil {
		return err
	}
	var by netprocv3.NetworkExternalProcessor
	return revise(reads, &by, func() { by.GetGrpcService().GetInitialMetadata()[0].Value = readHop().String() })
}

// revise changes the configuration of a network filter, which is read into m.
func revise(f *listenerv3.Filter, m proto.Message, change func()) error {
	if err := f.GetTypedConfig().UnmarshalTo(m); err != nil {
		return fmt.Errorf("read filter %s: %w", f.GetName(), err)
	}
	change()
	packed, err := anypb.New(m)
	if err != nil {
		return fmt.Errorf("write filter %s: %w", f.GetName(), err)
	}
	f.ConfigType = &listenerv3.Filter_TypedConfig{TypedConfig: packed}
	return nil
}
