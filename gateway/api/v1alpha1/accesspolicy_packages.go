package v1alpha1

import gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

// PackageMatch matches requests to a package registry: what reads its index, a
// package's metadata, and files. Publishing, logging in and searching match no
// rule, and are denied.
type PackageMatch struct {
	// Registry is the backend whose app protocol says that it is one, and in
	// which protocol: hopgate.dev/pypi, -npm, -go, -cargo, -deb, -oci or -hf.
	// Hosts that its annotation hopgate.dev/registry-files names belong to it.
	//
	// +required
	Registry BackendReference `json:"registry"`
	// Names are globs over names of packages, as the protocol compares them: *
	// stays within a segment, ** crosses. Absent: any.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=512
	Names []string `json:"names,omitempty"`
	// MinimumAge is how long ago a release must have been published before its
	// files are handed out. It is for protocols whose registry says when that
	// was: pypi, npm and cargo.
	//
	// +optional
	MinimumAge *gatewayv1.Duration `json:"minimumAge,omitempty"`
	// DigestOnly hands out only what is asked for by what can never be something
	// else: a digest with oci, a commit with hf.
	//
	// +optional
	DigestOnly bool `json:"digestOnly,omitempty"`
}
