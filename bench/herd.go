package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/hopgate/hopgate/authz/admin"
	"github.com/hopgate/hopgate/authz/contain"
	"github.com/hopgate/hopgate/bench/h2"
)

// hold is how streams are held, and what they are.
type hold struct {
	name, what string
	unleashed  bool
	// tool is true for streams of a tool, which a relay holds.
	tool bool
}

func (h hold) held() bool { return !h.unleashed }

// holds begin with the baseline.
func holds() []hold {
	return []hold{
		{name: "none", what: "without a hold (unleashedMax)", unleashed: true},
		{name: "leash", what: "events of a page, on a leash"},
		{name: "relay", what: "events of a tool, on a relay", tool: true},
	}
}

// request begins a stream; follow: of events that go on.
func (h hold) request(token string, follow bool) *h2.Request {
	r := &h2.Request{Method: http.MethodGet, Authority: "tools.example", Path: pathStream, Header: [][2]string{{"txn-token", token}}}
	if follow {
		r.Path = pathEvents
	}
	if h.tool {
		tool := toolStream
		if follow {
			tool = toolEvents
		}
		r.Method, r.Path, r.Body, r.Keep = http.MethodPost, pathTools, callOf(tool), 512
		r.Header = append(r.Header, [2]string{"content-type", "application/json"})
	}
	return r
}

// streamsOfConnection is how many streams one connection has.
const streamsOfConnection = 250

// herd is very many streams through one hopgate.
type herd struct {
	hold
	*launched
	layout  streamLayout
	admin   *admin.Client
	conns   []*h2.Conn
	tokens  []string
	streams []*h2.Stream
	// late is how often a stream was denied because its hold opened too late.
	late int
}

// txnOf is the transaction of one stream.
func txnOf(i int) string { return fmt.Sprintf("txn-%05d", i) }

// newHerd starts a hopgate for so many streams, and opens none.
func (b *bench) newHerd(ctx context.Context, k hold, n int, s *sources) (h *herd, err error) {
	h = &herd{hold: k, streams: make([]*h2.Stream, n), layout: streamLayout{upstream: int(s.at.Port()), unleashed: k.unleashed}}
	if h.layout.port, err = freePort(); err != nil {
		return nil, err
	}
	if h.launched, err = b.launchWith(ctx, fmt.Sprintf("herd-%s-%d", k.name, n), h.layout.write); err != nil {
		return nil, err
	}
	if err := h.prepare(ctx); err != nil {
		return nil, errors.Join(err, h.close())
	}
	return h, nil
}

func (h *herd) prepare(ctx context.Context) (err error) {
	if h.admin, err = admin.NewClient(h.state()); err != nil {
		return err
	}
	now := time.Now()
	for i := range h.streams {
		token, err := mint(h.key, txnOf(i), now)
		if err != nil {
			return err
		}
		h.tokens = append(h.tokens, token)
		if i%streamsOfConnection > 0 {
			continue
		}
		c, err := h2.Dial(ctx, fmt.Sprintf("127.0.0.1:%d", h.layout.port))
		if err != nil {
			return err
		}
		h.conns = append(h.conns, c)
	}
	return nil
}

func (h *herd) close() error {
	var errs []error
	for _, c := range h.conns {
		errs = append(errs, c.Close())
	}
	return errors.Join(errors.Join(errs...), h.stop())
}

const (
	// openAtOnce is how many streams wait for their beginning.
	openAtOnce = 64
	// openWithin is how long one may wait, cutWithin how long one may live that
	// was ordered to end.
	openWithin = 30 * time.Second
	cutWithin  = time.Minute
)

// open opens every stream, and returns how long that took.
func (h *herd) open(ctx context.Context) (time.Duration, error) {
	begun := time.Now()
	for i := range len(h.streams) + openAtOnce {
		if j := i - openAtOnce; j >= 0 {
			if err := h.begun(ctx, j); err != nil {
				return 0, err
			}
		}
		if i >= len(h.streams) {
			continue
		}
		if err := h.start(i); err != nil {
			return 0, err
		}
	}
	took := time.Since(begun)
	return took, h.counted(ctx, len(h.streams))
}

// tries is how often a stream is opened again that the gateway had no time for.
const tries = 5

// begun waits for the beginning of one stream.
func (h *herd) begun(ctx context.Context, i int) error {
	for try := 1; ; try++ {
		s := h.streams[i]
		if err := expect(ctx, s.Begun(), openWithin); err != nil {
			return fmt.Errorf("open stream %d: %w", i, err)
		}
		switch status := s.Status(); {
		case status == http.StatusOK:
			return nil
		case status != http.StatusGatewayTimeout || try == tries:
			return fmt.Errorf("open stream %d: status %d", i, status)
		}
		h.late++
		if err := h.start(i); err != nil {
			return err
		}
	}
}

// start opens one stream, and does not wait for its beginning.
func (h *herd) start(i int) (err error) {
	h.streams[i], err = h.conns[i/streamsOfConnection].Start(h.request(h.tokens[i], false))
	return err
}

// expect waits for what is to come within a time.
func expect(ctx context.Context, c <-chan struct{}, within time.Duration) error {
	t := time.NewTimer(within)
	defer t.Stop()
	select {
	case <-c:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return fmt.Errorf("nothing within %s", within)
	}
}

// countEvery is how often the guard is asked how many hops it has.
const countEvery = 10 * time.Millisecond

// counted waits until the guard has so many hops.
func (h *herd) counted(ctx context.Context, n int) error {
	t := time.NewTicker(countEvery)
	defer t.Stop()
	for end := time.Now().Add(cutWithin); ; {
		r, err := h.report()
		if err != nil {
			return err
		}
		switch {
		case r.Live == n:
			return nil
		case time.Now().After(end):
			return fmt.Errorf("the guard has %d hops, and not %d", r.Live, n)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.C:
		}
	}
}

// order has something revoked, of which so many streams are to end.
func (h *herd) order(ctx context.Context, k contain.Kind, value string, want int) (contain.Order, error) {
	done, err := h.admin.Order(ctx, admin.Ask{Verb: contain.VerbRevoke, Kind: k, Value: value, Reason: "bench"})
	if err == nil && done.Ended != want {
		err = fmt.Errorf("an order ended %d streams, and not %d", done.Ended, want)
	}
	return done.Order, err
}

// ended waits for the end of a stream that was cut, and returns when that was,
// and whether the client was told why, where its hold can say it.
func (h *herd) ended(ctx context.Context, i int, code string) (at time.Time, told bool, err error) {
	if err := expect(ctx, h.streams[i].Done(), cutWithin); err != nil {
		return at, false, fmt.Errorf("cut stream %d: %w", i, err)
	}
	e := h.streams[i].End()
	switch {
	case e.How == h2.HowReset:
		return e.At, !h.tool, nil
	case h.tool && e.How == h2.HowEnded && strings.Contains(e.Tail, code):
		return e.At, true, nil
	default:
		return e.At, false, fmt.Errorf("cut stream %d: it %s with %q", i, e.How, e.Tail)
	}
}
