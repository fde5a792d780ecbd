package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Quarantine cuts something off now, except towards named places, until a
// stated time: new hops are denied, running ones are ended.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,categories=hopgate,shortName=quar
// +kubebuilder:printcolumn:name="Type",type=string,JSONPath=`.spec.target.type`
// +kubebuilder:printcolumn:name="Value",type=string,JSONPath=`.spec.target.value`
// +kubebuilder:printcolumn:name="Until",type=date,JSONPath=`.spec.until`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type Quarantine struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`
	// +required
	Spec QuarantineSpec `json:"spec"`
	// +optional
	Status QuarantineStatus `json:"status,omitempty"`
}

// QuarantineList is a list of Quarantine.
//
// +kubebuilder:object:root=true
type QuarantineList struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Quarantine `json:"items"`
}

// QuarantineSpec is what is cut off, and until when.
type QuarantineSpec struct {
	// +required
	Target QuarantineTarget `json:"target"`
	// Until is when it is over.
	//
	// +required
	Until metav1.Time `json:"until"`
	// Except are places that stay open.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	Except []QuarantinePlace `json:"except,omitempty"`
	// Reason is for people; it is recorded.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Reason string `json:"reason,omitempty"`
}

// QuarantineTarget is what is cut off.
//
// +kubebuilder:validation:XValidation:rule="(self.type == 'Peer') != has(self.trustDomainRef)",message="every type but Peer needs trustDomainRef, and Peer has none"
// +kubebuilder:validation:XValidation:rule="self.type != 'Token' || self.value.matches('^[0-9a-f]{16}$')",message="a token is named by 16 lower-case hexadecimal digits, as records have it"
type QuarantineTarget struct {
	// Type is Agent (any link of the chain of actors, so that those are cut
	// off too that act for it), Subject, Transaction, Token or Peer.
	//
	// +required
	// +kubebuilder:validation:Enum=Agent;Subject;Transaction;Token;Peer
	Type QuarantineType `json:"type"`
	// TrustDomainRef is the trust domain in which value means something.
	//
	// +optional
	TrustDomainRef *QuarantineTrustDomain `json:"trustDomainRef,omitempty"`
	// Value is the agent, the sub, the txn, a token's name in records, or of a
	// peer its SPIFFE ID; compared to the byte. A peer that is captured, or asks
	// for names, is one address in any spelling, never a range.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Value string `json:"value"`
}

// QuarantineTrustDomain names a TrustDomain.
type QuarantineTrustDomain struct {
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace"`
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
}

// QuarantinePlace is somewhere that stays open: a backend, or a host name on
// a Proxy listener.
//
// +kubebuilder:validation:XValidation:rule="has(self.backend) != has(self.host)",message="a place is a backend or a host"
type QuarantinePlace struct {
	// +optional
	Backend *QuarantineBackend `json:"backend,omitempty"`
	// Host is a host name, or a glob as in rules.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Host string `json:"host,omitempty"`
}

// QuarantineBackend names a backend.
type QuarantineBackend struct {
	// Kind is XBackend or Service.
	//
	// +required
	// +kubebuilder:validation:Enum=XBackend;Service
	Kind string `json:"kind"`
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace"`
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
}

// QuarantineType says what a Quarantine names.
type QuarantineType string

const (
	QuarantineAgent       QuarantineType = "Agent"
	QuarantineSubject     QuarantineType = "Subject"
	QuarantineTransaction QuarantineType = "Transaction"
	QuarantineToken       QuarantineType = "Token"
	QuarantinePeer        QuarantineType = "Peer"
)

// QuarantineStatus is what became of a Quarantine.
type QuarantineStatus struct {
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}
