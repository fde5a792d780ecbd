package e2e

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	grpctls "google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

// knock is how a refused request was put: its form, and what is wrong with it.
type knock struct {
	form, token, host, path string
}

// request is a raw one on the proxy's port.
func (a knock) request() string {
	auth := ""
	if a.token != "" {
		auth = proxyAuth(a.token)
	}
	switch a.form {
	case "CONNECT":
		return "CONNECT " + a.host + " HTTP/1.1\r\nHost: " + a.host + "\r\n" + auth + "\r\n"
	case "WebSocket":
		return "GET http://" + a.host + a.path + " HTTP/1.1\r\nHost: " + a.host + "\r\n" + auth +
			"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
	default:
		return "GET http://" + a.host + a.path + " HTTP/1.1\r\nHost: " + a.host + "\r\n" + auth + "\r\n"
	}
}

// refused is what the client of a form sees.
func (l *looking) refused(t testing.TB, a knock) answer {
	t.Helper()
	switch a.form {
	case "CONNECT by HTTP/2":
		_, got := tunnel2(t, l.Gateway, a.host, a.token)
		return got
	case "plain, in a tunnel":
		w, opened := tunnel(t, l.Gateway, a.host, a.token)
		opened.want(t, 200, "")
		w.say(t, "GET "+a.path+" HTTP/1.1\r\nHost: "+a.host+"\r\n\r\n")
		return read(t, w.hear(t, "GET"))
	case "inspected", "inspected, by HTTP/2":
		name, _, _ := strings.Cut(a.host, ".")
		return l.ask(t, l.client(t, a.form != "inspected", a.token), "GET", name, l.site, a.path)
	case "WebSocket, inspected":
		c, err := l.inTunnel(t, "site", l.site, a.token, "site.example")
		if err != nil {
			t.Fatal(err)
		}
		return upgradeIn(t, c, a)
	default:
		_, got := tunnelBy(t, l.Gateway, a.request())
		return got
	}
}

func upgradeIn(t testing.TB, c net.Conn, a knock) answer {
	t.Helper()
	if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", a.path, a.host); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	return read(t, res)
}

// TestRefusals is what a client sees of each refusal in each form: 407 where
// there is no token and nowhere else, RFC 9209's Proxy-Status of a proxy, a
// problem that says whether to come again, and no Retry-After where not.
func TestRefusals(t *testing.T) {
	t.Parallel()
	l := newLooking(t)
	token, expired := l.Token(), l.Token(issued(longAgo))
	site := "site.example:" + l.site.port()
	const later = "later"
	for _, tc := range []struct {
		name, token, host, path string
		status                  int
		code, retry             string
		forms                   []string
	}{
		{"no token", "", site, "/open/x", 407, "token_missing", "after_renewal", []string{"CONNECT", "absolute", "WebSocket"}},
		{"a token that has expired", expired, site, "/open/x", 403, "token_expired", "after_renewal", []string{"CONNECT", "CONNECT by HTTP/2", "absolute", "WebSocket"}},
		{"a token that is none", "x.y.z", site, "/open/x", 403, "token_malformed", "never", []string{"CONNECT", "CONNECT by HTTP/2", "absolute", "WebSocket"}},
		{"a host that is not listed", token, "evil.org:443", "/open/x", 403, "no_rule", "never", []string{"CONNECT", "CONNECT by HTTP/2", "absolute", "WebSocket"}},
		{"an address that is private", token, "10.0.0.1:443", "/open/x", 403, "address_denied", "never", []string{"CONNECT", "CONNECT by HTTP/2", "absolute", "WebSocket"}},
		{"a destination that is none", token, "0x7f.1:443", "/open/x", 400, "bad_authority", "never", []string{"CONNECT", "absolute", "WebSocket"}},
		{"a path that is not listed", token, site, "/closed", 403, "no_rule", "never", []string{"absolute", "WebSocket", "plain, in a tunnel", "inspected", "inspected, by HTTP/2", "WebSocket, inspected"}},
		{"another host in a tunnel", token, "site.example:1", "/open/x", 421, "target_mismatch", "never", []string{"WebSocket, inspected"}},
	} {
		for _, form := range tc.forms {
			t.Run(tc.name+", "+form, func(t *testing.T) {
				t.Parallel()
				got := l.refused(t, knock{form, tc.token, tc.host, tc.path})
				got.want(t, tc.status, tc.code)
				outside := form != "plain, in a tunnel" && !strings.Contains(form, "inspected")
				got.refuses(t, tc.code, tc.retry, outside)
				if (got.header.Get("Retry-After") != "") != (tc.retry == later) {
					t.Errorf("Retry-After: %q", got.header.Get("Retry-After"))
				}
			})
		}
	}
	t.Run("gRPC, inspected", func(t *testing.T) { t.Parallel(); l.refusedRPC(t) })
	t.Run("curl", func(t *testing.T) { t.Parallel(); l.curl(t, token) })
}

// refuses fails the test unless the answer is a whole problem, with all that a
// proxy says around it.
func (a answer) refuses(t testing.TB, code, retry string, proxy bool) {
	t.Helper()
	var p struct {
		Type, Title, Detail, Code, Retry string
		RequestID                        string `json:"request_id"`
		Status                           int
	}
	if err := json.Unmarshal([]byte(a.body), &p); err != nil {
		t.Fatalf("%v in %q", err, a.body)
	}
	if p.Type != "https://hopgate.dev/denials#"+code || p.Status != a.status || p.Title == "" || p.Detail == "" || p.Retry != retry || len(p.RequestID) != 32 {
		t.Errorf("problem %+v", p)
	}
	if a.header.Get("Content-Type") != "application/problem+json" || a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("headers %v", a.header)
	}
	want := ""
	if proxy {
		want = `hopgate; error=http_request_denied; details="` + code + `"`
	}
	if got := a.header.Get("Proxy-Status"); got != want {
		t.Errorf("Proxy-Status: %q, want %q", got, want)
	}
	if asks := a.header.Get("Proxy-Authenticate") != ""; asks != (a.status == http.StatusProxyAuthRequired) {
		t.Errorf("Proxy-Authenticate: %q", a.header.Get("Proxy-Authenticate"))
	}
}

// refusedRPC calls what no rule allows: a client reads the code in the status.
func (l *looking) refusedRPC(t *testing.T) {
	host := "rpc.example:" + l.rpc.port()
	c, err := grpc.NewClient("passthrough:///"+host, grpc.WithTransportCredentials(grpctls.NewTLS(&tls.Config{RootCAs: l.ca})),
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) {
			w, a := tunnel(t, l.Gateway, host, l.Token())
			a.want(t, 200, "")
			return w, nil
		}))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	err = c.Invoke(ctx, "/other.Service/Steal", &emptypb.Empty{}, &emptypb.Empty{})
	if s := status.Convert(err); s.Code() != codes.PermissionDenied || !strings.HasPrefix(s.Message(), "no_rule: ") || !strings.Contains(s.Message(), "retry never") {
		t.Errorf("the call was answered %v", err)
	}
}

// curl shows what a person sees: the problem itself where the proxy speaks HTTP,
// and its status for a tunnel, whose body curl keeps to itself.
func (l *looking) curl(t *testing.T, token string) {
	path, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("curl is not on this machine: what it prints is not seen")
	}
	run := func(args ...string) (out string, code int) {
		c := exec.CommandContext(t.Context(), path, append([]string{"-sS", "--max-time", "30", "-x", l.ProxyURL(token)}, args...)...)
		c.Env = []string{}
		b, err := c.CombinedOutput()
		if e, failed := errors.AsType[*exec.ExitError](err); failed {
			code = e.ExitCode()
		} else if err != nil {
			t.Fatal(err)
		}
		return string(b), code
	}
	if out, code := run("http://evil.org/x"); code != 0 || !strings.Contains(out, `"code":"no_rule"`) || !strings.Contains(out, `"retry":"never"`) {
		t.Errorf("exit %d: %s", code, out)
	}
	if out, code := run("https://evil.org/x"); code != 56 || !strings.Contains(out, "403") {
		t.Errorf("a tunnel: exit %d: %s", code, out)
	}
	if out, _ := run("-D", "-", "https://evil.org/x"); !strings.Contains(strings.ToLower(out), `proxy-status: hopgate; error=http_request_denied; details="no_rule"`) {
		t.Errorf("a tunnel, with its headers: %s", out)
	}
}
