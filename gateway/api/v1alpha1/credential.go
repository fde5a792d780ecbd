package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// Credential is a secret that the gateway puts on the request, so that the
// agent never holds it: one header, on one backend.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:categories=hopgate,shortName=cred
// +kubebuilder:metadata:labels="gateway.networking.k8s.io/policy=Direct"
// +kubebuilder:printcolumn:name="Header",type=string,JSONPath=`.spec.header`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type Credential struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`
	// +required
	Spec CredentialSpec `json:"spec"`
	// +optional
	Status gatewayv1.PolicyStatus `json:"status,omitempty"`
}

// CredentialList is a list of Credential.
//
// +kubebuilder:object:root=true
type CredentialList struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Credential `json:"items"`
}

// CredentialSpec is which secret goes where.
type CredentialSpec struct {
	// TargetRef is the one backend, in the Credential's own namespace.
	//
	// +required
	TargetRef CredentialTarget `json:"targetRef"`
	// Header that carries the secret; what the agent sent in it is removed.
	//
	// +optional
	// +kubebuilder:default=authorization
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[a-zA-Z0-9!#$&'*+.^_|~-]+$`
	Header string `json:"header,omitempty"`
	// Prefix stands before the secret, "Bearer " for example.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[\x20-\x7e]*$`
	Prefix string `json:"prefix,omitempty"`
	// +required
	Secret SecretSource `json:"secret"`
}

// CredentialTarget is the backend that a Credential is for.
type CredentialTarget struct {
	// +required
	// +kubebuilder:validation:Enum=XBackend;Service
	Kind string `json:"kind"`
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
}

// SecretSource is where the secret comes from. It is never in the object.
//
// +kubebuilder:validation:XValidation:rule="(self.type == 'Environment') == has(self.environment)",message="environment is needed with type Environment, and only then"
// +kubebuilder:validation:XValidation:rule="(self.type == 'File') == has(self.file)",message="file is needed with type File, and only then"
type SecretSource struct {
	// Type is Environment (a variable of the guard) or File.
	//
	// +required
	// +kubebuilder:validation:Enum=Environment;File
	Type SecretSourceType `json:"type"`
	// +optional
	// +kubebuilder:validation:Pattern=`^[A-Za-z_][A-Za-z0-9_]*$`
	// +kubebuilder:validation:MaxLength=256
	Environment string `json:"environment,omitempty"`
	// File is a path, relative to the file that holds this object. One
	// trailing newline is not part of the secret.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	File string `json:"file,omitempty"`
}

// SecretSourceType says where a secret comes from.
type SecretSourceType string

const (
	SecretEnvironment SecretSourceType = "Environment"
	SecretFile        SecretSourceType = "File"
)
