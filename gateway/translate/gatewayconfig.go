package translate

import (
	"fmt"
	"net/netip"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/source"
)

// Defaults and bounds of a GatewayConfig.
const (
	defaultToolsBytes  = 1 << 20
	defaultAgentsBytes = 1 << 20
	defaultModelsBytes = 16 << 20
	maxBodyBytes       = 64 << 20
	defaultMinRemain   = 2 * time.Second
	defaultMaxAge      = 10 * time.Minute
	maxUnleashed       = 5 * time.Minute
	maxMinRemain       = time.Hour
	maxMaxAge          = 24 * time.Hour
)

// configFact is the values of a GatewayConfig, defaults filled in.
type configFact struct {
	// Problems is why it cannot be used; none: it can.
	Problems  []string
	Unmatched v1alpha1.Unmatched
	Unleashed time.Duration
	MinRemain time.Duration
	MaxAge    time.Duration
	OnStale   string
	Detail    v1alpha1.DenialDetail
	Limits    limits
	Resolvers []netip.AddrPort
	// Trust are the names of TrustDomains; nil: not given.
	Trust []string
	// Listeners are those that have TrustDomains of their own.
	Listeners []listenerTrust
	// Captured are those that have a captured port of their own.
	Captured []listenerPort
}

type listenerTrust struct {
	Name  string
	Trust []string
}

// limits are the largest bodies that are read, in bytes.
type limits struct{ Tools, Agents, Models int64 }

// of is the limit of a surface; 0: its bodies are not read.
func (l limits) of(s v1alpha1.SurfaceType) int64 {
	switch s {
	case v1alpha1.SurfaceTools:
		return l.Tools
	case v1alpha1.SurfaceAgents:
		return l.Agents
	case v1alpha1.SurfaceModels:
		return l.Models
	case v1alpha1.SurfacePackages:
		return 1 // a body is waited for, to be refused
	default:
		return 0
	}
}

// trust are the TrustDomains of a listener; nil: not given.
func (c *configFact) trust(listener string) []string {
	for _, l := range c.Listeners {
		if l.Name == listener {
			return l.Trust
		}
	}
	return c.Trust
}

// defaultConfig is that of a Gateway that names none.
func defaultConfig(c Config) *configFact {
	return &configFact{
		Unmatched: v1alpha1.UnmatchedDeny,
		MinRemain: defaultMinRemain,
		MaxAge:    defaultMaxAge,
		OnStale:   c.OnStale,
		Detail:    v1alpha1.DetailFull,
		Limits:    limits{Tools: defaultToolsBytes, Agents: defaultAgentsBytes, Models: defaultModelsBytes},
	}
}

func readConfig(r *reader, ref source.Ref) {
	v, ok := get[*v1alpha1.GatewayConfig](r, kindConfig, ref.Namespace, ref.Name)
	if !ok {
		return
	}
	p := configParser{fact: defaultConfig(r.t.cfg)}
	p.enums(&v.Spec)
	p.durations(&v.Spec)
	p.limits(v.Spec.Limits)
	p.trust(&v.Spec)
	p.captured(v.Spec.Listeners)
	if v.Spec.Egress != nil {
		p.resolvers(v.Spec.Egress.Resolvers)
	}
	say(r, factConfig, ref, p.fact)
}

// configParser collects what is wrong: any of it makes the whole unusable,
// since what a GatewayConfig does not say has a default that says something.
type configParser struct{ fact *configFact }

func (p *configParser) fail(format string, args ...any) {
	p.fact.Problems = append(p.fact.Problems, fmt.Sprintf(format, args...))
}

func (p *configParser) enums(s *v1alpha1.GatewayConfigSpec) {
	switch s.Unmatched {
	case "", v1alpha1.UnmatchedDeny:
	case v1alpha1.UnmatchedAllow:
		p.fact.Unmatched = s.Unmatched
	default:
		p.fail("spec.unmatched: %q is neither Deny nor Allow", s.Unmatched)
	}
	if s.Denials != nil {
		switch s.Denials.Detail {
		case "", v1alpha1.DetailFull:
		case v1alpha1.DetailCode:
			p.fact.Detail = s.Denials.Detail
		default:
			p.fail("spec.denials.detail: %q is neither Full nor Code", s.Denials.Detail)
		}
	}
	if s.Feed != nil {
		switch s.Feed.OnStale {
		case "":
		case onStaleDeny, onStaleReport:
			p.fact.OnStale = s.Feed.OnStale
		default:
			p.fail("spec.feed.onStale: %q is neither Deny nor Report", s.Feed.OnStale)
		}
	}
}

func (p *configParser) durations(s *v1alpha1.GatewayConfigSpec) {
	if s.Streams != nil {
		p.duration(&p.fact.Unleashed, s.Streams.UnleashedMax, "spec.streams.unleashedMax", maxUnleashed)
		p.duration(&p.fact.MinRemain, s.Streams.MinRemaining, "spec.streams.minRemaining", maxMinRemain)
	}
	if s.Feed != nil {
		p.duration(&p.fact.MaxAge, s.Feed.MaxAge, "spec.feed.maxAge", maxMaxAge)
		if p.fact.MaxAge == 0 {
			p.fail("spec.feed.maxAge: is 0: policy would be too old at once")
		}
	}
}

func (p *configParser) duration(to *time.Duration, d *gatewayv1.Duration, field string, most time.Duration) {
	if d == nil {
		return
	}
	v, err := duration(*d)
	switch {
	case err != nil:
		p.fail("%s: %v", field, err)
	case v > most:
		p.fail("%s: %s is more than %s", field, *d, most)
	default:
		*to = v
	}
}

func (p *configParser) limits(l *v1alpha1.LimitsConfig) {
	if l == nil || l.BodyBytes == nil {
		return
	}
	p.bytes(&p.fact.Limits.Tools, l.BodyBytes.Tools, "tools")
	p.bytes(&p.fact.Limits.Agents, l.BodyBytes.Agents, "agents")
	p.bytes(&p.fact.Limits.Models, l.BodyBytes.Models, "models")
}

func (p *configParser) bytes(to *int64, q *resource.Quantity, name string) {
	if q == nil {
		return
	}
	if q.CmpInt64(1) < 0 || q.CmpInt64(maxBodyBytes) > 0 {
		p.fail("spec.limits.bodyBytes.%s: %s is not between 1 and 64Mi", name, q)
		return
	}
	*to = q.Value()
}

func (p *configParser) trust(s *v1alpha1.GatewayConfigSpec) {
	if s.TrustDomainRefs != nil {
		p.fact.Trust = namesOf(s.TrustDomainRefs)
	}
	for _, l := range s.Listeners {
		if l.TrustDomainRefs != nil {
			p.fact.Listeners = append(p.fact.Listeners, listenerTrust{l.Name, namesOf(*l.TrustDomainRefs)})
		}
	}
}

func namesOf(refs []v1alpha1.LocalReference) []string {
	names := make([]string, 0, len(refs))
	for _, ref := range refs {
		names = append(names, ref.Name)
	}
	return names
}

// resolvers that cannot be read are not left out: the system's would be asked
// in their place.
func (p *configParser) resolvers(list []string) {
	for i, s := range list {
		a, err := netip.ParseAddrPort(s)
		if err != nil || a.Port() == 0 || a.Addr().IsUnspecified() || a.Addr().IsMulticast() {
			p.fail("spec.egress.resolvers[%d]: %q is no ADDRESS:PORT of a server", i, s)
			continue
		}
		p.fact.Resolvers = append(p.fact.Resolvers, a)
	}
}
