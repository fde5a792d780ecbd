package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/examples/stage"
)

const (
	researcher = "researcher"
	// watcher is an agent whose streams can be renewed.
	watcher = "watcher"
	// long is the life of a token that nobody waits for the end of.
	long = "10m"
	// short is that of one that is left to its end, fresher that of one which
	// renews it, and leeway what the trust domain adds to both.
	short   = "1s"
	fresher = "3s"
	leeway  = 5 * time.Second
	// before is how long before a known end the word comes (a quarter of a
	// second), with some room.
	before = 300 * time.Millisecond
)

// scene is a part of the story.
type scene struct {
	title string
	play  func(context.Context) error
}

func (d *demo) scenes() []scene {
	var first, renewed pair
	return []scene{
		{"an agent holds two streams", func(ctx context.Context) error { return d.begin(ctx, &first) }},
		{"the transaction is revoked", func(ctx context.Context) error { return d.revoke(ctx, &first) }},
		{"the agent is quarantined, and let out again", d.quarantine},
		{"the policy no longer allows one of the two", d.refuse},
		{"the token lapses", d.lapse},
		{"a fresher token renews them", func(ctx context.Context) error { return d.renew(ctx, &renewed) }},
		{"nobody renews them again", func(ctx context.Context) error { return d.lapseAgain(ctx, &renewed) }},
	}
}

// begin leaves the first pair to the next scene.
func (d *demo) begin(ctx context.Context, first *pair) error {
	p, err := d.open(ctx, "build-1", researcher, long)
	if err != nil {
		return err
	}
	*first = *p
	out, err := d.operate(ctx, "streams")
	if err != nil {
		return err
	}
	for _, what := range []string{"tools/call watch_build on default/tools", "GET on default/feed"} {
		if strings.Count(out, what) != 1 {
			return fmt.Errorf("hopgate streams does not show %q", what)
		}
	}
	return nil
}

// promptly is for an end that a command is to bring about now.
func promptly(given time.Time) after {
	return after{since: given, what: "the command was given", late: prompt}
}

func (d *demo) revoke(ctx context.Context, p *pair) error {
	given := time.Now()
	out, err := d.operate(ctx, "revoke", "txn", p.txn)
	if err != nil {
		return err
	}
	if !strings.Contains(out, "streams ended: 2\n") {
		return errors.New("it does not say that two streams ended")
	}
	if err := d.both(ctx, p, told{"revoked", "never"}, promptly(given)); err != nil {
		return err
	}
	if err := d.ask(ctx, p, "revoked", "never"); err != nil {
		return err
	}
	return d.recorded(ctx, p.txn, ends{tool: audit.EndRevoked, socket: audit.EndRevoked, hops: 3})
}

func (d *demo) quarantine(ctx context.Context) error {
	p, err := d.open(ctx, "build-2", researcher, long)
	if err != nil {
		return err
	}
	given := time.Now()
	out, err := d.operate(ctx, "quarantine", "agent", researcher, "--for", "1h", "--reason", "it opens tickets")
	if err != nil {
		return err
	}
	if err := d.both(ctx, p, told{"quarantined", "later"}, promptly(given)); err != nil {
		return err
	}
	if err := d.ask(ctx, p, "quarantined", "later"); err != nil {
		return err
	}
	id, _, _ := strings.Cut(out, ":")
	if _, err := d.operate(ctx, "lift", id); err != nil {
		return err
	}
	if err := d.ask(ctx, p, "", ""); err != nil {
		return err
	}
	return d.recorded(ctx, p.txn, ends{tool: audit.EndQuarantined, socket: audit.EndQuarantined, hops: 4})
}

// refuse has a rule no longer allow the WebSocket, while the tool's stream goes
// on.
func (d *demo) refuse(ctx context.Context) error {
	p, err := d.open(ctx, "build-3", researcher, long)
	if err != nil {
		return err
	}
	const old, now = "paths: [/feed]", "paths: [/news]"
	file := filepath.Join(objects, "policy.yaml")
	change := func(from, to string) error {
		return stage.Edit(filepath.Join(d.dir, file), func(text string) string { return strings.Replace(text, from, to, 1) })
	}
	given := time.Now()
	if err := change(old, now); err != nil {
		return err
	}
	d.show("operator", "edits %s, rule follow-feed:\n- %s\n+ %s", file, old, now)
	edited := after{since: given, what: "the file was written", late: prompt}
	if err := d.ended(ctx, p.socket, told{"no_rule", "never"}, edited); err != nil {
		return err
	}
	if err := live(ctx, p.tool); err != nil {
		return err
	}
	d.show("agent", "tool: streams on")
	if err := d.ask(ctx, p, "no_rule", "never"); err != nil {
		return err
	}
	if err := change(now, old); err != nil {
		return err
	}
	d.show("operator", "puts it back")
	p.tool.Leave()
	d.show("agent", "tool: %d events, %s", p.tool.Heard().Pieces, p.tool.Heard().How)
	if err := d.recorded(ctx, p.txn, ends{tool: audit.EndClientLeft, socket: audit.EndRefused, hops: 3}); err != nil {
		return err
	}
	return allowed(ctx, p)
}

// lapse waits for a token's end.
func (d *demo) lapse(ctx context.Context) error {
	p, err := d.open(ctx, "build-4", researcher, short)
	if err != nil {
		return err
	}
	if err := d.both(ctx, p, told{"expired", "after_renewal"}, expiring(p)); err != nil {
		return err
	}
	return d.recorded(ctx, p.txn, ends{tool: audit.EndExpired, socket: audit.EndExpired, hops: 2})
}

// expiring is for an end that is the token's.
func expiring(p *pair) after {
	return after{since: p.expires.Add(leeway), what: "the token's end, with the leeway of 5 s", early: before, late: prompt}
}

// renew has an agent present a fresher token, by a request that has nothing to
// do with the streams, and waits until the first token's end is over. It leaves
// them to the next scene.
func (d *demo) renew(ctx context.Context, renewed *pair) error {
	p, err := d.open(ctx, "build-5", watcher, short)
	if err != nil {
		return err
	}
	first := p.expires.Add(leeway)
	if p.agent.Token, p.expires, err = d.sign(ctx, p.txn, watcher, fresher); err != nil {
		return err
	}
	d.show("agent", "has a fresher token of the same transaction, for %s", fresher)
	if err := d.ask(ctx, p, "", ""); err != nil {
		return err
	}
	if err := d.onlyStreams(ctx, p); err != nil {
		return err
	}
	const past = 500 * time.Millisecond
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(time.Until(first.Add(past))):
	}
	if err := errors.Join(live(ctx, p.tool), live(ctx, p.socket)); err != nil {
		return err
	}
	d.show("agent", "both stream, %s after the first token's end", past)
	*renewed = *p
	return nil
}

// lapseAgain waits for the end of the token that renewed.
func (d *demo) lapseAgain(ctx context.Context, p *pair) error {
	if err := d.both(ctx, p, told{"expired", "after_renewal"}, expiring(p)); err != nil {
		return err
	}
	return d.recorded(ctx, p.txn, ends{tool: audit.EndExpired, socket: audit.EndExpired, changes: 2, hops: 3})
}
