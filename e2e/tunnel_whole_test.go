package e2e

import (
	"crypto/tls"
	"io"
	"net"
	"strconv"
	"testing"

	"github.com/hopgate/hopgate/internal/testgateway"
)

// bulk is what a server sends in one go before it closes.
const bulk = 3 << 20

// pours is a server that sends bulk to whoever says a byte, and closes.
func pours(t *testing.T, secure *tls.Config) (port string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port = strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	if secure != nil {
		l = tls.NewListener(l, secure)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				if _, err := c.Read(make([]byte, 1)); err == nil {
					_, _ = c.Write(make([]byte, bulk)) // who leaves early misses the rest
				}
			}()
		}
	}()
	return port
}

// TestTunnelsAreWhole: what a server sends before it closes all comes, by each
// kind of tunnel.
func TestTunnelsAreWhole(t *testing.T) {
	t.Parallel()
	open, secure := pours(t, nil), pours(t, serverTLS(t, "web.example"))
	g := testgateway.Run(t, map[string]string{"all.yaml": testgateway.Listeners + config(egress("", "raw.example:"+open, "web.example:"+secure)) +
		policy("all", "{name: raw, to: {type: Hosts, hosts: [{names: [raw.example], ports: ["+open+"]}]}, action: Allow, with: {tls: Opaque}}",
			"{name: web, to: {type: Hosts, hosts: [{names: [web.example], ports: ["+secure+"]}]}, action: Allow}")})
	for _, tc := range []struct {
		name string
		open func(target, token string) (net.Conn, answer)
	}{
		{"HTTP/1.1", func(target, token string) (net.Conn, answer) { return tunnel(t, g, target, token) }},
		{"HTTP/2", func(target, token string) (net.Conn, answer) { return tunnel2(t, g, target, token) }},
	} {
		for range 15 {
			c, a := tc.open("raw.example:"+open, g.Token())
			a.want(t, 200, "")
			wantBulk(t, tc.name+", opaque", c)
			c, a = tc.open("web.example:"+secure, g.Token())
			a.want(t, 200, "")
			wantBulk(t, tc.name+", passed", tls.Client(c, &tls.Config{ServerName: "web.example", InsecureSkipVerify: true}))
		}
	}
}

func wantBulk(t *testing.T, name string, c net.Conn) {
	t.Helper()
	if _, err := c.Write([]byte("x")); err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	if n, err := io.Copy(io.Discard, c); n != bulk {
		t.Errorf("%s: %d bytes came, want %d: %v", name, n, bulk, err)
	}
}
