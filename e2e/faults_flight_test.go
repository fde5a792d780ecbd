package e2e

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/hopgate/hopgate/authz/admin"
	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/internal/testenv"
	"github.com/hopgate/hopgate/internal/testgateway"
)

// knocked counts who has come.
type knocked struct {
	net.Listener
	n atomic.Int64
}

func (k *knocked) Accept() (net.Conn, error) {
	c, err := k.Listener.Accept()
	if err == nil {
		k.n.Add(1)
	}
	return c, err
}

// flown is a gateway in a process of its own, a host to which tunnels lead, and
// another at whose door nobody may be seen before its TLS was read.
type flown struct {
	*testgateway.Gateway
	*child
	web, late *upstream
	door      *knocked
}

func newFlown(t *testing.T) *flown {
	t.Helper()
	f := &flown{web: newTLSUpstream(t, "web.example", said("web")), late: &upstream{}}
	f.late.Server = httptest.NewUnstartedServer(f.late.keep(said("late")))
	f.late.TLS = serverTLS(t, "late.example")
	f.door = &knocked{Listener: f.late.Listener}
	f.late.Listener = f.door
	f.late.StartTLS()
	t.Cleanup(func() { f.late.CloseClientConnections(); f.late.Close(); f.late.clean(t) })
	f.Gateway = testgateway.New(t, map[string]string{
		"gateway.yaml": testgateway.Listeners + config(egress("", "web.example:"+f.web.port(), "late.example:"+f.late.port())),
		"policy.yaml": policy("flown", allow("hosts",
			"{type: Hosts, hosts: [{names: [web.example, late.example], ports: ["+f.web.port()+", "+f.late.port()+"]}]}")),
	})
	f.child = startChild(t, f.Gateway)
	return f
}

// tries is how often a tunnel is opened anew that a busy machine has no time for.
const tries = 5

// through opens a tunnel, and fetches a page in it.
func (f *flown) through(t *testing.T, u *upstream, host, name string, groups ...tls.CurveID) net.Conn {
	t.Helper()
	var got string
	err := io.ErrClosedPipe
	for range tries {
		w := f.begun(t, u, host, name)
		c := tls.Client(w, &tls.Config{ServerName: host + ".example", InsecureSkipVerify: true, CurvePreferences: groups})
		if got, err = fetch(c, host+".example", "/x"); err == nil && got == host+" GET /x" {
			return w
		}
	}
	t.Fatalf("to %s: %q, %v", host, got, err)
	return nil
}

// begun opens a tunnel in which nothing is said.
func (f *flown) begun(t *testing.T, u *upstream, host, name string) *line {
	t.Helper()
	var a answer
	for range tries {
		var w *line
		if w, a = tunnel(t, f.Gateway, host+".example:"+u.port(), f.Token(txn(name))); a.status == http.StatusOK {
			return w
		}
	}
	t.Fatalf("the tunnel of %s is answered %d %s", name, a.status, a.body)
	return nil
}

// flying are tunnels of which one has passed, what follows is read in one, and
// one begins while the guard does not run.
func (f *flown) flying(t *testing.T) []net.Conn {
	t.Helper()
	passed := f.through(t, f.web, "web", "passed")
	followed := f.through(t, f.web, "web", "followed", tls.CurveP384, tls.CurveP521)
	waiting, flight := f.begun(t, f.late, "late", "waiting"), flightOf(t, "late.example")
	f.Recorded(t, "the beginning of waiting", func(r audit.Record) bool { return r.Kind == audit.KindBegin && r.Txn == "waiting" })
	if err := f.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	testenv.Wait(t, "the guard to stand still", func() bool { return standsStill(f.Process.Pid) })
	if _, err := waiting.Write(flight); err != nil {
		t.Fatal(err)
	}
	return []net.Conn{passed, followed, waiting}
}

// allOver waits until tunnels have ended, of which none said more, and nobody
// came to the door.
func (f *flown) allOver(t *testing.T, tunnels []net.Conn) {
	t.Helper()
	for i, c := range tunnels {
		rest, err := io.ReadAll(c)
		if late, ok := err.(net.Error); ok && late.Timeout() { //nolint:errorlint // it is the connection's own
			t.Fatalf("tunnel %d goes on", i)
		}
		if len(rest) > 0 && (rest[0] == 22 || rest[0] == 23) {
			t.Errorf("in tunnel %d somebody says %x", i, rest)
		}
	}
	f.closedDoor(t)
}

func (f *flown) closedDoor(t *testing.T) {
	t.Helper()
	if n := f.door.n.Load(); n != 0 {
		t.Errorf("%d came to where nothing was read", n)
	}
}

// back proves that all is as before: what had begun is recorded as lost, nobody
// is left, and tunnels lead where they did not.
func (f *flown) back(t *testing.T) {
	t.Helper()
	door, err := admin.NewClient(f.State)
	if err != nil {
		t.Fatal(err)
	}
	testenv.Wait(t, "the register to be empty", func() bool {
		live, err := door.Streams(t.Context(), admin.Filter{})
		return err == nil && len(live) == 0
	})
	for _, name := range []string{"passed", "followed", "waiting"} {
		f.Recorded(t, name+" to be lost", func(r audit.Record) bool {
			// What is read has a side stream of its own, which can end it first.
			lost := r.End == audit.EndLost || name != "passed" && r.End == audit.EndUpstreamReset
			return r.Kind == audit.KindEnd && r.Txn == name && lost
		})
	}
	f.closedDoor(t)
	f.through(t, f.web, "web", "after")
	f.through(t, f.late, "late", "after")
	f.through(t, f.web, "web", "after, followed", tls.CurveP384, tls.CurveP521)
}

// TestFaultFlightHung: what a tunnel begins with while the guard hangs goes
// nowhere, also when it is back.
func TestFaultFlightHung(t *testing.T) {
	t.Parallel()
	f := newFlown(t)
	f.allOver(t, f.flying(t))
	if !alive(f.envoy) {
		t.Error("Envoy has gone")
	}
	if err := f.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	f.back(t)
}

// TestFaultFlightKilled: nothing goes on of what a guard had before it that was
// killed.
func TestFaultFlightKilled(t *testing.T) {
	t.Parallel()
	f := newFlown(t)
	tunnels := f.flying(t)
	f.kill(t)
	f.allOver(t, tunnels)
	testenv.Wait(t, "Envoy to end with its parent", func() bool { return !alive(f.envoy) })
	f.child = startChild(t, f.Gateway)
	f.back(t)
}
