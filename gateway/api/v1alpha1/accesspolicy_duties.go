package v1alpha1

import gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

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
	// HeadBytes is the most that the request may take besides its body: method,
	// path with its query, host and headers.
	//
	// +optional
	// +kubebuilder:validation:Minimum=1
	HeadBytes *int64 `json:"headBytes,omitempty"`
	// UploadBytes is the most that one agent may send by this rule in a window:
	// heads and bodies, and what tunnels and streams carry while they do.
	//
	// +optional
	// +kubebuilder:validation:Minimum=1
	UploadBytes *int64 `json:"uploadBytes,omitempty"`
	// DistinctNames is how many different hosts one agent may go to by this rule
	// in a window.
	//
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	DistinctNames *int64 `json:"distinctNames,omitempty"`
	// Window is that of uploadBytes and distinctNames: 1s to 168h. Absent: 1h.
	//
	// +optional
	Window *gatewayv1.Duration `json:"window,omitempty"`
}
