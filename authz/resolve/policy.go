package resolve

import (
	"net/netip"
	"slices"
	"time"

	"github.com/hopgate/hopgate/authz/surface/egress"
)

// policy is what names and addresses are judged by. It never changes.
type policy struct {
	space *egress.Space
	hosts map[string]host
}

func newPolicy(s Settings) *policy {
	p := &policy{space: s.Space, hosts: map[string]host{}}
	if p.space == nil {
		p.space = &egress.Space{}
	}
	for _, h := range s.Hosts {
		name, err := egress.ParseName(h.Name)
		if err != nil {
			continue
		}
		if _, twice := p.hosts[name]; !twice {
			addrs := slices.Clone(h.Addresses)
			slices.SortFunc(addrs, netip.Addr.Compare)
			p.hosts[name] = host{addrs: addrs}
		}
	}
	return p
}

// closed reports whether a name is never asked of servers, nor followed when
// an alias leads to it: a stranger's name must not open what the operator
// opened by another.
func (p *policy) closed(name string) bool {
	_, ours := p.hosts[name]
	return ours || egress.ClassifyName(name) != egress.NamePublic
}

// judgement is what a policy says of an entry. It is made once.
type judgement struct {
	by   *policy
	mode string
	err  error
}

// judge says what e is worth now.
func (p *policy) judge(e *entry, now time.Time) (Answer, error) {
	j := e.judged.Load()
	if j == nil || j.by != p {
		j = p.weigh(e)
		e.judged.Store(j)
	}
	if j.err != nil {
		return Answer{}, j.err
	}
	return Answer{Addrs: e.addrs, Mode: j.mode, TTL: max(e.expires.Sub(now), 0)}, nil
}

func (p *policy) weigh(e *entry) *judgement {
	if slices.ContainsFunc(e.aliases, p.closed) {
		return &judgement{by: p, err: e.refused(&egress.Refusal{Reason: egress.ReasonName})}
	}
	if e.failed != "" {
		return &judgement{by: p, err: &Failure{Kind: e.failed}}
	}
	v := p.space.OpenAll(e.addrs, 0)
	if !v.Open() {
		return &judgement{by: p, err: e.refused(&egress.Refusal{Reason: v.Reason, Class: v.Class})}
	}
	return &judgement{by: p, mode: v.Mode}
}
