package canary

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/hopgate/hopgate/authz/denial"
	"github.com/hopgate/hopgate/authz/leash"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

// capturedTLS is how that way is called.
const capturedTLS = "captured TLS"

// accessDenied is the alert by which captured TLS is refused (RFC 8446 section
// 6.2).
func accessDenied() []byte { return []byte{21, 3, 3, 0, 2, 2, 49} }

// captured wants TLS that was captured to be made a tunnel that is decided by
// its name and by where it came from, that ends as every hop does, and that
// leads nowhere where it is refused. They are all open at once, under names and
// from places of their own: none may be taken for another.
func (p *Prover) captured(ctx context.Context, a *attempt, f *findings) {
	var wg sync.WaitGroup
	for i, t := range []struct {
		proof, path string
		prove       func(ctx context.Context, a *attempt, from netip.AddrPort) error
	}{
		{Deadline, pathDeadline, p.capturedDeadline},
		{Cut, pathCut, p.capturedCut},
		{Tunnels, pathName, p.capturedName},
		{Meter, pathMeter, p.capturedMeter},
		{Refused, pathRefused, p.capturedRefused},
	} {
		from := place(i)
		wg.Go(func() {
			f.add(t.proof, capturedTLS, t.prove(ctx, a, from))
			if got, decided := a.source(t.path); decided && got != from.String() {
				f.add(Tunnels, capturedTLS, fmt.Errorf("what came from %s was taken to come from %q", from, got))
			}
		})
	}
	wg.Wait()
}

// place is where one of them comes from (RFC 5737): by a socket all come from
// nowhere, so that the listener of canaries is told.
func place(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i + 1)}), uint16(1000+i))
}

// begin enters, from a place, with TLS that has a name. stop must be called.
func (p *Prover) begin(ctx context.Context, from netip.AddrPort, name string) (c net.Conn, stop func(), err error) {
	c, err = p.dial(ctx, wire.CanaryTLS)
	if err != nil {
		return nil, nil, err
	}
	late := context.AfterFunc(ctx, func() { c.Close() })
	stop = func() {
		late()
		c.Close()
	}
	header := fmt.Sprintf("PROXY TCP4 %s %s %d %d\r\n", from.Addr(), from.Addr(), from.Port(), wire.CanaryPort)
	if _, err := c.Write(append([]byte(header), hello(name, newTLS)...)); err != nil {
		stop()
		return nil, nil, p.late(ctx, err, "TLS could not begin")
	}
	return c, stop, nil
}

// capturedAs is the name of captured TLS that is for this path.
func capturedAs(a *attempt, path, destination string) string {
	return wire.CanaryServerName(a.secret, path[1:], wire.CanaryHost(destination, wire.ModeHosts))
}

// capturedName wants it to arrive, and all that its server says.
func (p *Prover) capturedName(ctx context.Context, a *attempt, from netip.AddrPort) error {
	c, stop, err := p.begin(ctx, from, capturedAs(a, pathName, wire.CanarySecure))
	if err != nil {
		return err
	}
	defer stop()
	return heard(ctx, c, arrived())
}

// capturedRefused wants it to be told so, and to lead nowhere.
func (p *Prover) capturedRefused(ctx context.Context, a *attempt, from netip.AddrPort) error {
	c, stop, err := p.begin(ctx, from, capturedAs(a, pathRefused, wire.CanaryNever))
	if err != nil {
		return err
	}
	defer stop()
	return heard(ctx, c, accessDenied())
}

// capturedDeadline wants it to be ended when its life is over, and no sooner.
func (p *Prover) capturedDeadline(ctx context.Context, a *attempt, from netip.AddrPort) error {
	begun := p.cfg.Now()
	c, stop, err := p.begin(ctx, from, capturedAs(a, pathDeadline, wire.CanarySecure))
	if err != nil {
		return err
	}
	defer stop()
	got, _ := io.ReadAll(io.LimitReader(c, maxAnswer)) // it may be broken off
	lived := p.cfg.Now().Sub(begun)
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("a tunnel with a deadline of %s was open after %s", capturedLife, lived.Round(time.Millisecond))
	case lived < capturedLife:
		return fmt.Errorf("a tunnel with a deadline of %s ended after %s, and was answered %s", capturedLife, lived, said(got))
	}
	if _, decided := a.source(pathDeadline); !decided {
		return errors.New("captured TLS ended that nobody had decided")
	}
	return nil
}

// capturedCut wants it to end when it is cut.
func (p *Prover) capturedCut(ctx context.Context, a *attempt, from netip.AddrPort) error {
	c, stop, err := p.begin(ctx, from, capturedAs(a, pathCut, wire.CanarySecure))
	if err != nil {
		return err
	}
	defer stop()
	if err := p.arrives(ctx, c); err != nil {
		return err
	}
	id, ok := a.hop(wire.CanaryTLS, wire.ModeHosts, pathCut)
	if !ok || !p.cfg.Cut(id, leash.Cut{Code: denial.TokenRevoked, Detail: wire.DetailRevoked}) {
		return errors.New("a tunnel flowed that nothing held")
	}
	if _, _ = io.Copy(io.Discard, c); ctx.Err() != nil { // it may be broken off
		return fmt.Errorf("a tunnel that was cut was open still after %w", context.Cause(ctx))
	}
	return nil
}

// capturedMeter wants it to pass as far as there is room for it.
func (p *Prover) capturedMeter(ctx context.Context, a *attempt, from netip.AddrPort) error {
	name := capturedAs(a, pathMeter, wire.CanarySecure)
	over := p.tally.expect(name)
	c, stop, err := p.begin(ctx, from, name)
	if err != nil {
		return err
	}
	defer stop()
	// The rest of what may pass, and more.
	for _, next := range [][]byte{record(meterRoom - len(hello(name, newTLS))), record(6)} {
		if err := p.arrives(ctx, c); err != nil {
			return err
		}
		if _, err := c.Write(next); err != nil {
			return p.late(ctx, err, "a tunnel that could not go on")
		}
	}
	// Its destination says when it was broken off; what the client sees of that
	// comes later.
	return overrun(ctx, over, errBrokenOff)
}

// errBrokenOff stands for the end of a tunnel, which has but one.
var errBrokenOff = errors.New("broken off")

// arrives waits for the destination's word.
func (p *Prover) arrives(ctx context.Context, c io.Reader) error {
	got := make([]byte, len(arrived()))
	if n, err := io.ReadFull(c, got); err != nil {
		return p.late(ctx, fmt.Errorf("%w, answered %s", err, said(got[:n])), "captured TLS did not arrive")
	}
	if !bytes.Equal(got, arrived()) {
		return fmt.Errorf("captured TLS was answered %s", said(got))
	}
	return nil
}
