package resolve

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/miekg/dns"

	"github.com/hopgate/hopgate/authz/surface/egress"
)

// maxAddrs is more than any name has that is meant for clients.
const maxAddrs = 32

// source is a set of servers and what they said. Other servers make another
// source: names may lead elsewhere there.
type source struct {
	r       *Resolver
	servers *servers
	cache   *cache
	// services are HTTPS records by name.
	services *cache
}

func newSource(r *Resolver, fixed []netip.AddrPort) *source {
	return &source{
		r:       r,
		servers: &servers{fixed: slices.Clone(fixed), file: r.cfg.SystemFile, now: r.cfg.Now},
		cache:   newCache(r.cfg.Names), services: newCache(r.cfg.Names),
	}
}

// fetch asks the servers, once for all who ask at one time.
func (s *source) fetch(ctx context.Context, name string) (*entry, error) {
	fl := s.r.flights.join(flightKey{source: s, name: name}, func(ctx context.Context) *entry {
		// Who asked as another flight ended finds its answer.
		if e := s.cache.get(name, s.r.cfg.Now()); e != nil {
			return e
		}
		return s.fly(ctx, name)
	})
	return wait(ctx, fl)
}

// wait is for who joined a flight; nil: there was none to join.
func wait(ctx context.Context, fl *flight) (*entry, error) {
	if fl == nil {
		return nil, &Failure{Kind: Busy}
	}
	select {
	case <-fl.done:
		return fl.entry, nil
	case <-ctx.Done():
		return nil, &Failure{Kind: Timeout}
	}
}

func (s *source) fly(ctx context.Context, name string) *entry {
	begin := s.r.cfg.Now()
	ctx, cancel := context.WithTimeout(ctx, s.r.cfg.Total)
	defer cancel()
	f := s.bothFamilies(ctx, name)
	e := f.entry(s.r.cfg.Now())
	_, err := s.r.view.Load().policy.judge(e, e.expires)
	var refusal *egress.Refusal
	outcome := "ok"
	switch {
	case errors.As(err, &refusal):
		outcome = string(refusal.Reason)
		e.expires = s.r.cfg.Now().Add(min(f.ttl, refusedTTL))
	case err != nil:
		outcome = string(e.failed)
	}
	s.r.cfg.Observer.Resolved(outcome, s.r.cfg.Now().Sub(begin))
	s.cache.put(name, e)
	return e
}

// finding is what was found of one name, in one family or both.
type finding struct {
	addrs    []netip.Addr
	services []*dns.HTTPS
	aliases  []string
	// ttl is within the bounds.
	ttl    time.Duration
	failed Kind
}

// entry makes a finding one.
func (f finding) entry(now time.Time) *entry {
	return &entry{addrs: f.addrs, aliases: f.aliases, failed: f.failed, expires: now.Add(f.ttl)}
}

// bothFamilies asks for IPv4 and IPv6 at once. When one of them has addresses,
// the other is waited for no longer than for one exchange.
func (s *source) bothFamilies(ctx context.Context, name string) finding {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	found := make(chan finding, 2)
	for _, family := range [...]uint16{dns.TypeA, dns.TypeAAAA} {
		go func() { found <- s.walk(ctx, name, family) }()
	}
	one := <-found
	if len(one.addrs) > 0 {
		defer time.AfterFunc(s.r.cfg.Try, cancel).Stop()
	}
	return join(one, <-found)
}

// join makes one finding of two. Where one family failed, the other's
// addresses are the answer, for a short time: nothing else will be dialled.
func join(a, b finding) finding {
	out := finding{aliases: a.aliases, ttl: min(a.ttl, b.ttl)}
	for _, name := range b.aliases {
		if !slices.Contains(out.aliases, name) {
			out.aliases = append(out.aliases, name)
		}
	}
	out.addrs = slices.Concat(a.addrs, b.addrs)
	slices.SortFunc(out.addrs, netip.Addr.Compare)
	out.addrs = slices.Compact(out.addrs)
	failed := worse(a.failed, b.failed)
	switch {
	case len(out.addrs) > maxAddrs:
		return finding{failed: TooMany, ttl: failedTTL, aliases: out.aliases}
	case len(out.addrs) == 0, failed == Malformed, failed == TooMany:
		return finding{failed: failed, ttl: out.ttl, aliases: out.aliases}
	case failed == NoAddress:
		out.ttl = max(a.ttl, b.ttl) // that of the family that has some
	}
	out.ttl = max(out.ttl, minTTL)
	return out
}

// worse is the failure that says more; empty: there is none. That a name does
// not exist is known only if nothing else went wrong.
func worse(a, b Kind) Kind {
	for _, k := range [...]Kind{Malformed, TooMany, Timeout, ServerFailure, NoName, NoAddress} {
		if a == k || b == k {
			return k
		}
	}
	return ""
}
