package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// AccessPolicy says who, in which transaction, may do what, where, when and
// for how long. It attaches to a Gateway (or one listener), a route (or one
// rule) or a backend.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:categories=hopgate,shortName=ap
// +kubebuilder:metadata:labels="gateway.networking.k8s.io/policy=Inherited"
// +kubebuilder:printcolumn:name="Mode",type=string,JSONPath=`.spec.mode`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type AccessPolicy struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`
	// +required
	Spec AccessPolicySpec `json:"spec"`
	// +optional
	Status gatewayv1.PolicyStatus `json:"status,omitempty"`
}

// AccessPolicyList is a list of AccessPolicy.
//
// +kubebuilder:object:root=true
type AccessPolicyList struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []AccessPolicy `json:"items"`
}

// AccessPolicySpec is what an AccessPolicy wants.
type AccessPolicySpec struct {
	// TargetRefs are the objects this policy guards, in its own namespace:
	// Gateway (sectionName: a listener), HTTPRoute (sectionName: a rule),
	// XBackend or Service. Needed, except with a file source and no Gateway
	// of one's own: then the built-in one is meant.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	TargetRefs []gatewayv1.LocalPolicyTargetReferenceWithSectionName `json:"targetRefs,omitempty"`

	// Mode is Enforce, or Report: evaluated and recorded, never enforced and
	// never counted.
	//
	// +optional
	// +kubebuilder:default=Enforce
	// +kubebuilder:validation:Enum=Enforce;Report
	Mode PolicyMode `json:"mode,omitempty"`

	// Rules join: any Deny that matches, then any Ask without an Approval,
	// then any Allow, else deny. A policy without rules denies.
	//
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=256
	Rules []AccessRule `json:"rules,omitempty"`
}

// PolicyMode says whether a policy counts.
type PolicyMode string

const (
	ModeEnforce PolicyMode = "Enforce"
	ModeReport  PolicyMode = "Report"
)

// AccessRule is one rule. Every field given must hold; lists are alternatives.
//
// +kubebuilder:validation:XValidation:rule="!has(self.transaction) || !has(self.transaction.type) || self.transaction.type != 'None' || (has(self.from) && has(self.from.peers) && size(self.from.peers) > 0)",message="transaction type None needs from.peers: without a token the connection must say who it is"
// +kubebuilder:validation:XValidation:rule="self.action == 'Allow' || !has(self.with) || (!has(self.with.stream) && !has(self.with.tls) && !has(self.with.forwardToken) && !has(self.with.limits))",message="with: stream, tls, forwardToken and limits are duties of an Allow"
type AccessRule struct {
	// Name is unique in the policy; denials and records carry it.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`

	// From is who calls. Absent: anyone (with the transaction asked for).
	//
	// +optional
	From *RuleFrom `json:"from,omitempty"`

	// Transaction is the transaction a caller must be in. Absent: any verified
	// one of a trust domain that the Gateway believes.
	//
	// +optional
	Transaction *RuleTransaction `json:"transaction,omitempty"`

	// To is what may be done, on exactly one surface.
	//
	// +required
	To RuleTo `json:"to"`

	// When are CEL expressions that must all be true. They see args, tool,
	// model, host, port, path, method, subject, agent, peer, scopes, tctx and
	// txn; no clock, no I/O.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=2048
	When []string `json:"when,omitempty"`

	// Action is Allow, Deny, or Ask: a person must approve.
	//
	// +required
	// +kubebuilder:validation:Enum=Allow;Deny;Ask
	Action RuleAction `json:"action"`

	// With are duties that come with an Allow; over all matching Allows the
	// strictest of each holds. On a Deny or Ask only denyAs and audit.
	//
	// +optional
	With *RuleDuties `json:"with,omitempty"`
}

// RuleAction is what a matching rule says.
type RuleAction string

const (
	ActionAllow RuleAction = "Allow"
	ActionDeny  RuleAction = "Deny"
	ActionAsk   RuleAction = "Ask"
)

// RuleFrom says who calls.
type RuleFrom struct {
	// Peers are workloads that opened the connection, authenticated by it.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Peers []PeerMatch `json:"peers,omitempty"`

	// Agents are actors of the hop, from the token alone.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Agents []AgentMatch `json:"agents,omitempty"`

	// Subjects are globs over the token's sub.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=512
	Subjects []string `json:"subjects,omitempty"`
}

// PeerMatch matches the authenticated peer of a connection.
//
// +kubebuilder:validation:XValidation:rule="self.type != 'SPIFFE' || has(self.spiffe)",message="type SPIFFE needs spiffe"
// +kubebuilder:validation:XValidation:rule="self.type != 'ServiceAccount' || has(self.serviceAccount)",message="type ServiceAccount needs serviceAccount"
type PeerMatch struct {
	// +required
	// +kubebuilder:validation:Enum=SPIFFE;ServiceAccount
	Type PeerType `json:"type"`

	// SPIFFE is a glob over the peer's SPIFFE ID; * stays within a segment.
	//
	// +optional
	// +kubebuilder:validation:Pattern=`^spiffe://[^/?#\s]+(/[^?#\s]*)?$`
	// +kubebuilder:validation:MaxLength=2048
	SPIFFE string `json:"spiffe,omitempty"`

	// +optional
	ServiceAccount *ServiceAccountMatch `json:"serviceAccount,omitempty"`
}

// PeerType says how a peer is named.
type PeerType string

const (
	PeerSPIFFE         PeerType = "SPIFFE"
	PeerServiceAccount PeerType = "ServiceAccount"
)

// ServiceAccountMatch names a ServiceAccount, by the SPIFFE form
// spiffe://DOMAIN/ns/NAMESPACE/sa/NAME.
type ServiceAccountMatch struct {
	// Namespace is that of the policy unless given.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
}

// AgentMatch matches the agent of a hop.
type AgentMatch struct {
	// Name is a glob over the agent's name in the token.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Name string `json:"name"`
}

// RuleTransaction is what a rule asks of the transaction.
type RuleTransaction struct {
	// Type is Required (a verified Txn-Token) or None (no token needed, and
	// then from.peers is a must).
	//
	// +optional
	// +kubebuilder:default=Required
	// +kubebuilder:validation:Enum=Required;None
	Type TransactionType `json:"type,omitempty"`

	// TrustDomain is the name of a TrustDomain among those that the Gateway
	// believes. Empty: any of them.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=253
	TrustDomain string `json:"trustDomain,omitempty"`

	// Scopes must all be in the token's scope.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=256
	Scopes []string `json:"scopes,omitempty"`

	// Context are values that the token's tctx must hold.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Context []ContextMatch `json:"context,omitempty"`
}

// TransactionType says whether a rule needs a token.
type TransactionType string

const (
	TransactionRequired TransactionType = "Required"
	TransactionNone     TransactionType = "None"
)

// ContextMatch matches one value of tctx.
type ContextMatch struct {
	// Path is a member name, or names joined by dots.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Path string `json:"path"`
	// Values are the accepted values, compared as strings; numbers and
	// booleans by their JSON text.
	//
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Values []string `json:"values"`
}

// RuleTo is exactly one surface and what may be done on it.
//
// +kubebuilder:validation:XValidation:rule="(self.type == 'Tools') == has(self.tools)",message="tools is needed with type Tools, and only then"
// +kubebuilder:validation:XValidation:rule="(self.type == 'Agents') == has(self.agents)",message="agents is needed with type Agents, and only then"
// +kubebuilder:validation:XValidation:rule="(self.type == 'Models') == has(self.models)",message="models is needed with type Models, and only then"
// +kubebuilder:validation:XValidation:rule="(self.type == 'HTTP') == has(self.http)",message="http is needed with type HTTP, and only then"
// +kubebuilder:validation:XValidation:rule="(self.type == 'Hosts') == has(self.hosts)",message="hosts is needed with type Hosts, and only then"
// +kubebuilder:validation:XValidation:rule="(self.type == 'Packages') == has(self.packages)",message="packages is needed with type Packages, and only then"
type RuleTo struct {
	// +required
	// +kubebuilder:validation:Enum=Tools;Agents;Models;HTTP;Hosts;Packages
	Type SurfaceType `json:"type"`

	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Tools []ToolMatch `json:"tools,omitempty"`
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Agents []AgentCallMatch `json:"agents,omitempty"`
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Models []ModelMatch `json:"models,omitempty"`
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	HTTP []HTTPMatch `json:"http,omitempty"`
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Hosts []HostMatch `json:"hosts,omitempty"`
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Packages []PackageMatch `json:"packages,omitempty"`
}

// SurfaceType names what a hop does, in its protocol's terms.
type SurfaceType string

const (
	SurfaceTools    SurfaceType = "Tools"
	SurfaceAgents   SurfaceType = "Agents"
	SurfaceModels   SurfaceType = "Models"
	SurfaceHTTP     SurfaceType = "HTTP"
	SurfaceHosts    SurfaceType = "Hosts"
	SurfacePackages SurfaceType = "Packages"
)

// BackendReference names one backend object. A backend is a reference, not a
// name: another namespace's object of the same name is another backend.
type BackendReference struct {
	// Kind is XBackend or Service. Empty: XBackend if there is one of that
	// name, else Service.
	//
	// +optional
	// +kubebuilder:validation:Enum=XBackend;Service
	Kind string `json:"kind,omitempty"`
	// Namespace is that of the policy unless given; another one needs a
	// ReferenceGrant there.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
}

// ToolMatch matches MCP requests.
type ToolMatch struct {
	// Servers are the backends; absent: any MCP backend that the policy's
	// target reaches.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Servers []BackendReference `json:"servers,omitempty"`
	// Methods are JSON-RPC methods; absent: tools/call.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=128
	Methods []string `json:"methods,omitempty"`
	// Names are globs over tool or prompt names or resource URIs, by method.
	// Absent: any.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=512
	Names []string `json:"names,omitempty"`
	// Arguments must all hold. On an Allow each element of an array must
	// match; on a Deny or Ask one element is enough, and an argument that is
	// missing or of another type counts as a match: a call that cannot be
	// judged is not let through.
	//
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	Arguments []ArgumentMatch `json:"arguments,omitempty"`
	// OtherArguments is Deny (the default when arguments is given) or Allow:
	// what an Allow rule says of arguments it does not list.
	//
	// +optional
	// +kubebuilder:validation:Enum=Deny;Allow
	OtherArguments OtherArguments `json:"otherArguments,omitempty"`
}

// OtherArguments says what becomes of arguments that a rule does not list.
type OtherArguments string

const (
	OtherArgumentsDeny  OtherArguments = "Deny"
	OtherArgumentsAllow OtherArguments = "Allow"
)

// ArgumentMatch matches one member of a call's arguments.
//
// +kubebuilder:validation:XValidation:rule="!(self.type in ['Exact','Glob']) || (has(self.values) && size(self.values) > 0)",message="types Exact and Glob need values"
// +kubebuilder:validation:XValidation:rule="self.type != 'Range' || has(self.minimum) || has(self.maximum)",message="type Range needs minimum or maximum"
// +kubebuilder:validation:XValidation:rule="self.type in ['Exact','Glob'] || !has(self.values)",message="values goes with types Exact and Glob"
// +kubebuilder:validation:XValidation:rule="self.type == 'Range' || (!has(self.minimum) && !has(self.maximum))",message="minimum and maximum go with type Range"
type ArgumentMatch struct {
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Name string `json:"name"`
	// Type is Exact (strings, numbers and booleans by their JSON text), Glob
	// (strings), Range (numbers), Present (any value but null) or Absent.
	//
	// +required
	// +kubebuilder:validation:Enum=Exact;Glob;Range;Present;Absent
	Type ArgumentType `json:"type"`
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=256
	Values []string `json:"values,omitempty"`
	// +optional
	Minimum *int64 `json:"minimum,omitempty"`
	// +optional
	Maximum *int64 `json:"maximum,omitempty"`
}

// ArgumentType says how an argument is compared.
type ArgumentType string

const (
	ArgumentExact   ArgumentType = "Exact"
	ArgumentGlob    ArgumentType = "Glob"
	ArgumentRange   ArgumentType = "Range"
	ArgumentPresent ArgumentType = "Present"
	ArgumentAbsent  ArgumentType = "Absent"
)

// AgentCallMatch matches A2A requests.
type AgentCallMatch struct {
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Agents []BackendReference `json:"agents,omitempty"`
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	Methods []string `json:"methods,omitempty"`
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	Skills []string `json:"skills,omitempty"`
}

// ModelMatch matches calls to models.
type ModelMatch struct {
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Providers []BackendReference `json:"providers,omitempty"`
	// Names are globs over model names. Absent: any.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=256
	Names []string `json:"names,omitempty"`
	// Operations are chat, completion, embedding, response, image, audio,
	// moderation, list. Absent: chat, completion, response.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=64
	Operations []string `json:"operations,omitempty"`
}

// HTTPMatch matches plain or inspected HTTP requests.
type HTTPMatch struct {
	// Hosts are globs over host names; absent: any. *.example.com is one label
	// and not the apex, **.example.com one or more.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	Hosts []string `json:"hosts,omitempty"`
	// Ports are the destination's; absent: 80, inspected 443. On a route,
	// absent is any: the route has chosen the backend's.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:Minimum=1
	// +kubebuilder:validation:items:Maximum=65535
	Ports []int32 `json:"ports,omitempty"`
	// Methods are exact; HEAD is not implied by GET. Absent: any.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:Pattern=`^[A-Z]{1,32}$`
	Methods []string `json:"methods,omitempty"`
	// Paths are globs over the path without its query; * stays within a
	// segment, ** crosses. Absent: any.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:Pattern=`^(/|\*$)`
	// +kubebuilder:validation:items:MaxLength=1024
	Paths []string `json:"paths,omitempty"`
}

// HostMatch matches CONNECT and TLS destinations.
type HostMatch struct {
	// Names are host globs, strict IPv4 addresses, IPv6 addresses, or CIDR
	// ranges of either.
	//
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	Names []string `json:"names"`
	// Ports default to 443.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:Minimum=1
	// +kubebuilder:validation:items:Maximum=65535
	Ports []int32 `json:"ports,omitempty"`
}

// PackageMatch matches requests to package registries.
type PackageMatch struct {
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Registry string `json:"registry"`
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=256
	Names []string `json:"names,omitempty"`
	// +optional
	MinimumAge *gatewayv1.Duration `json:"minimumAge,omitempty"`
	// +optional
	DigestOnly bool `json:"digestOnly,omitempty"`
}

// RuleDuties are what comes with an Allow.
type RuleDuties struct {
	// +optional
	Stream *StreamDuty `json:"stream,omitempty"`
	// TLS is Inspect, Passthrough or Opaque; strictest first. Opaque (not TLS
	// at all) needs every matching Allow to say so.
	//
	// +optional
	// +kubebuilder:validation:Enum=Inspect;Passthrough;Opaque
	TLS TLSDuty `json:"tls,omitempty"`
	// ForwardToken is Strip (the default), Exchange or Forward.
	//
	// +optional
	// +kubebuilder:validation:Enum=Strip;Exchange;Forward
	ForwardToken ForwardToken `json:"forwardToken,omitempty"`
	// Audit is Durable (on disk before the answer) or Buffered (the default).
	//
	// +optional
	// +kubebuilder:validation:Enum=Durable;Buffered
	Audit AuditDuty `json:"audit,omitempty"`
	// DenyAs is Error (the default) or Result: an MCP result with isError, for
	// the model to read. On an Allow it says how what this rule's server
	// refuses to its callers is told.
	//
	// +optional
	// +kubebuilder:validation:Enum=Error;Result
	DenyAs DenyAs `json:"denyAs,omitempty"`
	// +optional
	Limits *LimitDuty `json:"limits,omitempty"`
}

// StreamDuty bounds how long a stream lives.
type StreamDuty struct {
	// Lifetime is TokenExpiry, Renewable or Max; strictest first. Absent:
	// TokenExpiry, for Models Max 10m.
	//
	// +optional
	// +kubebuilder:validation:Enum=TokenExpiry;Renewable;Max
	Lifetime StreamLifetime `json:"lifetime,omitempty"`
	// Max is a bound over any lifetime, and the life itself for Max.
	//
	// +optional
	Max *gatewayv1.Duration `json:"max,omitempty"`
}

// StreamLifetime says when a stream ends by itself.
type StreamLifetime string

const (
	LifetimeTokenExpiry StreamLifetime = "TokenExpiry"
	LifetimeRenewable   StreamLifetime = "Renewable"
	LifetimeMax         StreamLifetime = "Max"
)

// TLSDuty says what is done with TLS.
type TLSDuty string

const (
	TLSInspect     TLSDuty = "Inspect"
	TLSPassthrough TLSDuty = "Passthrough"
	TLSOpaque      TLSDuty = "Opaque"
)

// ForwardToken says which token a backend is handed.
type ForwardToken string

const (
	ForwardTokenStrip    ForwardToken = "Strip"
	ForwardTokenExchange ForwardToken = "Exchange"
	ForwardTokenForward  ForwardToken = "Forward"
)

// AuditDuty says how sure a record must be before the answer.
type AuditDuty string

const (
	AuditDurable  AuditDuty = "Durable"
	AuditBuffered AuditDuty = "Buffered"
)

// DenyAs says how a denial is told to an MCP client.
type DenyAs string

const (
	DenyAsError  DenyAs = "Error"
	DenyAsResult DenyAs = "Result"
)

// LimitDuty are limits that a request must state or keep.
type LimitDuty struct {
	// OutputTokens is the most that a model call may ask for; a request that
	// names no limit of its own is denied.
	//
	// +optional
	// +kubebuilder:validation:Minimum=1
	OutputTokens *int64 `json:"outputTokens,omitempty"`
	// RequestBytes is the most that a request body may have; a request whose
	// length is not known is denied.
	//
	// +optional
	// +kubebuilder:validation:Minimum=0
	RequestBytes *int64 `json:"requestBytes,omitempty"`
}
