package translate

import (
	"cmp"
	"slices"
	"strings"
)

// within says whether every host that pattern a takes is one that b takes. "*"
// is any, "*.x" any below x (Gateway API, Hostname).
func within(a, b string) bool {
	suffix, wild := strings.CutPrefix(b, "*")
	switch {
	case !wild:
		return a == b
	case suffix == "":
		return true
	case a == "*":
		return false
	}
	name := strings.TrimPrefix(a, "*")
	return strings.HasSuffix(name, suffix) && (name != a || len(name) > len(suffix))
}

// intersect is the hosts that both patterns take.
func intersect(a, b string) (string, bool) {
	switch {
	case within(a, b):
		return a, true
	case within(b, a):
		return b, true
	}
	return "", false
}

// hostsOn are the hosts of a route that a listener serves. Of listeners that
// share a port, a host belongs to the one that names it most closely (Gateway
// API, "Listener Isolation").
func hostsOn(l *listenerFact, all []listenerFact, hosts []string) []string {
	var out []string
	for _, h := range hosts {
		x, ok := intersect(l.Hostname, h)
		if ok && closest(x, l.Table, all) == l.Hostname {
			out = append(out, x)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// closest is the host name of the listener that x belongs to.
func closest(x, table string, all []listenerFact) string {
	best := ""
	for i := range all {
		l := &all[i]
		if l.Shared && l.Table == table && within(x, l.Hostname) && (best == "" || closer(l.Hostname, best)) {
			best = l.Hostname
		}
	}
	return best
}

func closer(a, b string) bool {
	exact := func(s string) int {
		if strings.HasPrefix(s, "*") {
			return 0
		}
		return 1
	}
	return cmp.Or(cmp.Compare(exact(a), exact(b)), cmp.Compare(len(a), len(b))) > 0
}
