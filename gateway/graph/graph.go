// Package graph is the model between what users wrote and what Envoy is told:
// plain data, no I/O, no Envoy types, no API objects.
//
// A Graph is immutable once built. The next one shares every entry that did
// not change, by pointer: whoever keeps work per entry compares pointers.
package graph

import (
	"net/netip"
	"time"

	"github.com/hopgate/hopgate/gateway/api/wire"
)

// Graph is the whole of what one Envoy serves. Slices are sorted by name.
type Graph struct {
	Listeners []*Listener
	// Tables are the routes of the listeners, by the listener's name.
	Tables    []*RouteTable
	Backends  []*Backend
	Endpoints []*Endpoints
}

// Owner is the object that something was made of.
type Owner struct {
	Kind, Namespace, Name string
}

// String is KIND/NAMESPACE/NAME.
func (o Owner) String() string { return o.Kind + "/" + o.Namespace + "/" + o.Name }

// ListenerKind is the shape of a listener.
type ListenerKind string

const (
	// ListenerRoutes serves HTTPRoutes.
	ListenerRoutes ListenerKind = "routes"
	// ListenerProxy is an explicit proxy.
	ListenerProxy ListenerKind = "proxy"
	// ListenerCaptureTLS and ListenerCaptureHTTP take what was redirected.
	ListenerCaptureTLS  ListenerKind = "capture-tls"
	ListenerCaptureHTTP ListenerKind = "capture-http"
)

// Egress reports whether a listener of this kind leads to anywhere: it has no
// routes of users.
func (k ListenerKind) Egress() bool { return k != ListenerRoutes }

// Listener is one address and port of one Gateway.
type Listener struct {
	// Name is NAMESPACE/GATEWAY/PORT, and that of its RouteTable.
	Name    string
	Owner   Owner
	Kind    ListenerKind
	Address netip.Addr
	Port    uint16
	// TLS is nil for cleartext.
	TLS *ListenerTLS
	// Capture is for ListenerCaptureTLS alone.
	Capture *ListenerCapture
}

// ListenerCapture is what is known of captured TLS before it is read.
type ListenerCapture struct {
	// Target is the identity of the listener for the guard.
	Target wire.Target
	// Port is the one that connections were for.
	Port uint16
}

// ListenerTLS is how a listener terminates TLS.
type ListenerTLS struct {
	// Certificates are served by SNI, the first where none fits.
	Certificates []Certificate
	// ClientCA are PEM certificates; a client must present a certificate of
	// one of them. Empty: clients are not authenticated.
	ClientCA []byte
	// ClientCAName is that of their secret resource.
	ClientCAName string
}

// Certificate is a chain and its key, in PEM. It never reaches a log.
type Certificate struct {
	// Name is that of the secret resource.
	Name  string
	Chain []byte
	Key   []byte
}

// RouteTable is the routes of one listener. Exactly one of Fragments and Proxy
// is used, by the listener's kind.
type RouteTable struct {
	Name string
	// Owner is the Gateway.
	Owner Owner
	// Fragments are what each route object adds, sorted by owner.
	Fragments []*Fragment
	Proxy     *ProxyTable
}

// Fragment is what one route object adds to one table.
type Fragment struct {
	Owner Owner
	// Created orders routes that are otherwise equal; zero sorts first.
	Created time.Time
	Rules   []*Rule
}

// Rule is one rule of a route on one listener section.
type Rule struct {
	// Index is the rule's position in its object.
	Index int
	// Hostnames are those of the route that the listener section serves too,
	// in lower case; "*" is any, "*.x" any below x.
	Hostnames []string
	Matches   []Match
	// Forward, Status: one of the two. Status answers by itself.
	Forward *Forward
	Status  int
	// Target is the rule's identity for the guard.
	Target wire.Target
}

// MatchKind says how a value is compared.
type MatchKind string

const (
	MatchExact  MatchKind = "exact"
	MatchPrefix MatchKind = "prefix"
	MatchRegex  MatchKind = "regex"
)

// Match is one way to match a request; all that is given must hold.
type Match struct {
	// Path is compared by PathKind; prefix: by whole segments.
	PathKind MatchKind
	Path     string
	// Method is exact; empty: any.
	Method  string
	Headers []ValueMatch
	Query   []ValueMatch
}

// ValueMatch matches a header or a query parameter.
type ValueMatch struct {
	Name  string
	Kind  MatchKind
	Value string
}

// Forward sends a request on.
type Forward struct {
	Backends []WeightedBackend
	// FailedWeight is the weight of references that do not resolve: that share
	// is answered 500.
	FailedWeight    uint32
	RequestHeaders  *HeaderMod
	ResponseHeaders *HeaderMod
	Rewrite         *Rewrite
	// Timeout bounds the whole request; 0: none.
	Timeout time.Duration
}

// WeightedBackend is one backend of a rule and its share.
type WeightedBackend struct {
	// Backend is the name of a Backend of the graph.
	Backend         string
	Weight          uint32
	RequestHeaders  *HeaderMod
	ResponseHeaders *HeaderMod
	// HostRewrite replaces Host for this backend; empty: as it came.
	HostRewrite string
}

// HeaderMod changes headers. Values are the user's own text, not formats.
type HeaderMod struct {
	Set, Add []Header
	Remove   []string
}

// Header is a name and a value.
type Header struct{ Name, Value string }

// Rewrite changes where a request goes.
type Rewrite struct {
	// Host replaces the host; empty: not.
	Host string
	// Path replaces the full path, or the matched prefix when PathPrefix.
	// SetPath false: not at all.
	SetPath    bool
	PathPrefix bool
	Path       string
}

// BackendKind says how a backend is found.
type BackendKind string

const (
	// BackendEndpoints has addresses from Endpoints of the same name.
	BackendEndpoints BackendKind = "endpoints"
	// BackendName is a host name, resolved by the guarded cache.
	BackendName BackendKind = "name"
	// BackendAddresses is a fixed list, from egress.hosts.
	BackendAddresses BackendKind = "addresses"
)

// Protocol is the HTTP version towards a backend.
type Protocol string

const (
	ProtocolHTTP1 Protocol = "http1"
	ProtocolHTTP2 Protocol = "http2"
	// ProtocolAuto is by ALPN with TLS, HTTP/1.1 without.
	ProtocolAuto Protocol = "auto"
)

// Backend is one destination: one cluster, whoever routes to it.
type Backend struct {
	// Name is that of the cluster.
	Name  string
	Owner Owner
	Kind  BackendKind
	// Hostname and Port are for BackendName.
	Hostname string
	Port     uint16
	// Addresses are for BackendAddresses.
	Addresses []netip.AddrPort
	// Inside lets a BackendName resolve into the operator's ranges too.
	Inside   bool
	Protocol Protocol
	TLS      *BackendTLS
}

// BackendTLS is how a backend is verified.
type BackendTLS struct {
	// ServerName is sent as SNI and must be in the certificate.
	ServerName string
	// SANs replace ServerName in the check when given.
	SANs []string
	// CA are PEM certificates; empty: the system's.
	CA []byte
}

// Endpoints are the addresses of a BackendEndpoints.
type Endpoints struct {
	// Name is the backend's.
	Name  string
	Owner Owner
	// Ready are sorted; empty: requests get 503.
	Ready []netip.AddrPort
}

// ProxyTable is what a listener that leads to anywhere routes by itself.
type ProxyTable struct {
	// Target is the identity of the listener's own routes. Its entry says what
	// kind of listener it is.
	Target wire.Target
	// Port is that of requests whose host names none; 0: 80.
	Port uint16
	// Surfaces are host names and ports that are reachable only as their
	// surface.
	Surfaces []ProxySurface
	// Hosts are the clusters of egress.hosts, names of graph Backends.
	Hosts []string
}

// ProxySurface is one XBackend on a Proxy listener.
type ProxySurface struct {
	Hostname string
	Port     uint16
	Backend  string
	Target   wire.Target
}
