package wire

import (
	"slices"
	"strings"
)

// Canaries are hops of hopgate's own by which it proves an Envoy before the
// Envoy serves. They enter by listeners on unix sockets, and lead to clusters
// that no other hop is sent to.

// Names of the canaries' listeners: the shapes that listeners have.
const (
	CanaryRoutes = "routes"
	CanaryProxy  = "proxy"
	// CanaryTLS and CanaryHTTP are of what was captured.
	CanaryTLS  = "tls"
	CanaryHTTP = "http"
)

// CanaryListeners are all of them.
func CanaryListeners() []string {
	return []string{CanaryRoutes, CanaryProxy, CanaryTLS, CanaryHTTP}
}

// Names of the canaries' destinations.
const (
	// CanaryOne and CanaryTwo are of requests.
	CanaryOne = "one"
	CanaryTwo = "two"
	// CanarySecure is of TLS that passes.
	CanarySecure = "secure"
	// CanaryNever is of TLS that must not: nothing may ever be dialled there.
	CanaryNever = "never"
)

// CanaryDestinations are all of them.
func CanaryDestinations() []string {
	return []string{CanaryOne, CanaryTwo, CanarySecure, CanaryNever}
}

// CanaryDomain has all their names below it.
const CanaryDomain = "hopgate.invalid"

// canaryDomain is under invalid (RFC 6761): no resolver knows it.
const canaryDomain = "." + CanaryDomain

// CanaryPort is that of all destinations.
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
	known := slices.Contains(CanaryDestinations(), destination)
	plain := strings.TrimSuffix(mode, InspectSuffix)
	return destination, mode, known && (plain == ModeGuard || plain == ModeInside || plain == ModeHosts)
}

// CanaryServerName is all that a canary of captured TLS can say, which has a
// name and nothing else: the secret, of an even length of at most 126 letters,
// what it is for, and a host that CanaryHost wrote.
func CanaryServerName(secret, what, host string) string {
	half := len(secret) / 2
	return strings.Join([]string{secret[:half], secret[half:], what, host}, ".")
}

// ParseCanaryServerName reads what CanaryServerName wrote.
func ParseCanaryServerName(name string) (secret, what, host string, ok bool) {
	parts := strings.SplitN(name, ".", 4)
	if len(parts) < 4 || parts[0] == "" || len(parts[0]) != len(parts[1]) || parts[2] == "" {
		return "", "", "", false
	}
	if _, _, ok := ParseCanaryHost(parts[3]); !ok {
		return "", "", "", false
	}
	return parts[0] + parts[1], parts[2], parts[3], true
}

// CanaryName is the name in Envoy of what has this one among the canaries: of
// a listener and its route table, and of a destination's cluster.
func CanaryName(name string) string { return "hopgate/canary/" + name }

// CanaryTarget is the target of hops that enter by a listener of canaries.
func CanaryTarget(listener string) Target { return Target{Entry: EntryCanary, Listener: listener} }

// CanarySocket is the socket, in a private folder, of a listener of canaries or
// of what a destination is.
func CanarySocket(dir, name string) string { return dir + "/canary-" + name + ".sock" }
