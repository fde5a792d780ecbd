// Package wire holds the words on which Envoy's configuration and the guard
// must agree: metadata keys, headers, context extensions. Both sides import
// them from here, so that neither can drift.
package wire

// AuthzNamespace is the dynamic metadata namespace of Check's answer. It stays
// this one whatever the filter is called.
const AuthzNamespace = "envoy.filters.http.ext_authz"

// Keys of Check's dynamic metadata. All values are strings.
const (
	// MetaHopID is the hop's id: 128 random bits, lower-case hex.
	MetaHopID = "hop_id"
	// MetaHold says how the hop is held: a Hold value.
	MetaHold = "hold"
	// MetaMeter is MeterYes where the request's body is counted as it comes.
	MetaMeter = "meter"
	// MetaMode chooses the route on Proxy listeners: a Mode value.
	MetaMode = "mode"
	// MetaHost is the canonical host to dial; IPv6 in brackets.
	MetaHost = "host"
	// MetaPort is the port to dial, in decimal.
	MetaPort = "port"
	// MetaCluster is the cluster to dial with ModeHosts.
	MetaCluster = "cluster"
	// MetaTunnel is the hop's id again where the hop is a tunnel: it crosses to
	// what is inside.
	MetaTunnel = "tunnel"
	// MetaPool names, where the hop is a request, the connections that it may use:
	// those of the same name, to the same target.
	MetaPool = "pool"
)

// Values of MetaHold. A missing or odd value means HoldHeaders.
const (
	HoldHeaders = "headers"
	HoldRelay   = "relay"
	HoldNone    = "none"
)

// MeterYes is the value of MetaMeter; a missing or odd one means no.
const MeterYes = "yes"

// Values of MetaMode.
const (
	// ModeGuard dials by the guarded DNS cache: public space only.
	ModeGuard = "guard"
	// ModeInside dials by the cache that also knows the operator's ranges.
	ModeInside = "inside"
	// ModeHosts dials the STATIC cluster named by MetaCluster.
	ModeHosts = "hosts"
)

// OpaqueSuffix on a mode means that a tunnel's bytes are not read: no SNI is
// compared. Every matching Allow must have said tls: Opaque.
const OpaqueSuffix = "-opaque"

// InspectSuffix on a mode means that a tunnel's TLS ends here: its requests are
// hops of their own. One matching Allow that says tls: Inspect is enough.
const InspectSuffix = "-inspect"

// Headers between Envoy and the guard.
const (
	// HeaderDeadline bounds a stream: whole milliseconds, at least 1. Envoy
	// silently ignores anything else.
	HeaderDeadline = "x-envoy-upstream-stream-duration-ms"
	// HeaderPrefix is ours alone: what a client sends under it is removed
	// before anything sees it.
	HeaderPrefix = "x-hop-"
	// HeaderFraming is the request's Transfer-Encoding, which Envoy takes away
	// before anybody is asked: without it a body in pieces looks like none.
	HeaderFraming = HeaderPrefix + "transfer-encoding"
	// HeaderPartialBody is set by Envoy when it sent a part of the body.
	HeaderPartialBody = "x-envoy-auth-partial-body"
	// HeaderTxnToken carries the transaction token.
	HeaderTxnToken = "txn-token"
)

// gRPC metadata keys of a Check for a hop inside a tunnel.
const (
	// CallTarget is HOST:PORT of the tunnel, as Check had it dialled.
	CallTarget = "x-hop-target"
	// CallParent is the hop id of the tunnel.
	CallParent = "x-hop-parent"
)

// Keys of filter state objects that cross to an internal listener. All of
// them are hashable strings, or concurrent tunnels would get each other's.
const (
	StateHop    = "hopgate.hop"
	StatePool   = "hopgate.pool"
	StateTarget = "hopgate.target"
	StateHost   = "hopgate.host"
)

// ContextTarget is the context extension that carries an encoded Target.
const ContextTarget = "target"

// EndNamespace is the dynamic metadata namespace in which a relay says how it
// ended a stream; MetaEnd is its key.
const (
	EndNamespace = "hop"
	MetaEnd      = "end"
)

// Details that a cut leaves in %RESPONSE_CODE_DETAILS%.
const (
	DetailExpired = "hop_expired"
	DetailRefused = "hop_refused"
	DetailRevoked = "hop_revoked"
	// DetailQuarantined is a cut by a quarantine.
	DetailQuarantined = "hop_quarantined"
	// DetailLimit is a cut by a budget.
	DetailLimit = "hop_limit"
	// DetailShutdown is a cut because the gateway goes down.
	DetailShutdown = "hop_shutdown"
	DetailDeadline = "upstream_max_stream_duration_reached"
)
