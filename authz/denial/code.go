package denial

import "net/http"

// Kind is why a hop was refused, in the four ways that callers must tell
// apart.
type Kind uint8

const (
	// Denied: who asks is known, and may not.
	Denied Kind = iota
	// Unauthenticated: who asks is not known well enough.
	Unauthenticated
	// Unavailable: it could not be decided, or not now.
	Unavailable
	// Invalid: what is asked cannot be read, or is not a thing one may ask.
	Invalid
)

// Retry tells a client, and an agent that reads it, whether to try again.
type Retry string

const (
	// RetryNever: the same request will be refused again.
	RetryNever Retry = "never"
	// RetryApproval: a person must approve it first.
	RetryApproval Retry = "after_approval"
	// RetryRenewal: with a fresh token.
	RetryRenewal Retry = "after_renewal"
	// RetryLater: nothing about the request is wrong.
	RetryLater Retry = "later"
)

// Code is one stable reason. The zero Code is not one.
type Code struct {
	// Name is what clients and records see. It never changes its meaning.
	Name  string
	Kind  Kind
	Retry Retry
	// Status overrides the HTTP status of Kind; 0: not.
	Status int
	// Text is for a person: what is wrong and what would mend it.
	Text string
}

// HTTPStatus is the code's status where the protocol has no other way.
func (c Code) HTTPStatus() int {
	if c.Status != 0 {
		return c.Status
	}
	return httpStatus(c.Kind)
}

// httpStatus maps kinds to statuses, here and nowhere else.
func httpStatus(k Kind) int {
	switch k {
	case Unauthenticated:
		return http.StatusUnauthorized
	case Unavailable:
		return http.StatusServiceUnavailable
	case Invalid:
		return http.StatusBadRequest
	default:
		return http.StatusForbidden
	}
}
