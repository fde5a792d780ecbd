package policy

import (
	"github.com/hopgate/hopgate/authz/surface"
	"github.com/hopgate/hopgate/authz/token"
)

// Question is one hop: who, in which transaction, does what. Where it goes is
// the target of the Levels that decide it. Nothing in it is changed or kept.
type Question struct {
	// Peer is the SPIFFE ID of the workload that opened the connection; empty:
	// it is not authenticated.
	Peer string
	// Claims are those of the verified token; nil: there is none.
	Claims *token.Claims
	// Action is what the hop does. It is never nil.
	Action *surface.Action
}

// agent is the actor of the hop; false: none is known.
func (q *Question) agent() (string, bool) {
	if q.Claims == nil || q.Claims.Agent == "" {
		return "", false
	}
	return q.Claims.Agent, true
}

// subject is whom the transaction is for; false: nobody is known.
func (q *Question) subject() (string, bool) {
	if q.Claims == nil || q.Claims.Subject == "" {
		return "", false
	}
	return q.Claims.Subject, true
}
