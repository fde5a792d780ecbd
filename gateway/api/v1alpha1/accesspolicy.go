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
	// Peers are workloads that opened the connection, authenticated by it, or
	// on a listener of captured connections by where it came from.
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

// PeerMatch matches the peer of a connection.
//
// +kubebuilder:validation:XValidation:rule="self.type != 'SPIFFE' || has(self.spiffe)",message="type SPIFFE needs spiffe"
// +kubebuilder:validation:XValidation:rule="self.type != 'ServiceAccount' || has(self.serviceAccount)",message="type ServiceAccount needs serviceAccount"
// +kubebuilder:validation:XValidation:rule="self.type != 'Address' || has(self.address)",message="type Address needs address"
type PeerMatch struct {
	// +required
	// +kubebuilder:validation:Enum=SPIFFE;ServiceAccount;Address
	Type PeerType `json:"type"`

	// SPIFFE is a glob over the peer's SPIFFE ID; * stays within a segment.
	//
	// +optional
	// +kubebuilder:validation:Pattern=`^spiffe://[^/?#\s]+(/[^?#\s]*)?$`
	// +kubebuilder:validation:MaxLength=2048
	SPIFFE string `json:"spiffe,omitempty"`

	// +optional
	ServiceAccount *ServiceAccountMatch `json:"serviceAccount,omitempty"`

	// Address is the address, or a range of addresses, that the connection
	// came from, as the gateway saw it. It is known on listeners of captured
	// connections alone, and says who it is only where no workload can take
	// the address of another one.
	//
	// +optional
	// +kubebuilder:validation:MinLength=2
	// +kubebuilder:validation:MaxLength=64
	Address string `json:"address,omitempty"`
}

// PeerType says how a peer is named.
type PeerType string

const (
	PeerSPIFFE         PeerType = "SPIFFE"
	PeerServiceAccount PeerType = "ServiceAccount"
	PeerAddress        PeerType = "Address"
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
