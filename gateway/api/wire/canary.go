package wire

import "strings"

// Canaries are hops of hopgate's own by which it proves an Envoy before the
// Envoy serves. They enter by listeners on unix sockets, and lead to clusters
// that no other hop is sent to.

// Names of the canaries' listeners: the shapes that listeners have.
const (
	CanaryRoutes = "routes"
	CanaryProxy  = "proxy"
)

// Names of the canaries' two destinations.
const (
	CanaryOne = "one"
	CanaryTwo = "two"
)

// CanaryDomain has all their names below it.
const CanaryDomain = "hopgate.invalid"

// canaryDomain is under invalid (RFC 6761): no resolver knows it.
const canaryDomain = "." + CanaryDomain

// CanaryPort is that of both destinations.
const CanaryPort = 80

// CanaryHost is how a canary names a destination that it wants to reach in a
// mode, with InspectSuffix if its tunnel is to be inspected.
func CanaryHost(destination, mode string) string { return destination + "." + mode + canaryDomain }

// ParseCanaryHost reads what CanaryHost wrote.
func ParseCanaryHost(host string) (destination, mode string, ok bool) {
	rest, ok := strings.CutSuffix(host, canaryDomain)
	if !ok {
		return "", "", false
	}
	destination, mode, _ = strings.Cut(rest, ".")
	known := destination == CanaryOne || destination == CanaryTwo
	plain := strings.TrimSuffix(mode, InspectSuffix)
	return destination, mode, known && (plain == ModeGuard || plain == ModeInside || plain == ModeHosts)
}

// CanaryName is the name in Envoy of what has this one among the canaries: of
// a listener and its route table, and of a destination's cluster.
func CanaryName(name string) string { return "hopgate/canary/" + name }

// CanaryTarget is the target of hops that enter by a listener of canaries.
func CanaryTarget(listener string) Target { return Target{Entry: EntryCanary, Listener: listener} }

// CanarySocket is the socket, in a private folder, of a listener of canaries or
// of what a destination is.
func CanarySocket(dir, name string) string { return dir + "/canary-" + name + ".sock" }
