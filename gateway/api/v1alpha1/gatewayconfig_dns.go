package v1alpha1

// EncryptedClientHello says what becomes of TLS that may hide its name.
type EncryptedClientHello string

const (
	ECHRefuse EncryptedClientHello = "Refuse"
	ECHAllow  EncryptedClientHello = "Allow"
)

// DNSConfig opens the gateway's resolver to workloads. Names are answered that
// an Allow rule of the Gateway lists, and nothing else is asked of anybody.
type DNSConfig struct {
	// Listen is where queries come to, by UDP and TCP, ADDRESS:PORT.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	Listen string `json:"listen"`
	// Clients are addresses and CIDRs of workloads that are answered. Others are
	// not.
	//
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=64
	Clients []string `json:"clients"`
	// QueriesPerSecond is how many queries of one client are answered, in the
	// long run. Default 50.
	//
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	QueriesPerSecond int32 `json:"queriesPerSecond,omitempty"`
	// NamesPerHour is how many names one client may ask for by one glob, in an
	// hour: each label that a glob leaves open can carry something out. Default
	// 200.
	//
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100000
	NamesPerHour int32 `json:"namesPerHour,omitempty"`
}
