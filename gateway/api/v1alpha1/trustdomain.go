package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// TrustDomain says whose Txn-Tokens are believed.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:categories=hopgate,shortName=td
// +kubebuilder:printcolumn:name="Audience",type=string,JSONPath=`.spec.audience`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type TrustDomain struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`
	// +required
	Spec TrustDomainSpec `json:"spec"`
	// +optional
	Status TrustDomainStatus `json:"status,omitempty"`
}

// TrustDomainList is a list of TrustDomain.
//
// +kubebuilder:object:root=true
type TrustDomainList struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []TrustDomain `json:"items"`
}

// TrustDomainSpec is what a token must be to be believed.
type TrustDomainSpec struct {
	// Audience must equal the token's aud, to the byte.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Audience string `json:"audience"`
	// Issuer must equal the token's iss when given.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Issuer string `json:"issuer,omitempty"`
	// +required
	KeySet KeySet `json:"keySet"`
	// Algorithms that are accepted; a key decides, the token only agrees.
	//
	// +optional
	// +listType=set
	// +kubebuilder:default={EdDSA,ES256}
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:Enum=EdDSA;ES256;ES384;RS256;PS256
	Algorithms []string `json:"algorithms,omitempty"`
	// MaxLifetime is the longest exp - iat of one token.
	//
	// +optional
	// +kubebuilder:default="15m"
	MaxLifetime *gatewayv1.Duration `json:"maxLifetime,omitempty"`
	// MaxTransactionLifetime bounds a transaction over all replacements of
	// its token, from the first iat seen.
	//
	// +optional
	// +kubebuilder:default="1h"
	MaxTransactionLifetime *gatewayv1.Duration `json:"maxTransactionLifetime,omitempty"`
	// Leeway is how far clocks may differ; at most 60s.
	//
	// +optional
	// +kubebuilder:default="5s"
	Leeway *gatewayv1.Duration `json:"leeway,omitempty"`
	// Binding is None, Peer (the connection's identity must be the token's
	// req_wl, its outermost actor, or the certificate in its cnf) or Proof.
	// Absent: Peer where the listener authenticates peers, else None.
	//
	// +optional
	// +kubebuilder:validation:Enum=None;Peer;Proof
	Binding TokenBinding `json:"binding,omitempty"`
	// AgentProfile says where the agent is named: Actor (RFC 8693 act, the
	// outermost) or AgenticContext (agentic_ctx.current_actor).
	//
	// +optional
	// +kubebuilder:default=Actor
	// +kubebuilder:validation:Enum=Actor;AgenticContext
	AgentProfile AgentProfile `json:"agentProfile,omitempty"`
}

// KeySet is where the keys of a TrustDomain come from.
//
// +kubebuilder:validation:XValidation:rule="self.type != 'Inline' || has(self.inline)",message="type Inline needs inline"
// +kubebuilder:validation:XValidation:rule="self.type != 'URL' || has(self.url)",message="type URL needs url"
// +kubebuilder:validation:XValidation:rule="self.type != 'File' || has(self.file)",message="type File needs file"
// +kubebuilder:validation:XValidation:rule="!(self.type in ['ConfigMap','Secret']) || has(self.object)",message="types ConfigMap and Secret need object"
type KeySet struct {
	// Type is Inline, ConfigMap, Secret, URL, or File (file source only).
	//
	// +required
	// +kubebuilder:validation:Enum=Inline;ConfigMap;Secret;URL;File
	Type KeySetType `json:"type"`
	// Inline is a JWK Set (RFC 7517 section 5).
	//
	// +optional
	// +kubebuilder:validation:MaxLength=524288
	Inline string `json:"inline,omitempty"`
	// Object names the ConfigMap or Secret, in the TrustDomain's namespace.
	//
	// +optional
	Object *KeySetObject `json:"object,omitempty"`
	// URL of a JWK Set; https, or http to loopback.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	URL string `json:"url,omitempty"`
	// File is a path, relative to the file that holds this object.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=4096
	File string `json:"file,omitempty"`
	// MaxStale is how long the last good keys serve when the source is gone.
	//
	// +optional
	// +kubebuilder:default="1h"
	MaxStale *gatewayv1.Duration `json:"maxStale,omitempty"`
}

// KeySetObject is one entry of a ConfigMap or Secret.
type KeySetObject struct {
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// +optional
	// +kubebuilder:default=jwks.json
	// +kubebuilder:validation:MaxLength=253
	Key string `json:"key,omitempty"`
}

// KeySetType says where keys come from.
type KeySetType string

const (
	KeySetInline    KeySetType = "Inline"
	KeySetConfigMap KeySetType = "ConfigMap"
	KeySetSecret    KeySetType = "Secret"
	KeySetURL       KeySetType = "URL"
	KeySetFile      KeySetType = "File"
)

// TokenBinding says to whom a token is bound.
type TokenBinding string

const (
	BindingNone  TokenBinding = "None"
	BindingPeer  TokenBinding = "Peer"
	BindingProof TokenBinding = "Proof"
)

// AgentProfile says where a token names the agent.
type AgentProfile string

const (
	AgentProfileActor          AgentProfile = "Actor"
	AgentProfileAgenticContext AgentProfile = "AgenticContext"
)

// TrustDomainStatus is what became of a TrustDomain.
type TrustDomainStatus struct {
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}
