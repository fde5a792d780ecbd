package canary

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"

	"github.com/hopgate/hopgate/gateway/api/wire"
)

// together is how many tunnels to each destination are open at once, of each
// mode: where they can mix, some of them do.
const together = 2

// tunnels wants each of many concurrent tunnels to lead to its own target, by
// every mode. They are streams of one connection: each of Envoy's workers has
// pools of its own, in which nothing of others can mix.
func (p *Prover) tunnels(ctx context.Context, a *attempt, f *findings) {
	w := newWay(a, wire.CanaryProxy, "", func(ctx context.Context) (net.Conn, error) { return p.dial(ctx, wire.CanaryProxy) })
	defer w.close()
	var wg sync.WaitGroup
	for _, mode := range modes() {
		for range together {
			for _, d := range []string{wire.CanaryOne, wire.CanaryTwo} {
				wg.Go(func() { f.add(Tunnels, "tunnel "+mode, p.tunnel(ctx, w, d, mode)) })
			}
		}
	}
	wg.Wait()
}

// tunnel opens a tunnel to a destination and asks who is at its end.
func (p *Prover) tunnel(ctx context.Context, w *way, destination, mode string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	host := wire.CanaryHost(destination, mode)
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
	if _, err := fmt.Fprintf(in, "GET %s HTTP/1.1\r\nHost: %s\r\n%s: %s\r\nConnection: close\r\n\r\n", pathName, host, wire.HeaderTxnToken, w.secret); err != nil {
		return p.late(ctx, err, "no answer in a tunnel")
	}
	return p.wantName(ctx, res.Body, destination)
}

// pipe is what a request's body is written by. It ends with ctx: while more of
// its body is waited for, a request does not look at that. stop must be called.
func pipe(ctx context.Context) (out *io.PipeReader, in *io.PipeWriter, stop func()) {
	out, in = io.Pipe()
	late := context.AfterFunc(ctx, func() { _ = in.CloseWithError(ctx.Err()) }) // it has nothing to say
	return out, in, func() {
		late()
		_ = in.Close() // nor has it here
	}
}

// connect asks for a tunnel on the way's one connection.
func (w *way) connect(ctx context.Context, target string, out io.ReadCloser) (*http.Response, error) {
	req := (&http.Request{
		Method: http.MethodConnect, URL: &url.URL{Scheme: "http", Host: w.listener}, Host: target,
		Header: http.Header{http.CanonicalHeaderKey(wire.HeaderTxnToken): {w.secret}}, Body: out, ContentLength: -1,
	}).WithContext(ctx)
	return w.transport.RoundTrip(req)
}

// wantName reads the answer of what is at a tunnel's end.
func (p *Prover) wantName(ctx context.Context, in io.Reader, destination string) error {
	res, err := http.ReadResponse(bufio.NewReader(in), nil)
	if err != nil {
		return p.late(ctx, err, "no answer in a tunnel")
	}
	defer res.Body.Close()
	name, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	switch {
	case err != nil:
		return p.late(ctx, err, "no answer in a tunnel")
	case res.StatusCode == http.StatusMisdirectedRequest:
		return errors.New("a tunnel was taken for another")
	case res.StatusCode != http.StatusOK:
		return fmt.Errorf("in a tunnel %s", answered(res, name))
	case string(name) != destination:
		return fmt.Errorf("a tunnel to %s led to %q", destination, name)
	}
	return nil
}
