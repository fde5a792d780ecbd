package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hopgate/hopgate/examples/longstream/agent"
)

const (
	// patience is how long is waited for what should be there in a moment.
	patience = 10 * time.Second
	// prompt is how soon a stream must end that is to end now: a command takes
	// a while to start, too.
	prompt = 3 * time.Second
	// some are as many events or messages as show that a stream lives.
	some = 3
)

// pair is a tool's stream and a WebSocket of one transaction.
type pair struct {
	agent        *agent.Agent
	txn          string
	expires      time.Time // of the token that they stand on
	tool, socket *agent.Stream
}

// open has an agent begin both, with a token of a transaction.
func (d *demo) open(ctx context.Context, txn, who, ttl string) (*pair, error) {
	signed, expires, err := d.sign(ctx, txn, who, ttl)
	if err != nil {
		return nil, err
	}
	p := &pair{agent: &agent.Agent{Base: d.ports.gateway(), Token: signed}, txn: txn, expires: expires}
	if p.tool, err = p.agent.Watch(ctx); err != nil {
		return nil, err
	}
	if p.socket, err = p.agent.Follow(ctx); err != nil {
		return nil, err
	}
	for _, s := range []*agent.Stream{p.tool, p.socket} {
		if err := live(ctx, s); err != nil {
			return nil, err
		}
	}
	d.show("agent", "tools/call watch_build, and a WebSocket to /feed; transaction %s, a token for %s\nboth stream", txn, ttl)
	return p, nil
}

// live waits until some more has come through a stream.
func live(ctx context.Context, s *agent.Stream) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	h := s.Heard()
	if !s.Wait(ctx, h.Pieces+some) {
		h = s.Heard()
		return fmt.Errorf("the %s does not live: %s %s %w", s.Name, h.How, h.Last, errors.Join(h.Err, ctx.Err()))
	}
	return nil
}

// told is what an agent must be told at the end of a stream.
type told struct{ code, retry string }

// after says how long after something an end came.
type after struct {
	since time.Time
	what  string
	// early is how much sooner it may come, late how much later.
	early, late time.Duration
}

// ended waits for the end of a stream, shows what the agent saw of it, and
// compares.
func (d *demo) ended(ctx context.Context, s *agent.Stream, want told, when after) error {
	ctx, cancel := context.WithTimeout(ctx, time.Until(when.since)+patience)
	defer cancel()
	h, err := s.End(ctx)
	if err != nil {
		return fmt.Errorf("the %s lives on: %w", s.Name, err)
	}
	lag := h.At.Sub(when.since)
	d.show("agent", "%s\n  %s", saw(s.Name, &h), when.say(lag))
	if err := differs(&h, want); err != nil {
		return fmt.Errorf("the end of the %s: %w", s.Name, err)
	}
	if lag < -when.early || lag > when.late {
		return fmt.Errorf("the %s ended %s after %s", s.Name, lag, when.what)
	}
	return nil
}

func (a after) say(lag time.Duration) string {
	if lag < 0 {
		return fmt.Sprintf("%d ms before %s", -lag.Milliseconds(), a.what)
	}
	return fmt.Sprintf("%d ms after %s", lag.Milliseconds(), a.what)
}

// saw tells an end as the agent saw it.
func saw(name string, h *agent.Heard) string {
	if f, ok := h.Fault(); ok {
		return fmt.Sprintf("%s: %d events, then %s\n  and %s; code %s, retry %s", name, h.Pieces, h.Last, h.How, f.Data.Code, f.Data.Retry)
	}
	if h.How == agent.Closed {
		return fmt.Sprintf("%s: %d messages, then close %d %q", name, h.Pieces, h.Status, h.Reason)
	}
	return fmt.Sprintf("%s: %d pieces, then %s: %v", name, h.Pieces, h.How, h.Err)
}

// Codes by which the gateway says no: of JSON-RPC, and of a WebSocket (RFC 6455
// section 7.4.1).
const (
	codeDenied      = -32043
	policyViolation = 1008
)

// differs compares the last word: a JSON-RPC error and a clean end, or a close
// frame.
func differs(h *agent.Heard, want told) error {
	if h.How == agent.Closed {
		if h.Status != policyViolation || !strings.HasPrefix(h.Reason, want.code+": ") {
			return fmt.Errorf("close %d %q, want %d %s", h.Status, h.Reason, policyViolation, want.code)
		}
		return nil
	}
	f, ok := h.Fault()
	if h.How != agent.Clean || !ok || f.Code != codeDenied || f.Data.Code != want.code || f.Data.Retry != want.retry {
		return fmt.Errorf("%s: %w; the last event is %s, want a clean end with %+v", h.How, errors.Join(h.Err), h.Last, want)
	}
	return nil
}

// both have to end alike.
func (d *demo) both(ctx context.Context, p *pair, want told, when after) error {
	return errors.Join(d.ended(ctx, p.tool, want, when), d.ended(ctx, p.socket, want, when))
}

// ask has the agent begin a new hop, which must be refused so; an empty code:
// allowed.
func (d *demo) ask(ctx context.Context, p *pair, code, retry string) error {
	text, err := p.agent.Read(ctx)
	refused, isRefusal := errors.AsType[agent.Refusal](err)
	switch {
	case err == nil:
		d.show("agent", "a new GET /feed: 200 %s", text)
	case isRefusal:
		d.show("agent", "a new GET /feed: %v", refused)
	default:
		return err
	}
	if refused.Code != code || refused.Retry != retry {
		return fmt.Errorf("a new hop is answered %q, retry %q, want %q, %q", refused.Code, refused.Retry, code, retry)
	}
	return nil
}

// allowed waits until a new hop is allowed: an edit takes a moment.
func allowed(ctx context.Context, p *pair) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		_, err := p.agent.Read(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("a new hop is refused still: %w", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// onlyStreams shows what lives of a transaction, once its short hop is over.
func (d *demo) onlyStreams(ctx context.Context, p *pair) error {
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	args := []string{"streams", "--txn", p.txn}
	for {
		out, err := d.tool(waiting, args...)
		if err != nil {
			return err
		}
		if lines := strings.Count(out, "\n"); lines == 3 {
			d.show("operator", "$ %s\n%s", line(args), out)
			return nil
		}
	}
}
