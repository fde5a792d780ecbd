package e2e

import (
	"fmt"
	"sync"
	"testing"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/internal/testenv"
	"github.com/hopgate/hopgate/internal/testgateway"
)

// TestTunnelsNeverMix: of many tunnels to two targets, all at once, each leads
// to its own, with TLS inside and with plain HTTP.
func TestTunnelsNeverMix(t *testing.T) {
	t.Parallel()
	one, two := newTLSUpstream(t, "one.example", said("one")), newTLSUpstream(t, "two.example", said("two"))
	three, four := newUpstream(t, said("three")), newUpstream(t, said("four"))
	sites := map[string]*upstream{"one": one, "two": two, "three": three, "four": four}
	var hosts []string
	for name, u := range sites {
		hosts = append(hosts, name+".example:"+u.port())
	}
	ports := one.port() + ", " + two.port() + ", " + three.port() + ", " + four.port()
	g := testgateway.Run(t, map[string]string{
		"gateway.yaml": testgateway.Listeners + config(egress("", hosts...)),
		"policy.yaml": policy("all", allow("hosts", "{type: Hosts, hosts: [{names: ['*.example'], ports: ["+ports+"]}]}"),
			allow("http", "{type: HTTP, http: [{hosts: ['*.example'], ports: ["+ports+"]}]}")),
	})
	const tunnels, atOnce = 60, 30 // of each target; of all
	slots := make(chan struct{}, atOnce)
	var wg sync.WaitGroup
	for i := range tunnels {
		for name, u := range sites {
			slots <- struct{}{}
			wg.Go(func() {
				defer func() { <-slots }()
				host, id := name+".example:"+u.port(), fmt.Sprint(name, "-", i)
				path := "/" + id
				w, a := tunnel(t, g, host, g.Token(txn(id)))
				a.want(t, 200, "")
				var got string
				var err error
				if u.TLS != nil {
					got, err = w.secure(u, name+".example", path)
				} else {
					got, err = fetch(w, host, path)
				}
				if want := name + " GET " + path; err != nil || got != want {
					t.Errorf("the tunnel to %s gave %q, %v, want %q", host, got, err, want)
				}
			})
		}
	}
	wg.Wait()
	testenv.Wait(t, "every hop inside a tunnel to be recorded", func() bool { return len(inside(t, g)) == 2*tunnels })
	for _, r := range inside(t, g) {
		if r.Path != "/"+r.Txn {
			t.Errorf("a hop of transaction %s asks for %s", r.Txn, r.Path)
		}
	}
}

// inside are the hops that came through tunnels.
func inside(t testing.TB, g *testgateway.Gateway) []audit.Record {
	t.Helper()
	var out []audit.Record
	for _, r := range g.Records(t) {
		if r.Kind == audit.KindBegin && r.Parent != (audit.HopID{}) {
			out = append(out, r)
		}
	}
	return out
}
