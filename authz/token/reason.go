package token

// Reason says why a token is not believed. The words are stable: they are
// codes of denials, with "token_" in front.
type Reason string

const (
	ReasonMalformed    Reason = "malformed"
	ReasonBadType      Reason = "bad_type"
	ReasonBadAlg       Reason = "bad_alg"
	ReasonUnknownKey   Reason = "unknown_key"
	ReasonBadSignature Reason = "bad_signature"
	ReasonMissingClaim Reason = "missing_claim"
	ReasonWrongDomain  Reason = "wrong_domain"
	ReasonWrongIssuer  Reason = "wrong_issuer"
	ReasonExpired      Reason = "expired"
	ReasonNotYet       Reason = "not_yet"
	ReasonTooLong      Reason = "too_long"
	ReasonTransaction  Reason = "transaction_too_long"
	ReasonNotBound     Reason = "not_bound"
	// ReasonKeySource is no fault of the token: no key can be had to judge it.
	ReasonKeySource Reason = "key_source_unavailable"
	// ReasonOverloaded is no fault of the token either: there is no room to
	// judge it now.
	ReasonOverloaded Reason = "overloaded"
)

// Code is the name in the denial table.
func (r Reason) Code() string {
	switch r {
	case "", ReasonKeySource, ReasonOverloaded:
		return string(r)
	default:
		return "token_" + string(r)
	}
}

// Rejection is why a token is not believed. It holds nothing of the token but
// names of members.
type Rejection struct {
	Reason Reason
	// Detail is for the person who made the token.
	Detail string
}

// Error says the reason and the detail.
func (r *Rejection) Error() string {
	if r.Detail == "" {
		return string(r.Reason)
	}
	return string(r.Reason) + ": " + r.Detail
}
