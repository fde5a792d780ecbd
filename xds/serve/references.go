package serve

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tcpproxyv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/anypb"
)

// maxNesting bounds the depth of a message that is walked.
const maxNesting = 64

// references are the resources that m refers to by name, sorted, and the
// generated rules of what is packed inside it are run on the way. Names that
// come from nowhere on the stream (clusters of the bootstrap, names that a
// header gives) may be among them or missing: they concern nobody here.
//
// Route tables are large and change often: they are read by their own code,
// and what is packed inside their routes is not opened.
func references(m proto.Message) ([]Key, error) {
	w := walk{found: map[Key]struct{}{}}
	switch m := m.(type) {
	case *routev3.RouteConfiguration:
		w.table(m)
	case *endpointv3.ClusterLoadAssignment, *tlsv3.Secret:
	default:
		if err := w.message(m.ProtoReflect(), 0); err != nil {
			return nil, err
		}
	}
	return slices.SortedFunc(maps.Keys(w.found), Key.compare), nil
}

type walk struct{ found map[Key]struct{} }

func (w walk) add(typeURL, name string) {
	if name != "" {
		w.found[Key{typeURL, name}] = struct{}{}
	}
}

// message looks at m and at all that is in it.
func (w walk) message(m protoreflect.Message, depth int) error {
	if depth > maxNesting {
		return fmt.Errorf("validate: nested deeper than %d", maxNesting)
	}
	switch v := m.Interface().(type) {
	case *anypb.Any:
		return w.packed(v, depth)
	case *routev3.RouteConfiguration:
		w.table(v)
		return nil
	default:
		w.look(v)
	}
	var err error
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		err = w.field(f, v, depth)
		return err == nil
	})
	return err
}

func (w walk) field(f protoreflect.FieldDescriptor, v protoreflect.Value, depth int) error {
	switch {
	case f.IsMap() && f.MapValue().Message() != nil:
		var err error
		v.Map().Range(func(_ protoreflect.MapKey, v protoreflect.Value) bool {
			err = w.message(v.Message(), depth+1)
			return err == nil
		})
		return err
	case f.IsMap() || f.Message() == nil:
		return nil
	case f.IsList():
		for i := range v.List().Len() {
			if err := w.message(v.List().Get(i).Message(), depth+1); err != nil {
				return err
			}
		}
		return nil
	default:
		return w.message(v.Message(), depth+1)
	}
}

// packed opens a. What this program does not know is left to Envoy.
func (w walk) packed(a *anypb.Any, depth int) error {
	m, err := a.UnmarshalNew()
	if errors.Is(err, protoregistry.NotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("validate: unpack %q: %w", shortType(a.GetTypeUrl()), err)
	}
	if err := validate(m); err != nil {
		return err
	}
	return w.message(m.ProtoReflect(), depth+1)
}

// look notes what m itself refers to.
func (w walk) look(m proto.Message) {
	switch m := m.(type) {
	case *clusterv3.Cluster:
		w.cluster(m)
	case *hcmv3.Rds:
		if onStream(m.GetConfigSource()) {
			w.add(TypeRoute, m.GetRouteConfigName())
		}
	case *hcmv3.HttpFilter:
		w.discovered(m.GetName(), m.GetConfigDiscovery())
	case *listenerv3.Filter:
		w.discovered(m.GetName(), m.GetConfigDiscovery())
	case *listenerv3.ListenerFilter:
		w.discovered(m.GetName(), m.GetConfigDiscovery())
	case *tlsv3.SdsSecretConfig:
		if onStream(m.GetSdsConfig()) {
			w.add(TypeSecret, m.GetName())
		}
	case *tcpproxyv3.TcpProxy:
		w.add(TypeCluster, m.GetCluster())
		for _, c := range m.GetWeightedClusters().GetClusters() {
			w.add(TypeCluster, c.GetName())
		}
	case *corev3.GrpcService_EnvoyGrpc:
		w.add(TypeCluster, m.GetClusterName())
	case *corev3.HttpUri:
		w.add(TypeCluster, m.GetCluster())
	}
}

func (w walk) cluster(c *clusterv3.Cluster) {
	if c.GetType() != clusterv3.Cluster_EDS || !onStream(c.GetEdsClusterConfig().GetEdsConfig()) {
		return
	}
	if s := c.GetEdsClusterConfig().GetServiceName(); s != "" {
		w.add(TypeEndpoint, s)
		return
	}
	w.add(TypeEndpoint, c.GetName())
}

func (w walk) discovered(name string, s *corev3.ExtensionConfigSource) {
	if onStream(s.GetConfigSource()) {
		w.add(TypeFilter, name)
	}
}

// onStream reports whether a subscription comes over this stream.
func onStream(s *corev3.ConfigSource) bool { return s.GetAds() != nil || s.GetSelf() != nil }

func (w walk) table(t *routev3.RouteConfiguration) {
	w.mirrors(t.GetRequestMirrorPolicies())
	for _, v := range t.GetVirtualHosts() {
		w.mirrors(v.GetRequestMirrorPolicies())
		for _, r := range v.GetRoutes() {
			if a := r.GetRoute(); a != nil {
				w.action(a)
			}
		}
	}
}

func (w walk) action(a *routev3.RouteAction) {
	w.add(TypeCluster, a.GetCluster())
	for _, c := range a.GetWeightedClusters().GetClusters() {
		w.add(TypeCluster, c.GetName())
	}
	w.mirrors(a.GetRequestMirrorPolicies())
}

func (w walk) mirrors(ps []*routev3.RouteAction_RequestMirrorPolicy) {
	for _, p := range ps {
		w.add(TypeCluster, p.GetCluster())
	}
}
