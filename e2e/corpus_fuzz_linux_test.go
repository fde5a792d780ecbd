package e2e

import (
	"io"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/miekg/dns"

	places "github.com/hopgate/hopgate/authz/surface/egress"
	"github.com/hopgate/hopgate/internal/testcorpus"
	"github.com/hopgate/hopgate/internal/testgateway"
)

// FuzzEnvoy holds what is read as a host to what Envoy takes: what is called
// canonical here, Envoy takes and leads to the same host; what is refused here
// leads nowhere. One gateway serves all the while.
func FuzzEnvoy(f *testing.F) {
	if os.Getenv(insideEnv) == "" {
		inNamespace(f)
		return
	}
	var p *probe
	if fuzzing := slices.ContainsFunc(os.Args, isFuzz); !fuzzing || slices.Contains(os.Args, "-test.fuzzworker") {
		everyAddress(f)
		p = newProbe(f)
	} // who only hands out what is tried has none: the ports are the worker's
	for _, s := range []string{
		"allowed.example:443", "allowed.example", "ALLOWED.example.:443", "allowed.example:0443", "[2606:4700::1]:443", "[2606:4700:0::1]:443", "8.8.8.8:443",
		"8.8.8.8", "127.0.0.1:443", "0x7f.1:443", "a_b.example:443", "xn--bcher-kva.de:443", "a..b:443", "a%2eb:443", "u@a.example:443", "a.example:80", "-a.example:443",
	} {
		f.Add(s, true)
		f.Add(s, false)
	}
	f.Fuzz(func(t *testing.T, s string, tunnel bool) {
		if s == "" || len(s) > 1000 || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == '/' || r == '?' || r == '#' }) {
			return // other than a host, or the end of it
		}
		p.try(t, s, tunnel)
	})
}

func isFuzz(arg string) bool { return strings.HasPrefix(arg, "-test.fuzz=") }

// inNamespace runs the same command again where every address is local, with
// one worker: there is one Internet.
func inNamespace(f *testing.F) {
	cmd := exec.CommandContext(f.Context(), os.Args[0], append(slices.Clone(os.Args[1:]), "-test.parallel=1")...)
	if !slices.ContainsFunc(os.Args, isFuzz) {
		cmd.Args = []string{os.Args[0], "-test.run=^FuzzEnvoy$"}
	}
	cmd.Env = append(os.Environ(), insideEnv+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	out, err := cmd.CombinedOutput()
	switch {
	case err == nil:
		f.Skipf("in a namespace of its own:\n%s", out)
	case cmd.Process == nil && os.Getenv("HOPGATE_REQUIRE_NETNS") == "":
		f.Skipf("no network namespace can be made, so that nothing stands for the Internet: %v", err)
	default:
		f.Fatalf("in a namespace of its own: %v\n%s", err, out)
	}
}

// probe is a gateway whose rules let everything pass, at two ports.
type probe struct {
	g     *testgateway.Gateway
	world *internet
	token string

	mu    sync.Mutex
	asked []string // guarded by mu; the names that somebody looked up
}

func newProbe(t testing.TB) *probe {
	t.Helper()
	p := &probe{world: newInternet(t, 80, 443)}
	z := newZone(t)
	z.mu.Lock()
	z.rest = func(m *dns.Msg, q dns.Question) {
		p.mu.Lock()
		p.asked = append(p.asked, strings.TrimSuffix(dns.CanonicalName(q.Name), "."))
		p.mu.Unlock()
		m.Answer = append(m.Answer, addresses(q.Qtype, q.Name, 60, testcorpus.PublicAddress().String())...)
	}
	z.mu.Unlock()
	p.g = openGateway(t, z, "[80, 443]")
	p.token = p.g.Token()
	return p
}

// try asks for a place, by a tunnel or by a request.
func (p *probe) try(t *testing.T, s string, tunnel bool) {
	t.Helper()
	var d places.Destination
	var err error
	request, method := "GET http://"+s+"/p HTTP/1.1\r\nHost: x.example\r\n", http.MethodGet
	if tunnel {
		request, method = "CONNECT "+s+" HTTP/1.1\r\nHost: x.example\r\n", http.MethodConnect
		d, err = places.ParseTarget(s)
	} else {
		d, err = places.ParseHost(s, 80)
	}
	before := len(p.world.visits())
	at, code, status := p.ask(t, request+proxyAuth(p.token)+"\r\n", method)
	switch visits := p.world.visits()[before:]; {
	case err != nil:
		// Of user information Envoy makes nothing, before anybody sees it.
		if len(visits) > 0 && !strings.Contains(s, "@") {
			t.Fatalf("%q is refused here (%v), and came to %v", s, err, visits)
		}
	case status == http.StatusBadRequest && code == "" && !strings.Contains(d.Host, "_"):
		t.Fatalf("%q is %s, and Envoy takes it for no host", s, d)
	case len(visits) > 0:
		p.same(t, s, d, at)
	}
}

// same holds where one came against where one was to go.
func (p *probe) same(t *testing.T, s string, d places.Destination, at string) {
	t.Helper()
	got, err := netip.ParseAddrPort(at)
	if err != nil || got.Port() != d.Port {
		t.Fatalf("%q is %s, and came to %q", s, d, at)
	}
	if d.Addr.IsValid() {
		if got.Addr() != d.Addr {
			t.Fatalf("%q is %s, and came to %s", s, d, at)
		}
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !slices.Contains(p.asked, d.Host) {
		t.Fatalf("%q is %s, and nobody looked that up", s, d)
	}
}

// ask writes a request, and tells where the answer is from, or the code and
// status of a denial.
func (p *probe) ask(t *testing.T, request, method string) (at, code string, status int) {
	t.Helper()
	c := dial(t, p.g.Proxy)
	defer c.Close()
	if _, err := io.WriteString(c, request); err != nil {
		return "", "", 0
	}
	res, err := http.ReadResponse(c.r, &http.Request{Method: method})
	if err != nil {
		return "", "", 0
	}
	if method == http.MethodConnect && res.StatusCode == http.StatusOK {
		if _, err := io.WriteString(c, "hello\r\n"); err != nil {
			return "", "", 0
		}
		if res, err = http.ReadResponse(c.r, nil); err != nil {
			return "", "", 0
		}
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return "", "", res.StatusCode
	}
	return res.Header.Get("X-Address"), answer{body: string(body)}.code(), res.StatusCode
}
