package nameserver

import (
	"errors"
	"time"

	"github.com/miekg/dns"

	"github.com/hopgate/hopgate/authz/denial"
	"github.com/hopgate/hopgate/authz/resolve"
	"github.com/hopgate/hopgate/authz/surface/egress"
)

// Outcome is what became of a query. The words are stable: they reach metrics.
type Outcome string

const (
	// Answered: with what was asked for.
	Answered Outcome = "answered"
	// Empty: the name is listed and open, and has nothing of this type.
	Empty Outcome = "empty"
	// NoName: the name does not exist, or is of a private kind, of which no
	// search list is to find anything.
	NoName Outcome = "no_such_name"
	// NotListed: no rule lists the name.
	NotListed Outcome = "not_listed"
	// TooManyNames: the client has tried as many under its glob as it may.
	TooManyNames Outcome = "too_many_names"
	// Closed: the name is listed, and where it leads is not open.
	Closed Outcome = "closed"
	// BadQuery: a type, class or name that nobody needs in order to connect.
	BadQuery Outcome = "bad_query"
	// CutOff: an order cuts the client off.
	CutOff Outcome = "cut_off"
	// Unreadable: what cannot be parsed.
	Unreadable Outcome = "unreadable"
	// Failed: it could not be resolved.
	Failed Outcome = "failed"
	// Limited: more than the client's rate. It is not answered.
	Limited Outcome = "limited"
	// Stranger: it is not of a client. It is not answered.
	Stranger Outcome = "stranger"
	// Overloaded: too many at once. It is not answered.
	Overloaded Outcome = "overloaded"
)

// verdict is how one query ends.
type verdict struct {
	outcome Outcome
	rcode   int
	answer  []dns.RR
	// code is a name of the denial table, for what is recorded; empty: it is
	// not. text says more than the code, for the record alone.
	code, text string
}

// refused is a verdict that is recorded.
func refused(o Outcome, code string) verdict {
	return verdict{outcome: o, rcode: dns.RcodeRefused, code: code}
}

// failed is the verdict of an error of the resolver.
func failed(err error) verdict {
	var f *resolve.Failure
	var closed *egress.Refusal
	switch {
	case errors.As(err, &f) && f.Kind == resolve.NoName:
		return verdict{outcome: NoName, rcode: dns.RcodeNameError}
	case errors.As(err, &f) && f.Kind == resolve.NoAddress:
		return verdict{outcome: Empty, rcode: dns.RcodeSuccess}
	case errors.As(err, &f):
		return verdict{outcome: Failed, rcode: dns.RcodeServerFailure}
	case errors.As(err, &closed):
		v := refused(Closed, closed.Code())
		v.text = closed.Text()
		return v
	}
	return refused(Closed, denial.Internal)
}

const (
	// recordsPerSecond and recordBurst bound the records of one client.
	recordsPerSecond = 1
	recordBurst      = 20
	// recordEvery is how soon the same refusal is recorded again, and
	// maxRecorded how many are remembered.
	recordEvery = 10 * time.Minute
	maxRecorded = 8192
)
