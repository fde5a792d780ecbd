package denial

import (
	"net/http"
	"slices"
)

// Codes of tokens. Their names are "token_" and the verifier's reason.
const (
	TokenMissing      = "token_missing"
	TokenRevoked      = "revoked"
	Quarantined       = "quarantined"
	TokenMalformed    = "token_malformed"
	TokenWrongDomain  = "token_wrong_domain"
	TokenExpired      = "token_expired"
	TokenExpiring     = "token_expiring"
	KeySource         = "key_source_unavailable"
	NoRule            = "no_rule"
	RuleDenied        = "rule_denied"
	RuleError         = "rule_error"
	PolicyRejected    = "policy_rejected"
	Unmatched         = "unmatched"
	ReleaseAgeUnknown = "release_age_unknown"
	ReleaseSource     = "release_source_unavailable"
	ReleaseTooNew     = "release_too_new"
	DigestRequired    = "digest_required"
	RegistryClosed    = "registry_closed"
	ApprovalRequired  = "approval_required"
	LimitExceeded     = "limit_exceeded"
	LimitMissing      = "limit_missing"
	BudgetExhausted   = "budget_exhausted"
	BudgetChanged     = "budget_changed"
	NotAvailable      = "not_available"
	NoRoute           = "no_route"
	BodyUnreadable    = "body_unreadable"
	BodyTooLarge      = "body_too_large"
	BadAuthority      = "bad_authority"
	BadPath           = "bad_path"
	NameMissing       = "name_missing"
	NameDenied        = "name_denied"
	AddressDenied     = "address_denied"
	NameUnresolved    = "name_unresolved"
	SurfaceRequired   = "surface_required"
	TargetMismatch    = "target_mismatch"
	TunnelGone        = "tunnel_gone"
	TunnelChanged     = "tunnel_changed"
	HopUnknown        = "hop_unknown"
	Expired           = "expired"
	AuditUnavailable  = "audit_unavailable"
	CredentialMissing = "credential_unavailable"
	Overloaded        = "overloaded"
	Stale             = "policy_stale"
	NotReady          = "not_ready"
	ShuttingDown      = "shutting_down"
	Internal          = "internal"
	// What Envoy finds of an allowed hop, and says in our words.
	BackendUnavailable = "backend_unavailable"
	BackendTimeout     = "backend_timeout"
	BackendMissing     = "backend_missing"
)

// table is every code there is. docs/denials.md has one row for each, and a
// test holds the two together.
func table() []Code {
	return slices.Concat(
		tokenCodes(), policyCodes(), packageCodes(), requestCodes(), egressCodes(), tlsCodes(), dnsCodes(), gatewayCodes(), backendCodes(),
	)
}

func tokenCodes() []Code {
	u := func(name string, r Retry, text string) Code {
		return Code{Name: name, Kind: Unauthenticated, Retry: r, Text: text}
	}
	return []Code{
		u(TokenMissing, RetryRenewal, "this needs a transaction token: send one in the Txn-Token header, or to a proxy as the password of the proxy's user"),
		u(TokenMalformed, RetryNever, "the transaction token cannot be read: it must be exactly one signed JWT in compact form"),
		u("token_bad_type", RetryNever, "this is not a transaction token: its typ must be txntoken+jwt"),
		u("token_bad_alg", RetryNever, "the token is signed with an algorithm that its trust domain does not accept"),
		u("token_unknown_key", RetryRenewal, "the token is signed with a key that its trust domain does not publish"),
		u("token_bad_signature", RetryNever, "the token's signature does not hold"),
		u("token_missing_claim", RetryNever, "the token lacks a claim that a transaction token must have, or has it in another form"),
		u(TokenWrongDomain, RetryNever, "the token is of a trust domain that is not believed here"),
		u("token_wrong_issuer", RetryNever, "the token is of another issuer than its trust domain has"),
		u(TokenExpired, RetryRenewal, "the token has expired: get a fresh one of the same transaction"),
		u(TokenExpiring, RetryRenewal, "the token is about to expire: get a fresh one of the same transaction"),
		u("token_not_yet", RetryLater, "the token was issued in the future: one of the clocks is wrong"),
		u("token_too_long", RetryNever, "the token lives longer than its trust domain allows"),
		u("token_transaction_too_long", RetryNever, "the transaction has run for longer than its trust domain allows: begin a new one"),
		u("token_not_bound", RetryNever, "the token is bound to another workload than the one that sent it"),
		u(TokenRevoked, RetryNever, "the token, its transaction, or who it is for has been revoked"),
		{Name: KeySource, Kind: Unavailable, Retry: RetryLater, Text: "the trust domain's keys are not to be had now, so that no token of it can be verified"},
	}
}

func policyCodes() []Code {
	d := func(name string, r Retry, text string) Code { return Code{Name: name, Retry: r, Text: text} }
	return []Code{
		d(NoRule, RetryNever, "no rule allows this"),
		d(RuleDenied, RetryNever, "a rule denies this"),
		d(RuleError, RetryNever, "a rule that could deny this could not be evaluated, and what cannot be judged is not let through"),
		d(PolicyRejected, RetryNever, "a policy that guards this was not accepted, and then it denies: the operator finds the reason in its status"),
		d(Unmatched, RetryNever, "no policy says anything about this, and what is not opened is closed"),
		d(Quarantined, RetryLater, "who asks is in quarantine, and this is not a place that stays open"),
		d(ApprovalRequired, RetryApproval, "a person must approve this first"),
		d(LimitExceeded, RetryNever, "this asks for more than a rule's limits allow"),
		d(LimitMissing, RetryNever, "this must say how much it asks for: a rule limits it"),
		d(BudgetExhausted, RetryLater, "what a rule gives in a window of time is used up: there will be room when Retry-After says"),
		d(BudgetChanged, RetryLater, "what may be sent by the rule that allows this is limited since it began: begin it again"),
		d(NotAvailable, RetryNever, "the rule that allows this asks for something that this version of the gateway does not do"),
	}
}

func requestCodes() []Code {
	return []Code{
		{Name: NoRoute, Kind: Invalid, Retry: RetryNever, Status: http.StatusNotFound, Text: "nothing is served at this host and path"},
		{Name: BodyUnreadable, Kind: Invalid, Retry: RetryNever, Text: "the request cannot be read without doubt, and what cannot be read is not let through"},
		{Name: BodyTooLarge, Kind: Invalid, Retry: RetryNever, Status: http.StatusRequestEntityTooLarge, Text: "the request's body is larger than is read here"},
		{Name: BadPath, Kind: Invalid, Retry: RetryNever, Text: "the path can be read in more than one way: write it without encoded slashes, dot segments, backslashes or control characters"},
	}
}

func egressCodes() []Code {
	return []Code{
		{Name: BadAuthority, Kind: Invalid, Retry: RetryNever, Text: "the destination can be read in more than one way: write the host in lower-case ASCII and the port in decimal"},
		{Name: NameMissing, Kind: Invalid, Retry: RetryNever, Text: "this was redirected here, and does not say where it goes: it is no TLS, or has no server name"},
		{Name: NameDenied, Retry: RetryNever, Text: "this name is of a private or local kind and is never looked up; trying other spellings will not help"},
		{Name: AddressDenied, Retry: RetryNever, Text: "the destination's address is not a public one, or not all of them are; trying other spellings will not help"},
		{Name: NameUnresolved, Kind: Unavailable, Retry: RetryLater, Status: http.StatusBadGateway, Text: "the destination's name could not be resolved"},
		{Name: SurfaceRequired, Retry: RetryNever, Text: "this destination is reachable only as the tool server, model or agent that it is: send plain requests to the gateway, which speaks TLS for you, not a tunnel"},
		{Name: TargetMismatch, Kind: Invalid, Retry: RetryNever, Status: http.StatusMisdirectedRequest, Text: "the request names another host than the tunnel it came through"},
		{Name: TunnelGone, Retry: RetryRenewal, Text: "the tunnel that this came through has ended"},
		{Name: TunnelChanged, Retry: RetryLater, Text: "the TLS in this tunnel is to be handled more strictly than when it was opened: open it again"},
	}
}

func gatewayCodes() []Code {
	later := func(name, text string) Code {
		return Code{Name: name, Kind: Unavailable, Retry: RetryLater, Text: text}
	}
	return []Code{
		{Name: HopUnknown, Retry: RetryLater, Text: "this hop was not decided, or is used already"},
		{Name: Expired, Kind: Unauthenticated, Retry: RetryRenewal, Text: "the life that this stream was given has ended"},
		later(AuditUnavailable, "this cannot be recorded now, and what cannot be recorded is not let through"),
		later(CredentialMissing, "the credential that the gateway holds for this is not to be had now"),
		later(Overloaded, "the gateway has too much to read at once"),
		later(Stale, "the gateway's policy is older than it may be"),
		later(NotReady, "the gateway does not know this route yet, or has not proven its Envoy yet"),
		later(ShuttingDown, "the gateway goes down, and the time that streams had to end is over"),
		later(Internal, "the gateway failed to decide this"),
	}
}

// backendCodes are of hops that were allowed.
func backendCodes() []Code {
	return []Code{
		{Name: BackendUnavailable, Kind: Unavailable, Retry: RetryLater, Text: "the backend has no endpoint that is ready, or none that could be reached"},
		{Name: BackendTimeout, Kind: Unavailable, Retry: RetryLater, Status: http.StatusGatewayTimeout, Text: "the backend has not answered in the time that its route gives it"},
		{Name: BackendMissing, Kind: Unavailable, Retry: RetryLater, Status: http.StatusInternalServerError, Text: "the route leads to a backend that is not there: the operator finds the reason in its status"},
	}
}

// Codes is every code, by name.
type Codes struct{ byName map[string]Code }

// NewCodes reads the table once.
func NewCodes() Codes {
	c := Codes{byName: map[string]Code{}}
	for _, code := range table() {
		c.byName[code.Name] = code
	}
	return c
}

// Get finds a code. A name that is not in the table is a defect of ours, and
// comes out as the internal one: it still denies.
func (c Codes) Get(name string) Code {
	if code, ok := c.byName[name]; ok {
		return code
	}
	return c.byName[Internal]
}

// All is every code in the order of the table.
func All() []Code { return table() }
