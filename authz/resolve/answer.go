package resolve

import (
	"net/netip"
	"time"

	"github.com/hopgate/hopgate/authz/surface/egress"
)

// Answer is where a name leads. All of its addresses are open.
type Answer struct {
	// Addrs are sorted, at least one, at most 32. They are shared: read only.
	Addrs []netip.Addr
	// Mode is the wire.Mode that dials them: ModeGuard, ModeInside, or ModeHosts
	// for names of egress.hosts.
	Mode string
	// TTL is how long the answer still stands.
	TTL time.Duration
}

// Refused is why a name may not be reached, with what it led to, for the
// record. Its text holds neither: an agent would learn what stands inside.
type Refused struct {
	// Addrs are all addresses that the name has, Aliases the names that it
	// stands for; both may be empty.
	Addrs   []netip.Addr
	Aliases []string
	cause   *egress.Refusal
}

func (r *Refused) Error() string { return r.cause.Error() }

// Unwrap gives the *egress.Refusal.
func (r *Refused) Unwrap() error { return r.cause }

// Kind says how a resolution failed. The words are stable: they reach records
// and metrics.
type Kind string

const (
	// NoName: the name does not exist.
	NoName Kind = "no_such_name"
	// NoAddress: it exists and has no address.
	NoAddress Kind = "no_address"
	// Timeout: no server answered in time.
	Timeout Kind = "timeout"
	// ServerFailure: every server failed or refused.
	ServerFailure Kind = "server_failure"
	// Malformed: the answer is not one: aliases that lead in a circle or too
	// far, two at one name, or one that is no host name.
	Malformed Kind = "malformed_answer"
	// TooMany: more addresses than anybody dials.
	TooMany Kind = "too_many_addresses"
	// Busy: too many names are being resolved, or the resolver is closed.
	Busy Kind = "busy"
)

// Failure is the error of a name that could not be resolved. Nothing is wrong
// with asking for it again.
type Failure struct{ Kind Kind }

func (f *Failure) Error() string { return "resolve name: " + string(f.Kind) }

// Observer is told what happens. Its methods must be quick and safe for
// concurrent use.
type Observer interface {
	// Resolved tells of one name that was asked of servers: "ok", a Kind, or
	// the egress.Reason that refuses its answer.
	Resolved(outcome string, took time.Duration)
	// Served tells of one query at the Server. name is canonical; empty: it is
	// none. It is what a local process asked for: not to be trusted.
	Served(name string, outcome Outcome)
}

// Outcome is what became of a query at the Server.
type Outcome string

const (
	// Answered: with addresses, or with none of that family.
	Answered Outcome = "answered"
	// NotApproved: nobody allowed this name.
	NotApproved Outcome = "not_approved"
	// Closed: the name was approved, and its addresses are no longer open.
	Closed Outcome = "closed"
	// Failed: it could not be resolved.
	Failed Outcome = "failed"
	// BadType: a type or class that nobody needs in order to connect.
	BadType Outcome = "bad_type"
	// Dropped: too many at once.
	Dropped Outcome = "dropped"
)

// nobody observes nothing.
type nobody struct{}

func (nobody) Resolved(string, time.Duration) {}
func (nobody) Served(string, Outcome)         {}
