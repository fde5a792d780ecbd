package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/hopgate/hopgate/examples/quickstart/world"
	"github.com/hopgate/hopgate/examples/stage"
)

// demo is one run.
type demo struct {
	stage.Options
	agent string
	// curlPath is where curl is; empty: there is none.
	curlPath string
	out      io.Writer

	dir   string // of this run
	ports ports
	roots string // PEM file that clients of the web site trust
	shown []expected
}

func (d *demo) say(format string, args ...any) { fmt.Fprintf(d.out, format+"\n", args...) }

func (d *demo) run(ctx context.Context) (err error) {
	if d.dir, err = os.MkdirTemp("", "hopgate-demo-"); err != nil {
		return err
	}
	defer os.RemoveAll(d.dir)
	if err := d.settle(); err != nil {
		return err
	}
	w, err := world.Start(time.Now(), d.ports.world())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Stop()) }()
	d.roots = filepath.Join(d.dir, "roots.pem")
	if err := os.WriteFile(d.roots, w.WebRoots, 0o600); err != nil {
		return err
	}
	d.say("== hopgate run -f %s", d.Config)
	g, err := d.start(ctx)
	if err != nil {
		return err
	}
	err = d.tries(ctx)
	if stopped := g.stop(); err == nil {
		err = stopped
	}
	if err != nil {
		return err
	}
	return d.judge(ctx)
}

// tries is what is tried, and what must become of it.
func (d *demo) tries(ctx context.Context) error {
	good, err := d.sign(ctx, "--ttl", "10m")
	if err != nil {
		return err
	}
	d.say("\n== an agent: tools and models, a token on each request")
	if err := d.runAgent(ctx, good, "research"); err != nil {
		return err
	}
	d.expect(
		allow("Tools", "tools/call", "search_code"), deny("Tools", "tools/call", "delete_repo", "no_rule"),
		deny("Tools", "tools/call", "search_code", "no_rule"), allow("Tools", "tools/call", "search_code"),
		allow("Models", "chat", "small-1"), deny("Models", "chat", "large-1", "no_rule"), allow("Models", "chat", "small-1"),
	)
	d.say("\n== %s: the same token, as the password of the proxy's user", d.clientName())
	web := d.web()
	for _, t := range []struct {
		url, code string
	}{
		{web, ""},
		{"https://evil.example/", "no_rule"},
		{"https://169.254.169.254/latest/meta-data/", "address_denied"},
		{"https://intranet.example/", "address_denied"},
	} {
		if err := d.fetch(ctx, good, t.url, t.code); err != nil {
			return err
		}
	}
	return d.badTokens(ctx)
}

// badTokens are no token, an expired one, one of another trust domain, and one
// that expires while a stream is open.
func (d *demo) badTokens(ctx context.Context) error {
	d.say("\n== %s: without a token, with an expired one, with one of another trust domain", d.clientName())
	expired, err := d.sign(ctx, "--ttl", "5m", "--issued", "-1h")
	if err != nil {
		return err
	}
	foreign, err := d.sign(ctx, "--ttl", "10m", "--audience", "elsewhere.example")
	if err != nil {
		return err
	}
	for _, t := range []struct{ token, code string }{
		{"", "token_missing"}, {expired, "token_expired"}, {foreign, "token_wrong_domain"},
	} {
		if err := d.fetch(ctx, t.token, d.web(), t.code); err != nil {
			return err
		}
	}
	d.say("\n== an agent: a stream that ends when its token does, after 5 s and a leeway of 5 s")
	short, err := d.sign(ctx, "--ttl", "5s")
	if err != nil {
		return err
	}
	if err := d.runAgent(ctx, short, "watch"); err != nil {
		return err
	}
	// The stream is told so just before its end, and then the client says
	// goodbye with the token, which is about to expire or has.
	d.expect(ends(allow("Tools", "tools/call", "watch_build"), "expired"), deny("Tools", "DELETE", "127.0.0.1", "token_expiring|token_expired"))
	return nil
}
