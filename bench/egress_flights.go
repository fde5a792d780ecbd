package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"path/filepath"
	"time"
)

// flights measures what it costs that the guard reads with what the TLS in a
// tunnel begins, beside tunnels that differ in nothing else; and what it costs
// where its client is likely to say more, so that it is followed.
func (b *bench) flights(ctx context.Context) (out []figure, err error) {
	b.say("egress: first flights")
	l, err := b.newStraits(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	for _, n := range []int{1, 64} {
		m := manner{fmt.Sprintf("flights/%d", n), fmt.Sprintf("a new tunnel that passes, TLS in it, and one request; %d at once", n), by(visiting(hostPassed, n))}
		figures, err := b.travel(ctx, m, l.roads)
		if err != nil {
			return out, fmt.Errorf("%s: %w", m.name, err)
		}
		out = append(out, figures...)
	}
	for _, m := range []manner{
		{"flights/handshake", "the TLS handshake alone, in a new tunnel", func(r *road) (load, []byte) { return shaking(r), nil }},
		{"flights/request", "one request in a tunnel that is there", by(alreadyThere)},
	} {
		figures, err := b.travel(ctx, m, l.roads)
		if err != nil {
			return out, fmt.Errorf("%s: %w", m.name, err)
		}
		out = append(out, figures...)
	}
	// Who is followed may not send that fast.
	carried, err := b.carry(ctx, &country{site: l.site, roads: l.roads[:2]}, cargoes()[:2])
	return append(out, carried...), err
}

// alreadyThere is one who stays.
func alreadyThere(r *road) (*visitors, []byte) {
	v, page := visiting(hostPassed, 1)(r)
	v.stay = true
	return v, page
}

// shakers shake hands in one tunnel after the other, and say nothing.
type shakers struct{ road *road }

func shaking(r *road) load { return shakers{r} }

func (s shakers) close() error { return nil }

func (s shakers) press(ctx context.Context, _ []byte, d time.Duration) (took []time.Duration, err error) {
	for end := time.Now().Add(d); time.Now().Before(end); {
		conn, err := s.road.tunnel(ctx, hostPassed)
		if err != nil {
			return nil, err
		}
		begun := time.Now()
		c, err := s.road.shake(ctx, conn, hostPassed)
		if err != nil {
			return nil, err
		}
		took = append(took, time.Since(begun))
		if err := c.NetConn().Close(); err != nil {
			return nil, fmt.Errorf("close a tunnel: %w", err)
		}
	}
	return took, nil
}

// newStraits builds a site, and a road to it by an Envoy alone, another by one
// whose first flights are read, and one by that for clients that are followed.
func (b *bench) newStraits(ctx context.Context) (_ *country, err error) {
	a, err := newAuthority()
	if err != nil {
		return nil, err
	}
	s, err := openSite(a)
	if err != nil {
		return nil, err
	}
	l := &country{site: s}
	for _, build := range []func(context.Context, *authority, *site) (*road, error){b.unread, b.read} {
		r, err := build(ctx, a, s)
		if err != nil {
			return nil, errors.Join(err, l.close())
		}
		l.roads = append(l.roads, r)
	}
	followed := *l.roads[1]
	followed.name, followed.what, followed.undo = "followed", "by Envoy, read, and what follows too", nil
	followed.groups = []tls.CurveID{tls.CurveP384, tls.CurveP521}
	l.roads = append(l.roads, &followed)
	return l, nil
}

func (b *bench) unread(ctx context.Context, a *authority, s *site) (*road, error) {
	return b.strait(ctx, a, s, &road{name: "unread", what: "by Envoy"})
}

func (b *bench) read(ctx context.Context, a *authority, s *site) (*road, error) {
	r := &road{name: "read", what: "by Envoy, and what it begins with is read"}
	dir, err := b.folder("egress-reader")
	if err != nil {
		return nil, err
	}
	if r.guard, err = b.start(ctx, spec{Role: roleReader, Dir: dir}); err != nil {
		return nil, err
	}
	r.undo = append(r.undo, r.guard.stop)
	if _, err := b.strait(ctx, a, s, r); err != nil {
		return nil, errors.Join(err, r.guard.stop())
	}
	return r, nil
}

// strait finishes a road by an Envoy of its own.
func (b *bench) strait(ctx context.Context, a *authority, s *site, r *road) (*road, error) {
	dir, err := b.folder("egress-" + r.name)
	if err != nil {
		return nil, err
	}
	v := strait{alone: alone{secure: s.secure.at, plain: s.plain.at, roots: filepath.Join(dir, rootsFile)}}
	if err := v.fill(a); err != nil {
		return nil, err
	}
	if v.port, err = freePort(); err != nil {
		return nil, err
	}
	admit := func(int) {}
	if r.guard != nil {
		v.socket = socketIn(filepath.Join(b.dir, "egress-reader"))
		admit = func(pid int) {
			if err := r.guard.admit(pid); err != nil {
				b.say("envoy: %v", err)
			}
		}
	}
	e, err := b.runStatic(ctx, dir, v, admit)
	if err != nil {
		return nil, err
	}
	r.proxy, r.secure, r.plain, r.dial = v.port, portOf(s.secure), portOf(s.plain), dialLocal
	r.envoy, r.undo = e.envoy.PID(), append(r.undo, e.stop)
	r.trust, err = trusted(certificatePEM(a.cert.Raw))
	return r, err
}
