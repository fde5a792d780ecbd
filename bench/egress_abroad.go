package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/hopgate/hopgate/bench/network"
	"github.com/hopgate/hopgate/gateway/infra/process"
)

// abroad is a hopgate in a network of its own, where a server of names knows
// all of them, and a site is behind each.
type abroad struct {
	net  *network.Network
	zone *zone
	site *site
	road *road
}

// newAbroad builds one in n, which stays the caller's.
func (b *bench) newAbroad(ctx context.Context, n *network.Network) (*abroad, error) {
	a, err := newAuthority()
	if err != nil {
		return nil, err
	}
	l := &abroad{net: n}
	if err := n.Do(func() error { return l.settle(a) }); err != nil {
		return nil, errors.Join(err, l.close())
	}
	objects := egressLayout{secure: portOf(l.site.secure), plain: portOf(l.site.plain), resolver: l.zone.at.String()}
	if err := n.Do(func() (err error) { l.road, err = b.pave(ctx, "egress-abroad", a, &objects); return err }); err != nil {
		return nil, errors.Join(err, l.close())
	}
	l.road.dial = l.dial
	return l, nil
}

// settle opens what is at the other end.
func (l *abroad) settle(a *authority) (err error) {
	cert, err := a.sign("*."+hostPassed, "*."+hostInspected)
	if err != nil {
		return err
	}
	if l.zone, err = newZone(); err != nil {
		return err
	}
	plain, err := net.Listen("tcp", ":80")
	if err != nil {
		return fmt.Errorf("open a site: %w", err)
	}
	secure, err := net.Listen("tcp", ":443")
	if err != nil {
		return errors.Join(fmt.Errorf("open a site: %w", err), plain.Close())
	}
	l.site = newSite(plain, secure, cert)
	return nil
}

func (l *abroad) close() error {
	var errs []error
	if l.road != nil {
		for _, v := range l.road.undo {
			errs = append(errs, v())
		}
	}
	if l.site != nil {
		errs = append(errs, l.site.close())
	}
	if l.zone != nil {
		errs = append(errs, l.zone.close())
	}
	return errors.Join(errs...)
}

func (l *abroad) dial(ctx context.Context, port int) (c net.Conn, err error) {
	err = l.net.Do(func() error { c, err = dialLocal(ctx, port); return err })
	return c, err
}

// weight is what there is of memory, in bytes, and of hosts in Envoy's cache.
type weight struct {
	guard, envoy int64
	hosts        int
	names        int
}

// weigh is after garbage is gone.
func (l *abroad) weigh(ctx context.Context) (w weight, err error) {
	r, err := l.road.guard.collect()
	if err != nil {
		return w, err
	}
	w.guard, w.names = r.Heap, r.Names
	admin := process.NewAdmin(r.Admin)
	if w.envoy, err = allocated(ctx, admin); err != nil {
		return w, err
	}
	w.hosts, err = cachedHosts(ctx, admin)
	return w, err
}

// allocated is what an Envoy has in use.
func allocated(ctx context.Context, a *process.Admin) (int64, error) {
	raw, err := a.Get(ctx, "/memory")
	if err != nil {
		return 0, err
	}
	var m struct {
		Allocated string `json:"allocated"`
	}
	if err := json.Unmarshal([]byte(raw), &m); err != nil {
		return 0, fmt.Errorf("read envoy's memory: %w", err)
	}
	n, err := strconv.ParseInt(m.Allocated, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read envoy's memory: %w", err)
	}
	return n, nil
}

// cachedHosts is how many hosts an Envoy's caches of names have.
func cachedHosts(ctx context.Context, a *process.Admin) (total int, err error) {
	s, err := a.Get(ctx, `/stats?filter=^dns_cache\..*\.num_hosts$`)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(s) {
		_, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		n, err := strconv.Atoi(value)
		if err != nil {
			return 0, fmt.Errorf("read envoy's statistics: %w", err)
		}
		total += n
	}
	return total, nil
}

const (
	// expireWithin is how long hosts may stay in Envoy's cache that nobody wants,
	// expireLook how often they are looked at.
	expireWithin = 4 * time.Minute
	expireLook   = time.Second
)

// expired waits until no host is left, or for as long as that may take.
func (l *abroad) expired(ctx context.Context) (w weight, err error) {
	for end := time.Now().Add(expireWithin); ; {
		if w, err = l.weigh(ctx); err != nil || w.hosts+w.names == 0 || time.Now().After(end) {
			return w, err
		}
		if err := pause(ctx, expireLook); err != nil {
			return w, err
		}
	}
}
