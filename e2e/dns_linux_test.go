package e2e

import (
	"net/http"
	"testing"

	"github.com/miekg/dns"

	"github.com/hopgate/hopgate/internal/testenv"
)

// TestInternetHeals: a name that failed, led inside, or was not there is
// reachable again soon after it is mended, also where Envoy holds a tunnel to it
// and has asked meanwhile; and while it is not, nothing gets through to where
// it leads.
func TestInternetHeals(t *testing.T) {
	t.Parallel()
	if !ownInternet(t) {
		return
	}
	w, z := newInternet(t, 443), newZone(t)
	g := openGateway(t, z, "[443]")
	token := g.Token()
	is := func(addrs ...string) func(*dns.Msg, dns.Question) {
		return func(m *dns.Msg, q dns.Question) { m.Answer = addresses(q.Qtype, q.Name, 1, addrs...) }
	}
	failing := func(rcode int) func(*dns.Msg, dns.Question) {
		return func(m *dns.Msg, _ dns.Question) { m.Rcode = rcode }
	}
	for _, tc := range []struct {
		name string
		bad  func(*dns.Msg, dns.Question)
		code string
	}{
		{"late.example", failing(dns.RcodeNameError), "name_unresolved"},
		{"broken.example", failing(dns.RcodeServerFailure), "name_unresolved"},
		{"empty.example", is(), "name_unresolved"},
		{"private.example", is("10.0.0.5"), "address_denied"},
		{"dead.example", is("198.200.9.9", "10.0.0.5"), "address_denied"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			reach := func() (string, string) {
				at, a := through(t, g, tc.name+":443", token)
				return at, a.code()
			}
			z.on(tc.name, tc.bad)
			if at, code := reach(); at != "" || code != tc.code {
				t.Fatalf("at first: at %q, %q", at, code)
			}
			z.on(tc.name, is("198.200.0.1"))
			testenv.Wait(t, "the name to heal", func() bool { at, _ := reach(); return at == "198.200.0.1:443" })
			held, a := tunnel(t, g, tc.name+":443", token)
			a.want(t, http.StatusOK, "")
			z.on(tc.name, tc.bad)
			testenv.Wait(t, "the name to be bad again", func() bool { _, code := reach(); return code == tc.code })
			z.on(tc.name, is("198.200.0.2"))
			testenv.Wait(t, "the name to heal again, at another address", func() bool { at, _ := reach(); return at == "198.200.0.2:443" })
			held.Close()
		})
	}
	t.Cleanup(func() {
		for _, at := range w.reached() {
			if at != "198.200.0.1" && at != "198.200.0.2" {
				t.Errorf("a connection came to %s", at)
			}
		}
	})
}
