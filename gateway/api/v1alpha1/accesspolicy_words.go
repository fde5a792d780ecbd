package v1alpha1

// WordMatch matches what a request says under a name: in a header, or in a
// parameter of its query.
type WordMatch struct {
	// Name is that of the header, in lower case, or of the parameter. Names of
	// credentials are refused, as values of rules reach the record.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9._~$-]+$`
	Name string `json:"name"`
	// Type is Exact or Glob; * stays within what is between slashes, ** crosses.
	//
	// +required
	// +kubebuilder:validation:Enum=Exact;Glob
	Type WordType `json:"type"`
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=1024
	Values []string `json:"values"`
}

// WordType says how a word is compared.
type WordType string

const (
	WordExact WordType = "Exact"
	WordGlob  WordType = "Glob"
)
