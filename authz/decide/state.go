package decide

import (
	"strings"
	"sync"

	"github.com/hopgate/hopgate/authz/policy"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

// State is everything that verdicts depend on, at one moment. It does not
// change, but for a memory of targets that were looked up.
type State struct {
	// Epoch grows with each State; Revision is the feed's.
	Epoch    uint64
	Revision string
	// Policies are the compiled rules.
	Policies *policy.Set

	gateways    map[string]*Gateway
	credentials map[string][]*feedv1.Credential
	registries  registries
	// names are those of trust domains and policies as text.
	names map[feedv1.Key]string

	mu      sync.RWMutex
	targets map[string]*Target // guarded by mu
}

// Gateway is one Gateway and its listeners by name.
type Gateway struct {
	feedv1.Gateway
	// Inspects: the TLS of tunnels can be inspected.
	Inspects  bool
	listeners map[string]*feedv1.Listener
}

// Listener finds a listener; nil: there is none of that name.
func (g *Gateway) Listener(name string) *feedv1.Listener { return g.listeners[name] }

// Target is a wire.Target and all that belongs to it in one State.
type Target struct {
	wire.Target
	Gateway *Gateway
	// Listener is nil where the target does not name one: no route matched.
	Listener *feedv1.Listener
	Levels   *policy.Levels
	// Credentials are put on requests to the target's one backend, each in a
	// header of its own.
	Credentials []*feedv1.Credential
}

// NewState takes a feed that was compiled. The snapshot must not change.
func NewState(epoch uint64, feed *feedv1.Snapshot, set *policy.Set) *State {
	s := &State{
		Epoch: epoch, Revision: feed.Revision, Policies: set,
		gateways:    make(map[string]*Gateway, len(feed.Gateways)),
		credentials: make(map[string][]*feedv1.Credential, len(feed.Credentials)),
		registries:  registriesOf(feed),
		targets:     map[string]*Target{},
		names:       map[feedv1.Key]string{},
	}
	for i := range feed.Policies {
		s.name(feed.Policies[i].Key)
	}
	for i := range feed.Gateways {
		g := &Gateway{Gateway: feed.Gateways[i], Inspects: set.Inspects(), listeners: map[string]*feedv1.Listener{}}
		for j := range g.Listeners {
			g.listeners[g.Listeners[j].Name] = &g.Listeners[j]
			s.name(g.Listeners[j].TrustDomains...)
		}
		s.gateways[g.Key.String()] = g
	}
	for i := range feed.Credentials {
		c := &feed.Credentials[i]
		s.credentials[c.Backend] = append(s.credentials[c.Backend], c)
	}
	return s
}

func (s *State) name(keys ...feedv1.Key) {
	for _, k := range keys {
		s.names[k] = k.String()
	}
}

// Name is k as text: ready made, if it is a trust domain's or a policy's.
func (s *State) Name(k feedv1.Key) string {
	if name, ok := s.names[k]; ok {
		return name
	}
	return k.String()
}

// Gateway finds a Gateway by NAMESPACE/NAME; nil: it is not known.
func (s *State) Gateway(key string) *Gateway { return s.gateways[key] }

// maxTargets bounds the memory of targets. They are of Envoy's configuration,
// which is ours, so that the bound is reached only by a defect.
const maxTargets = 1 << 16

// Target reads the target that Envoy's configuration gave a hop; nil: this
// State does not know its Gateway or listener, or it is no target at all.
func (s *State) Target(encoded string) *Target {
	s.mu.RLock()
	t, ok := s.targets[encoded]
	s.mu.RUnlock()
	if ok {
		return t
	}
	parsed, err := wire.ParseTarget(encoded)
	if err != nil {
		return nil
	}
	t = s.Resolve(parsed)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.targets) < maxTargets {
		// A copy: the string may be a view of a request.
		s.targets[strings.Clone(encoded)] = t
	}
	return t
}

// Resolve finds what belongs to a target; nil as for Target.
func (s *State) Resolve(w wire.Target) *Target {
	g := s.gateways[w.Gateway]
	if g == nil {
		return nil
	}
	t := &Target{Target: w.Clone(), Gateway: g, Listener: g.listeners[w.Listener]}
	if w.Listener != "" && t.Listener == nil {
		return nil
	}
	t.Levels = s.Policies.Levels(t.Target)
	if len(w.Backends) == 1 {
		t.Credentials = s.credentials[w.Backends[0]]
	}
	return t
}
