package check

import (
	"testing"

	"github.com/hopgate/hopgate/authz/denial"
	"github.com/hopgate/hopgate/authz/leash"
	"github.com/hopgate/hopgate/authz/surface/clienthello"
)

// TestHello: what the TLS in a tunnel begins with, as far as the guard looks.
func TestHello(t *testing.T) {
	t.Parallel()
	h := open(t, build{feed: inspecting("Passthrough")(t)})
	hop := h.live(tunnel("api.example:443"))
	good := clienthello.Hello{ServerName: "api.example", Version: clienthello.VersionTLS13}
	with := func(change func(*clienthello.Hello)) clienthello.Hello {
		c := good
		change(&c)
		return c
	}
	for _, tc := range []struct {
		name  string
		hello clienthello.Hello
		err   error
		code  string
	}{
		{"good", good, nil, ""},
		{"TLS 1.2", with(func(c *clienthello.Hello) { c.Version = clienthello.VersionTLS12 }), nil, ""},
		{"another case", with(func(c *clienthello.Hello) { c.ServerName = "API.Example" }), nil, ""},
		{"early data", with(func(c *clienthello.Hello) { c.Early = true }), nil, ""},
		{"TLS 1.1", with(func(c *clienthello.Hello) { c.Version = 0x0302 }), nil, denial.TLSTooOld},
		{"no version that is known", with(func(c *clienthello.Hello) { c.Version = 0 }), nil, denial.TLSTooOld},
		{"another name", with(func(c *clienthello.Hello) { c.ServerName = "web.example" }), nil, denial.TargetMismatch},
		{"no name", with(func(c *clienthello.Hello) { c.ServerName = "" }), nil, denial.TargetMismatch},
		{"a name that may be hidden", with(func(c *clienthello.Hello) { c.Hidden = true }), nil, denial.TLSHidden},
		{"what cannot be read", clienthello.Hello{}, clienthello.ErrMalformed, denial.TLSUnreadable},
		{"what cannot be read, whatever was", good, clienthello.ErrLong, denial.TLSUnreadable},
	} {
		if code := h.Hello(hop, tc.hello, tc.err); code != tc.code {
			t.Errorf("%s: %q, want %q", tc.name, code, tc.code)
		}
	}
	if code := h.Hello(&leash.Hop{Subject: "not ours"}, good, nil); code != denial.HopUnknown {
		t.Errorf("a hop that is none of ours: %q", code)
	}
	opened := *h.World()
	opened.Egress = map[string]Egress{}
	for key, e := range h.World().Egress {
		e.Hidden = true
		opened.Egress[key] = e
	}
	h.SetWorld(&opened)
	if code := h.Hello(hop, with(func(c *clienthello.Hello) { c.Hidden = true }), nil); code != "" {
		t.Errorf("where the operator lets hidden names pass: %q", code)
	}
	h.SetWorld(nil)
	if code := h.Hello(hop, good, nil); code != denial.HopUnknown {
		t.Errorf("where nothing is known: %q", code)
	}
}
