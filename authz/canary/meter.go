package canary

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
)

// meterRoom is how many bytes of a metered canary's body may pass.
const meterRoom = 4 << 10

// headerWay tells a destination by which way a canary comes.
const headerWay = "Canary"

// tally is what came of metered canaries beyond what may, as their destinations
// tell it.
type tally struct {
	mu      sync.Mutex
	waiting map[string]chan int // guarded by mu; by way
}

// expect is where the word of a way will be.
func (t *tally) expect(way string) <-chan int {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.waiting[way] = make(chan int, 1)
	return t.waiting[way]
}

// tell says how many bytes came too many, to who waits for it.
func (t *tally) tell(way string, n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if c := t.waiting[way]; c != nil {
		c <- n
		delete(t.waiting, way)
	}
}

// more is how much comes of a body that is over, or is to be broken off.
func more(in io.Reader) int {
	n, _ := in.Read(make([]byte, 1)) // that nothing comes is what it is for
	return n
}

// metered answers when all that may pass has come, and waits for what may not.
func (e *plain) metered(w http.ResponseWriter, r *http.Request) {
	c := http.NewResponseController(w)
	if err := c.EnableFullDuplex(); err != nil {
		return
	}
	if _, err := io.CopyN(io.Discard, r.Body, meterRoom); err != nil {
		return
	}
	_, _ = io.WriteString(w, beginning) // a canary that has gone needs no answer
	_ = c.Flush()                       // nor does it need this
	e.tally.tell(r.Header.Get(headerWay), more(r.Body))
}

// growing is a body that can be given up while more of it is waited for.
type growing struct {
	io.Reader
	io.Closer
}

// meter wants a request's body to pass as far as there is room for it, and the
// request to be broken off with the first byte more, which does not pass.
func (p *Prover) meter(ctx context.Context, w *way) error {
	over := p.tally.expect(w.String())
	rest, in, stop := pipe(ctx)
	defer stop()
	body := growing{io.MultiReader(bytes.NewReader(make([]byte, meterRoom)), rest), rest}
	res, err := w.send(ctx, http.MethodPost, pathMeter, body)
	if err != nil {
		return p.lost(ctx, w, err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		rest, _ := io.ReadAll(io.LimitReader(res.Body, maxAnswer)) // as far as it goes
		return w.refused(res, rest)
	}
	if _, err := io.ReadFull(res.Body, make([]byte, len(beginning))); err != nil {
		return p.late(ctx, err, "an answer that did not begin")
	}
	if _, err := in.Write([]byte{0}); err != nil {
		return p.late(ctx, err, "a request that could not go on")
	}
	_, err = io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	return overrun(ctx, over, err)
}

// overrun judges how a canary ended that sent more than it may: err is what
// broke it off.
func overrun(ctx context.Context, over <-chan int, err error) error {
	n := -1 // nothing was said
	select {
	case n = <-over:
	case <-ctx.Done():
		select {
		case n = <-over:
		default:
		}
	}
	switch {
	case n > 0:
		return fmt.Errorf("%d byte passed that a budget had no room for", n)
	case ctx.Err() != nil:
		return fmt.Errorf("what sent more than a budget has room for was open still after %w", context.Cause(ctx))
	case err == nil:
		return errors.New("what sent more than a budget has room for came to an orderly end")
	}
	return nil
}
