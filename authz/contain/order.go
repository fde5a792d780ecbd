package contain

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/hopgate/hopgate/authz/policy/glob"
)

// Kind is what an order names.
type Kind string

const (
	// KindToken is one token, by its name in records: 16 hexadecimal digits.
	KindToken Kind = "token"
	// KindTxn is every hop of a transaction.
	KindTxn Kind = "txn"
	// KindSubject is every transaction for a subject.
	KindSubject Kind = "subject"
	// KindAgent is an agent wherever it stands in the chain of actors, so that
	// those are cut off too that act for it.
	KindAgent Kind = "agent"
	// KindPeer is a workload, by its SPIFFE ID, or by the address that it comes
	// from where it is captured or asks for names.
	KindPeer Kind = "peer"
	// KindEveryone is every hop: of an object of which nobody knows whom it
	// names. It has no value, and people cannot order it.
	KindEveryone Kind = "everyone"
)

// Known reports whether k is a Kind that people can name.
func (k Kind) Known() bool {
	switch k {
	case KindToken, KindTxn, KindSubject, KindAgent, KindPeer:
		return true
	}
	return false
}

// Verb is how an order is meant.
type Verb string

const (
	// VerbRevoke takes back what was given: for good, as far as anything that
	// was given lives on.
	VerbRevoke Verb = "revoke"
	// VerbQuarantine cuts off for a time, but for places that stay open.
	VerbQuarantine Verb = "quarantine"
)

// Order cuts something off until a time.
type Order struct {
	// ID names the order: of a person's a random one, of an object's its name.
	ID   string `json:"id"`
	Verb Verb   `json:"verb"`
	Kind Kind   `json:"kind"`
	// Domain is the trust domain in which Value means something,
	// NAMESPACE/NAME; empty for KindPeer, whose Value has its own.
	Domain string `json:"domain,omitempty"`
	Value  string `json:"value"`
	// Except are places that stay open.
	Except []Place `json:"except,omitempty"`
	// Since and Until are when it was given, and when it is over.
	Since  time.Time `json:"since"`
	Until  time.Time `json:"until"`
	Reason string    `json:"reason,omitempty"`
}

// Place is somewhere that stays open: exactly one of the fields is set.
type Place struct {
	// Backend is KIND/NAMESPACE/NAME.
	Backend string `json:"backend,omitempty"`
	// Host is a glob of host names.
	Host string `json:"host,omitempty"`
}

// Bounds of an order.
const (
	maxValue  = 1024
	maxReason = 1024
	maxExcept = 64
	tokenName = 16
)

// Check says what is wrong with an order.
func (o *Order) Check() error {
	switch {
	case o.Verb != VerbRevoke && o.Verb != VerbQuarantine:
		return fmt.Errorf("check order: verb %q is not revoke or quarantine", o.Verb)
	case o.Kind == KindEveryone:
		return o.checkEveryone()
	case !o.Kind.Known():
		return fmt.Errorf("check order: kind %q is not token, txn, subject, agent or peer", o.Kind)
	case o.Value == "" || len(o.Value) > maxValue:
		return fmt.Errorf("check order: the value has %d bytes, and must have 1 to %d", len(o.Value), maxValue)
	case (o.Kind == KindPeer) != (o.Domain == ""):
		return errors.New("check order: every kind but peer is named in a trust domain, and peer is not")
	case o.Kind == KindToken && !isTokenName(o.Value):
		return errors.New("check order: a token is named by 16 lower-case hexadecimal digits, as records have it")
	case len(o.Reason) > maxReason:
		return fmt.Errorf("check order: the reason has more than %d bytes", maxReason)
	case !o.Until.After(o.Since):
		return errors.New("check order: it would be over before it begins")
	case o.Verb == VerbRevoke && len(o.Except) > 0:
		return errors.New("check order: what is revoked has no places that stay open")
	}
	return checkPlaces(o.Except)
}

// CheckNew says besides Check what is wrong with an order that is being given:
// on a range it would hold for nobody. Orders of before may be so.
func (o *Order) CheckNew() error {
	if _, err := netip.ParsePrefix(o.Value); err == nil && o.Kind == KindPeer {
		return errors.New("check order: a peer is a SPIFFE ID or one address, never a range: order each address, or deny the range by a policy (from.peers)")
	}
	return o.Check()
}

func (o *Order) checkEveryone() error {
	switch {
	case o.Verb != VerbQuarantine || o.Value != "" || o.Domain != "":
		return errors.New("check order: everyone is quarantined, and has no value and no trust domain")
	case !o.Until.After(o.Since):
		return errors.New("check order: it would be over before it begins")
	}
	return checkPlaces(o.Except)
}

func isTokenName(s string) bool {
	return len(s) == tokenName && strings.Trim(s, "0123456789abcdef") == ""
}

func checkPlaces(ps []Place) error {
	if len(ps) > maxExcept {
		return fmt.Errorf("check order: more than %d places stay open", maxExcept)
	}
	for _, p := range ps {
		if (p.Backend == "") == (p.Host == "") {
			return errors.New("check order: a place is a backend or a host")
		}
		if p.Backend != "" && strings.Count(p.Backend, "/") != 2 {
			return fmt.Errorf("check order: backend %q is not KIND/NAMESPACE/NAME", p.Backend)
		}
		if _, err := glob.Compile(p.Host, '.'); p.Host != "" && err != nil {
			return fmt.Errorf("check order: host %q: %w", p.Host, err)
		}
	}
	return nil
}

// Key is what an order names. Orders and hops meet by it.
type Key struct {
	Kind          Kind
	Domain, Value string
}

// Key is what o names.
func (o *Order) Key() Key {
	if o.Kind == KindPeer {
		return Key{o.Kind, o.Domain, peerKey(o.Value)}
	}
	return Key{o.Kind, o.Domain, o.Value}
}

// peerKey is a peer in the spelling of hops: a person may write an address in
// another one, as 2001:DB8::1.
func peerKey(value string) string {
	a, err := netip.ParseAddr(value)
	if err != nil {
		return value
	}
	return a.Unmap().WithZone("").String()
}
