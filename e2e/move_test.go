package e2e

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/hopgate/hopgate/internal/testenv"
	"github.com/hopgate/hopgate/internal/testgateway"
)

// TestListenerMoves to a wider address and back on one port: a listener never
// changes while it lives, so that it is another one, which must get the port.
func TestListenerMoves(t *testing.T) {
	t.Parallel()
	site := newUpstream(t, nil)
	objects := func(address string) string {
		return strings.Replace(testgateway.Listeners, "  listeners:\n", fmt.Sprintf("  addresses: [{type: IPAddress, value: %q}]\n  listeners:\n", address), 1) +
			config() + service("page", site.port(), plain, "/page")
	}
	g := testgateway.Run(t, map[string]string{"gateway.yaml": objects("127.0.0.1"), "policy.yaml": policy("all", allow("http", "{type: HTTP, http: [{ports: [${HTTP}]}]}"))})
	answers := func(host string) bool {
		c, err := net.DialTimeout("tcp", fmt.Sprintf("%s:%d", host, g.HTTP), time.Second)
		if err != nil {
			return false
		}
		c.Close()
		return true
	}
	serves := func() bool { return get(t, g, "/page/x", g.Token()).status == 200 }
	for _, step := range []struct {
		address string
		wide    bool
	}{{"0.0.0.0", true}, {"127.0.0.1", false}, {"0.0.0.0", true}} {
		g.Write("gateway.yaml", objects(step.address))
		testenv.Wait(t, "the listeners at "+step.address, func() bool { return answers("127.0.0.2") == step.wide && answers("127.0.0.1") })
		if !serves() {
			t.Errorf("at %s it does not serve", step.address)
		}
	}
}
