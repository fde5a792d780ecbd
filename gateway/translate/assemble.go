package translate

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/graph"
	"github.com/hopgate/hopgate/gateway/translate/incr"
)

// sinks is where units leave what they make.
type sinks struct {
	listeners incr.Sorted[*graph.Listener]
	backends  incr.Sorted[*graph.Backend]
	endpoints incr.Sorted[*graph.Endpoints]
	tables    tables

	gateways     incr.Sorted[*sealed[feedv1.Gateway]]
	trustDomains incr.Sorted[*sealed[feedv1.TrustDomain]]
	policies     incr.Sorted[*sealed[feedv1.Policy]]
	credentials  incr.Sorted[*sealed[feedv1.Credential]]
	quarantines  incr.Sorted[*sealed[feedv1.Quarantine]]
	registries   incr.Sorted[*sealed[feedv1.Registry]]

	statuses statuses
}

// sealed is an entry of the feed with the hash of its content.
type sealed[T any] struct {
	Value T
	Sum   [sha256.Size]byte
}

func seal[T any](v T) *sealed[T] {
	text, err := json.Marshal(v)
	if err != nil {
		// Plain data always encodes; were it not to, any change must show.
		text = fmt.Appendf(nil, "%#v", v)
	}
	return &sealed[T]{v, sha256.Sum256(text)}
}

// nextGraph is old itself when nothing changed.
func (s *sinks) nextGraph(old *graph.Graph) *graph.Graph {
	list, changed := s.tables.build()
	if old != nil && !changed && !s.listeners.Changed() && !s.backends.Changed() && !s.endpoints.Changed() {
		return old
	}
	return &graph.Graph{
		Listeners: s.listeners.Values(), Tables: list, Backends: s.backends.Values(), Endpoints: s.endpoints.Values(),
	}
}

// nextFeed is old itself when nothing changed. names are nil when those of old
// still hold.
func (s *sinks) nextFeed(old *feedv1.Snapshot, names []string) *feedv1.Snapshot {
	if old != nil && names == nil && !s.gateways.Changed() && !s.trustDomains.Changed() && !s.policies.Changed() && !s.credentials.Changed() && !s.quarantines.Changed() && !s.registries.Changed() {
		return old
	}
	if names == nil && old != nil {
		names = old.Names
	}
	sum := sha256.New()
	next := &feedv1.Snapshot{
		Gateways:     open(sum.Write, "gateways", s.gateways.Values()),
		TrustDomains: open(sum.Write, "trustDomains", s.trustDomains.Values()),
		Policies:     open(sum.Write, "policies", s.policies.Values()),
		Credentials:  open(sum.Write, "credentials", s.credentials.Values()),
		Quarantines:  open(sum.Write, "quarantines", s.quarantines.Values()),
		Registries:   s.openRegistries(sum.Write),
		Names:        names,
	}
	// A hash takes everything.
	_, _ = fmt.Fprintln(sum, "names", names)
	next.Revision = hex.EncodeToString(sum.Sum(nil)[:16])
	if old != nil && old.Revision == next.Revision {
		return old
	}
	return next
}

// open takes the entries out, and adds them to the hash of the whole.
func open[T any](write func([]byte) (int, error), kind string, list []*sealed[T]) []T {
	// A hash takes everything.
	_, _ = write([]byte(kind + "\n"))
	out := make([]T, 0, len(list))
	for _, s := range list {
		_, _ = write(s.Sum[:])
		out = append(out, s.Value)
	}
	return out
}

// backendNames are the host names that Envoy resolves for the backends of g.
func backendNames(g *graph.Graph) []string {
	names := []string{}
	for _, b := range g.Backends {
		if b.Kind == graph.BackendName {
			names = append(names, b.Hostname)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
