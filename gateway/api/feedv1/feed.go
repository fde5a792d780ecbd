// Package feedv1 is what the controller tells the guards: our own objects,
// resolved for the Gateways that a guard serves. Plain data, JSON in and out;
// it is replaced as a whole and never changed once it was handed over.
package feedv1

import (
	"net/netip"
	"time"

	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

// Snapshot is everything a guard decides by. Lists are sorted by key.
type Snapshot struct {
	// Revision is a hash of the content.
	Revision     string        `json:"revision"`
	Gateways     []Gateway     `json:"gateways,omitempty"`
	TrustDomains []TrustDomain `json:"trustDomains,omitempty"`
	Policies     []Policy      `json:"policies,omitempty"`
	Credentials  []Credential  `json:"credentials,omitempty"`
	Quarantines  []Quarantine  `json:"quarantines,omitempty"`
	// Registries are XBackends that are package registries.
	Registries []Registry `json:"registries,omitempty"`
	// Names are the host names of backends, which Envoy resolves by itself.
	Names []string `json:"names,omitempty"`
}

// Key names an object of a kind that is known from the place it stands in.
type Key struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

func (k Key) String() string { return k.Namespace + "/" + k.Name }

// Gateway is one Gateway and how it is run. All defaults are filled in.
type Gateway struct {
	Key        Key                `json:"key"`
	Unmatched  v1alpha1.Unmatched `json:"unmatched"`
	Listeners  []Listener         `json:"listeners"`
	Egress     Egress             `json:"egress"`
	MinRemain  time.Duration      `json:"minRemaining"`
	Unleashed  time.Duration      `json:"unleashedMax"`
	FeedMaxAge time.Duration      `json:"feedMaxAge"`
	OnStale    string             `json:"onStale"`
	// Detail is what denials tell.
	Detail v1alpha1.DenialDetail `json:"detail"`
}

// Listener is one listener of a Gateway.
type Listener struct {
	Name string `json:"name"`
	// Protocol is that of the Gateway listener.
	Protocol string `json:"protocol"`
	// Address and Port are what it listens on.
	Address netip.Addr `json:"address"`
	Port    uint16     `json:"port"`
	// TrustDomains are the only ones believed here; none: tokens are
	// stripped, hops have none.
	TrustDomains []Key `json:"trustDomains,omitempty"`
	// Peers is true when connections are authenticated (mTLS).
	Peers bool `json:"peers,omitempty"`
	// CapturedPort is the port that what is captured was for; 0: it is no
	// listener that captures.
	CapturedPort uint16 `json:"capturedPort,omitempty"`
}

// Egress is what a Proxy listener may reach beyond public space, and what of
// it has a surface of its own.
type Egress struct {
	// Resolvers are upstream DNS servers; none: the system's.
	Resolvers    []netip.AddrPort `json:"resolvers,omitempty"`
	Hosts        []Host           `json:"hosts,omitempty"`
	InsideRanges []netip.Prefix   `json:"insideRanges,omitempty"`
	// ECH: TLS may pass that may hide its name.
	ECH bool `json:"ech,omitempty"`
	// DNS answers workloads; nil: nobody is.
	DNS *DNS `json:"dns,omitempty"`
	// Backends are XBackends by host name and port: such a destination is
	// reachable only as that surface.
	Backends []Backend `json:"backends,omitempty"`
}

// Host is a name that the gateway answers itself.
type Host struct {
	Name      string       `json:"name"`
	Addresses []netip.Addr `json:"addresses"`
	Ports     []uint16     `json:"ports"`
	// Clusters are the Envoy clusters that dial it, one a port, in the order
	// of Ports.
	Clusters []string `json:"clusters"`
}

// Backend is an XBackend as a destination of its own.
type Backend struct {
	// Ref is KIND/NAMESPACE/NAME.
	Ref      string               `json:"ref"`
	Hostname string               `json:"hostname"`
	Port     uint16               `json:"port"`
	Surface  v1alpha1.SurfaceType `json:"surface"`
	TLS      bool                 `json:"tls,omitempty"`
	// Mode is the wire.Mode that dials it; Cluster its Envoy cluster.
	Mode    string `json:"mode"`
	Cluster string `json:"cluster"`
	// Inspectable: a tunnel to it whose TLS is inspected reaches it as its
	// surface too, and verifies it as it is to be verified.
	Inspectable bool `json:"inspectable,omitempty"`
	// Provider is the dialect of a Models surface, the protocol of Packages.
	Provider string `json:"provider,omitempty"`
	// Rejected is why the XBackend was not accepted; then nothing reaches the
	// destination, and Surface, Mode and Cluster are not known. Port 0 is every
	// port then.
	Rejected string `json:"rejected,omitempty"`
}

// TrustDomain is one TrustDomain with its keys, or where to fetch them.
type TrustDomain struct {
	Key          Key                   `json:"key"`
	Audience     string                `json:"audience"`
	Issuer       string                `json:"issuer,omitempty"`
	Algorithms   []string              `json:"algorithms"`
	MaxLifetime  time.Duration         `json:"maxLifetime"`
	MaxTxn       time.Duration         `json:"maxTransactionLifetime"`
	Leeway       time.Duration         `json:"leeway"`
	Binding      v1alpha1.TokenBinding `json:"binding,omitempty"`
	AgentProfile v1alpha1.AgentProfile `json:"agentProfile"`
	KeySet       KeySet                `json:"keySet"`
}

// KeySet is a JWK Set, or where it is. Exactly one of the fields is set.
type KeySet struct {
	JWKS []byte `json:"jwks,omitempty"`
	URL  string `json:"url,omitempty"`
	// File is an absolute path.
	File     string        `json:"file,omitempty"`
	MaxStale time.Duration `json:"maxStale,omitempty"`
}

// Policy is one AccessPolicy, attached. References to backends in its rules
// are complete (kind, namespace, name); those not permitted are gone, with
// the entries and rules that had nothing else.
type Policy struct {
	Key     Key                   `json:"key"`
	Targets []PolicyTarget        `json:"targets"`
	Mode    v1alpha1.PolicyMode   `json:"mode"`
	Rules   []v1alpha1.AccessRule `json:"rules,omitempty"`
	// Rejected is why the policy was not accepted; then it denies whatever
	// its targets see, in either mode.
	Rejected string `json:"rejected,omitempty"`
}

// PolicyTarget is one thing that a policy guards.
type PolicyTarget struct {
	// Kind is Gateway, HTTPRoute, XBackend or Service.
	Kind string `json:"kind"`
	Key  Key    `json:"key"`
	// Section is a listener of a Gateway, a rule of a route; empty: all.
	Section string `json:"section,omitempty"`
}

// Credential is a secret for one backend; the secret itself is not in it.
type Credential struct {
	Key Key `json:"key"`
	// Backend is KIND/NAMESPACE/NAME.
	Backend string `json:"backend"`
	// Header is in lower case.
	Header string `json:"header"`
	Prefix string `json:"prefix,omitempty"`
	// Environment is a variable of the guard, File an absolute path: one of
	// the two.
	Environment string `json:"environment,omitempty"`
	File        string `json:"file,omitempty"`
	// Rejected is why the Credential was not accepted; then hops to the backend
	// are denied, and it has no secret.
	Rejected string `json:"rejected,omitempty"`
}

// QuarantineEveryone is the type of a Quarantine of which nobody knows whom it
// names. It has no value.
const QuarantineEveryone v1alpha1.QuarantineType = "Everyone"

// Quarantine is something that is cut off until a time.
type Quarantine struct {
	Name string                  `json:"name"`
	Type v1alpha1.QuarantineType `json:"type"`
	// Domain is zero for a peer and for everyone; for every other type that is
	// each trust domain of the feed.
	Domain Key    `json:"domain,omitzero"`
	Value  string `json:"value"`
	// Except are places that stay open.
	Except []Place   `json:"except,omitempty"`
	Until  time.Time `json:"until"`
	Reason string    `json:"reason,omitempty"`
}

// Place is a backend, KIND/NAMESPACE/NAME, or a glob of host names.
type Place struct {
	Backend string `json:"backend,omitempty"`
	Host    string `json:"host,omitempty"`
}
