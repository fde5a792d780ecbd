package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/hopgate/hopgate/cmd/hopgate/laptop"
)

// egress measures what goes to names that agents choose.
func (b *bench) egress(ctx context.Context) ([]figure, error) {
	var out []figure
	for _, p := range []struct {
		name string
		run  func(*bench, context.Context) ([]figure, error)
	}{
		{"listed hosts", (*bench).listed},
		{"mint", (*bench).minting},
		{"ways to a site", (*bench).ways},
		{"first flights", (*bench).flights},
		{"names", (*bench).names},
	} {
		figures, err := p.run(b, ctx)
		out = append(out, figures...)
		if err != nil {
			return out, fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return out, nil
}

// egressSpan is how long each of many things is measured.
func (b *bench) egressSpan() time.Duration { return b.span() / 2 }

// country is a site and the roads to it, the shortest first.
type country struct {
	site  *site
	roads []*road
}

// close ends the roads before the site, which waits for what flows.
func (l *country) close() error {
	var errs []error
	for _, r := range slices.Backward(l.roads) {
		for _, v := range slices.Backward(r.undo) {
			errs = append(errs, v())
		}
	}
	return errors.Join(errors.Join(errs...), l.site.close())
}

// openSite opens one on this machine.
func openSite(a *authority) (*site, error) {
	cert, err := a.sign(hostPassed, hostInspected)
	if err != nil {
		return nil, err
	}
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("open a site: %w", err)
	}
	secure, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open a site: %w", err), plain.Close())
	}
	return newSite(plain, secure, cert), nil
}

// newCountry builds a site, and all the roads.
func (b *bench) newCountry(ctx context.Context) (_ *country, err error) {
	a, err := newAuthority()
	if err != nil {
		return nil, err
	}
	s, err := openSite(a)
	if err != nil {
		return nil, err
	}
	l := &country{site: s}
	for _, build := range []func(context.Context, *authority, *site) (*road, error){b.straight, b.byEnvoy, b.byHopgate} {
		r, err := build(ctx, a, l.site)
		if err != nil {
			return nil, errors.Join(err, l.close())
		}
		l.roads = append(l.roads, r)
	}
	return l, nil
}

// straight is the road that nobody is on.
func (b *bench) straight(_ context.Context, a *authority, s *site) (*road, error) {
	r := &road{name: "direct", what: "without a proxy", secure: portOf(s.secure), plain: portOf(s.plain), dial: dialLocal}
	var err error
	r.trust, err = trusted(certificatePEM(a.cert.Raw))
	return r, err
}

func portOf(u *upstream) int { return int(u.at.Port()) }

func (b *bench) byEnvoy(ctx context.Context, a *authority, s *site) (*road, error) {
	r, err := b.straight(ctx, a, s)
	if err != nil {
		return nil, err
	}
	r.name, r.what = "envoy", "by Envoy alone"
	dir, err := b.folder("egress-envoy")
	if err != nil {
		return nil, err
	}
	v := alone{secure: s.secure.at, plain: s.plain.at, roots: filepath.Join(dir, rootsFile)}
	if err := v.fill(a); err != nil {
		return nil, err
	}
	if v.port, err = freePort(); err != nil {
		return nil, err
	}
	e, err := b.runStatic(ctx, dir, v, func(int) {})
	if err != nil {
		return nil, err
	}
	r.proxy, r.envoy, r.undo = v.port, e.envoy.PID(), append(r.undo, e.stop)
	return r, nil
}

const rootsFile = "roots.pem"

// fill gives it a certificate by the site's own authority.
func (v *alone) fill(a *authority) error {
	own, err := a.sign(hostInspected)
	if err != nil {
		return err
	}
	v.chain = certificatePEM(own.Certificate[0])
	if v.key, err = a.keyPEM(); err != nil {
		return err
	}
	return a.write(v.roots)
}

func (b *bench) byHopgate(ctx context.Context, a *authority, s *site) (*road, error) {
	l := egressLayout{secure: portOf(s.secure), plain: portOf(s.plain)}
	return b.pave(ctx, "egress-hopgate", a, &l)
}

// pave starts a hopgate with these objects, on a port that it chooses.
func (b *bench) pave(ctx context.Context, name string, a *authority, l *egressLayout) (_ *road, err error) {
	dir, err := b.folder(name)
	if err != nil {
		return nil, err
	}
	roots := filepath.Join(dir, rootsFile)
	if err := a.write(roots); err != nil {
		return nil, err
	}
	if l.port, err = freePort(); err != nil {
		return nil, err
	}
	p, err := b.launchAs(ctx, name, spec{Roots: roots}, l.write)
	if err != nil {
		return nil, err
	}
	r := &road{
		name: "hopgate", what: "by hopgate", proxy: l.port, token: p.token, secure: l.secure, plain: l.plain, dial: dialLocal,
		envoy: p.first.Envoy, guard: p.child, undo: []func() error{p.stop},
	}
	if r.trust, err = p.trust(a); err != nil {
		return nil, errors.Join(err, p.stop())
	}
	return r, nil
}

// trust is whom a client of it believes: what signed for the site, and its CA.
func (p *launched) trust(a *authority) (*x509.CertPool, error) {
	own, err := os.ReadFile(laptop.CAIn(p.state()).Cert)
	if err != nil {
		return nil, fmt.Errorf("read the CA of a hopgate: %w", err)
	}
	return trusted(certificatePEM(a.cert.Raw), own)
}
