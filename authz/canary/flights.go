package canary

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"

	"github.com/hopgate/hopgate/gateway/api/wire"
)

// tooOld is the alert by which the reader of first flights refuses TLS that is
// too old: protocol_version (RFC 8446 section 6.2).
func tooOld() []byte { return []byte{21, 3, 1, 0, 2, 2, 70} }

// flights wants what the TLS in tunnels begins with to be read before anything
// is dialled, by every mode: what is good passes, and what the reader says
// nothing to goes nowhere.
func (p *Prover) flights(ctx context.Context, a *attempt, f *findings) {
	w := newWay(a, wire.CanaryProxy, "", func(ctx context.Context) (net.Conn, error) { return p.dial(ctx, wire.CanaryProxy) })
	defer w.close()
	var wg sync.WaitGroup
	prove := func(destination, mode string, want []byte) {
		host := wire.CanaryHost(destination, mode)
		wg.Go(func() { f.add(Flight, "tunnel "+mode, p.flight(ctx, w, host, hello(host, newTLS), want)) })
	}
	for _, mode := range modes() {
		prove(wire.CanarySecure, mode, arrived())
		prove(wire.CanaryNever, mode, nil)
	}
	wg.Wait()
}

// refusal wants what their reader refuses, which is the same by every mode, to
// be told so and to go nowhere either. The reader gives a tunnel little time to
// end by its alert, and then breaks it off: where that was too little, it is
// unanswered.
func (p *Prover) refusal(ctx context.Context, a *attempt) error {
	w := newWay(a, wire.CanaryProxy, "", func(ctx context.Context) (net.Conn, error) { return p.dial(ctx, wire.CanaryProxy) })
	defer w.close()
	host := wire.CanaryHost(wire.CanaryNever, wire.ModeHosts)
	return p.flight(ctx, w, host, hello(host, oldTLS), tooOld())
}

// unanswered is TLS that was to be answered, and was not.
type unanswered struct{ error }

// flight opens a tunnel, begins TLS in it, and wants to hear exactly one thing
// before its end.
func (p *Prover) flight(ctx context.Context, w *way, host string, first, want []byte) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	out, in, stop := pipe(ctx)
	defer stop()
	res, err := w.connect(ctx, fmt.Sprintf("%s:%d", host, wire.CanaryPort), out)
	if err != nil {
		return p.late(ctx, err, "no tunnel")
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		rest, _ := io.ReadAll(io.LimitReader(res.Body, maxAnswer)) // as far as it goes
		return fmt.Errorf("a tunnel was %s", answered(res, rest))
	}
	if _, err := in.Write(first); err != nil {
		return p.late(ctx, err, "TLS could not begin")
	}
	return heard(ctx, res.Body, want)
}

// heard wants a tunnel to say one thing and then to end, however it does.
func heard(ctx context.Context, in io.Reader, want []byte) error {
	got, _ := io.ReadAll(io.LimitReader(in, maxAnswer)) // it may be broken off
	switch {
	case !bytes.Equal(got, want) && bytes.Equal(got, arrived()):
		return errors.New("TLS passed that was not to")
	case ctx.Err() != nil:
		return fmt.Errorf("a tunnel was open still after %w, and answered %s", context.Cause(ctx), said(got))
	case len(got) == 0 && len(want) > 0:
		return unanswered{fmt.Errorf("TLS was answered nothing, and not %s", said(want))}
	case !bytes.Equal(got, want):
		return fmt.Errorf("TLS was answered %s, and not %s", said(got), said(want))
	}
	return nil
}

// said is what was heard, for a person.
func said(b []byte) string {
	if len(b) == 0 {
		return "nothing"
	}
	return fmt.Sprintf("% x", b)
}

// strays counts, from now until it is called, the connections to where nothing
// may lead, and says that there were some.
func (p *Prover) strays(ctx context.Context, a *attempt) func() error {
	before, err := p.visits(ctx, a)
	return func() error {
		if err != nil {
			return err
		}
		after, err := p.visits(ctx, a)
		if n := after - before - 1; err == nil && n > 0 {
			return fmt.Errorf("%d connections were made for TLS that was not to pass", n)
		}
		return err
	}
}

// visits is how many connections have come to where nothing may lead, with one
// of our own, behind which none is left that came before.
func (p *Prover) visits(ctx context.Context, a *attempt) (int, error) {
	ctx, cancel := a.bound(ctx)
	defer cancel()
	c, err := p.dial(ctx, wire.CanaryNever)
	if err != nil {
		return 0, fmt.Errorf("visit the end of canaries: %w", err)
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	if _, err := c.Write([]byte("no TLS")); err != nil {
		return 0, fmt.Errorf("visit the end of canaries: %w", err)
	}
	if _, err := io.Copy(io.Discard, c); err != nil {
		return 0, fmt.Errorf("visit the end of canaries: %w", err)
	}
	return p.never.total(), nil
}
