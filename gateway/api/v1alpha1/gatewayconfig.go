package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// GatewayConfig says how a Gateway, or all of a class, is run. A Gateway
// names it in spec.infrastructure.parametersRef, a class in its parametersRef.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:categories=hopgate,shortName=gc
type GatewayConfig struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`
	// +required
	Spec GatewayConfigSpec `json:"spec"`
	// +optional
	Status GatewayConfigStatus `json:"status,omitempty"`
}

// GatewayConfigList is a list of GatewayConfig.
//
// +kubebuilder:object:root=true
type GatewayConfigList struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []GatewayConfig `json:"items"`
}

// GatewayConfigSpec is how a Gateway is run. The zero value is the default.
type GatewayConfigSpec struct {
	// Unmatched is what becomes of a hop on which every level is neutral.
	//
	// +optional
	// +kubebuilder:default=Deny
	// +kubebuilder:validation:Enum=Deny;Allow
	Unmatched Unmatched `json:"unmatched,omitempty"`
	// TrustDomainRefs are the only ones ever believed; two with one audience
	// are refused. Absent, with a file source: the built-in one.
	//
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	TrustDomainRefs []LocalReference `json:"trustDomainRefs,omitempty"`
	// Listeners says what differs by listener.
	//
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=64
	Listeners []ListenerConfig `json:"listeners,omitempty"`
	// +optional
	Egress *EgressConfig `json:"egress,omitempty"`
	// +optional
	Limits *LimitsConfig `json:"limits,omitempty"`
	// +optional
	Streams *StreamsConfig `json:"streams,omitempty"`
	// +optional
	Feed *FeedConfig `json:"feed,omitempty"`
	// +optional
	Denials *DenialsConfig `json:"denials,omitempty"`
}

// Unmatched is the verdict where no level has a say.
type Unmatched string

const (
	UnmatchedDeny  Unmatched = "Deny"
	UnmatchedAllow Unmatched = "Allow"
)

// LocalReference names an object of a known kind in the same namespace.
type LocalReference struct {
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
}

// ListenerConfig is what differs on one listener.
type ListenerConfig struct {
	// Name is the listener's.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// TrustDomainRefs replace those of the Gateway. Empty but present: tokens
	// are stripped, hops have none.
	//
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	TrustDomainRefs *[]LocalReference `json:"trustDomainRefs,omitempty"`
	// CapturedPort is the port that connections were for before they were
	// redirected to a capture listener, which names none. Absent: 443 for
	// CaptureTLS, 80 for CaptureHTTP.
	//
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	CapturedPort *int32 `json:"capturedPort,omitempty"`
}

// EgressConfig is what a Proxy listener can reach beyond public addresses.
type EgressConfig struct {
	// Resolvers are upstream DNS servers, ADDRESS:PORT. Absent: the system's.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MaxLength=64
	Resolvers []string `json:"resolvers,omitempty"`
	// Hosts are answered by the gateway itself: exactly this name, these
	// addresses and these ports are opened.
	//
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=256
	Hosts []EgressHost `json:"hosts,omitempty"`
	// InsideRanges are CIDRs open besides public space. Loopback, link-local,
	// metadata addresses and our own listeners never open.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=64
	InsideRanges []string `json:"insideRanges,omitempty"`
	// EncryptedClientHello says what becomes of TLS in a tunnel that is not
	// inspected and may hide its name: Refuse (the default) or Allow. Browsers
	// send what cannot be told from a hidden name, also where they hide none.
	//
	// +optional
	// +kubebuilder:validation:Enum=Refuse;Allow
	EncryptedClientHello EncryptedClientHello `json:"encryptedClientHello,omitempty"`
	// DNS has the gateway answer workloads that ask for names. Absent: it
	// answers none.
	//
	// +optional
	DNS *DNSConfig `json:"dns,omitempty"`
}

// EgressHost is one name that the gateway answers itself.
type EgressHost struct {
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=45
	Addresses []string `json:"addresses"`
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:Minimum=1
	// +kubebuilder:validation:items:Maximum=65535
	Ports []int32 `json:"ports"`
}

// LimitsConfig are the sizes of what the gateway reads.
type LimitsConfig struct {
	// +optional
	BodyBytes *BodyLimits `json:"bodyBytes,omitempty"`
}

// BodyLimits are the largest request bodies that are read, by surface. A
// larger one is denied.
type BodyLimits struct {
	// Tools defaults to 1Mi, at most 64Mi.
	//
	// +optional
	Tools *resource.Quantity `json:"tools,omitempty"`
	// Agents defaults to 1Mi, at most 64Mi.
	//
	// +optional
	Agents *resource.Quantity `json:"agents,omitempty"`
	// Models defaults to 16Mi, at most 64Mi.
	//
	// +optional
	Models *resource.Quantity `json:"models,omitempty"`
}

// StreamsConfig is how streams are held.
type StreamsConfig struct {
	// UnleashedMax is the longest deadline with which a hop goes without a
	// hold. Default 0s: never.
	//
	// +optional
	// +kubebuilder:default="0s"
	UnleashedMax *gatewayv1.Duration `json:"unleashedMax,omitempty"`
	// MinRemaining is the least life a token must have left.
	//
	// +optional
	// +kubebuilder:default="2s"
	MinRemaining *gatewayv1.Duration `json:"minRemaining,omitempty"`
}

// FeedConfig is how old policy may be.
type FeedConfig struct {
	// +optional
	// +kubebuilder:default="10m"
	MaxAge *gatewayv1.Duration `json:"maxAge,omitempty"`
	// OnStale is Deny or Report.
	//
	// +optional
	// +kubebuilder:validation:Enum=Deny;Report
	OnStale string `json:"onStale,omitempty"`
}

// DenialsConfig is what a denial tells.
type DenialsConfig struct {
	// Detail is Full (the rule, to a verified caller) or Code.
	//
	// +optional
	// +kubebuilder:default=Full
	// +kubebuilder:validation:Enum=Full;Code
	Detail DenialDetail `json:"detail,omitempty"`
}

// DenialDetail says how much a denial tells.
type DenialDetail string

const (
	DetailFull DenialDetail = "Full"
	DetailCode DenialDetail = "Code"
)

// GatewayConfigStatus is what became of a GatewayConfig.
type GatewayConfigStatus struct {
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}
