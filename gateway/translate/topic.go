package translate

import (
	"cmp"

	"github.com/hopgate/hopgate/gateway/source"
)

// space says what a topic is about.
type space uint8

// What can be read of the store.
const (
	// onObject is one object.
	onObject space = iota + 1
	// onKind is all objects of a kind in a namespace, or in all.
	onKind
	// onSlices is the EndpointSlices of a Service.
	onSlices
	// onCredentials is the Credentials of a backend.
	onCredentials
	// onOutcome is what Envoy said of what an object became.
	onOutcome
	// onNames is what became of the socket at which a Gateway answers names.
	onNames
)

// Facts: said by one unit, read by units of later phases.
const (
	factConfig space = iota + 32
	factTrust
	factClass
	factBase
	factSockets
	factLost
	factBackend
	factEgress
	factExposure
	factGateway
	factRoute
	factBelieved
	factListeners
	factNamesLost
)

// Bags: said by many units of one topic.
const (
	// bagAttached is the routes of a listener.
	bagAttached space = iota + 64
	// bagUses is the Gateways that send to a backend; for a Service with the
	// port.
	bagUses
	// bagHazards is why a secret must not be put on requests to a backend.
	bagHazards
	// bagRefused is what Envoy refused of what a Gateway serves.
	bagRefused
	// bagBelievers is the Gateways that believe a TrustDomain.
	bagBelievers
	// bagRunners is the Gateways that are run by a GatewayConfig; the section
	// says proxy for those that have a listener which leads to anywhere.
	bagRunners
	// bagSections is the names of their listeners, with their protocols.
	bagSections
)

// topic names something that can be read. Section narrows the object down: a
// listener, for example.
type topic struct {
	space   space
	ref     source.Ref
	section string
}

// mark is a member of a bag.
type mark struct {
	// Ref is the object that the mark tells of.
	Ref source.Ref
	// Section narrows it down; Text is for people.
	Section, Text string
}

// Compare orders by object, section and text.
func (m mark) Compare(o mark) int {
	return cmp.Or(m.Ref.Compare(o.Ref), cmp.Compare(m.Section, o.Section), cmp.Compare(m.Text, o.Text))
}
