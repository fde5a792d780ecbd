package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/hopgate/hopgate/internal/testenv"
)

// running is a hopgate run of its own process, with a real Envoy.
type running struct {
	t                   *testing.T
	cmd                 *exec.Cmd
	dir                 string // with files/ and state/
	tmp                 string // of temporary files, the runtime folder among them
	proxy, http, health int
	out, errs           *stream
	ended               chan struct{}
}

// stream is what a process says. It is safe for concurrent use.
type stream struct {
	mu sync.Mutex
	b  bytes.Buffer // guarded by mu
}

func (s *stream) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *stream) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// objects are a Gateway on free ports that opens one name of this machine, and a
// policy for it.
func (r *running) objects(port string) string {
	return fmt.Sprintf(`apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: egress}
spec:
  gatewayClassName: hopgate
  infrastructure: {parametersRef: {group: hopgate.dev, kind: GatewayConfig, name: egress}}
  listeners:
  - {name: proxy, port: %d, protocol: hopgate.dev/Proxy}
  - {name: http, port: %d, protocol: HTTP}
---
apiVersion: hopgate.dev/v1alpha1
kind: GatewayConfig
metadata: {name: egress}
spec: {egress: {hosts: [{name: web.example, addresses: [127.0.0.1], ports: [%[3]s]}]}}
---
apiVersion: hopgate.dev/v1alpha1
kind: AccessPolicy
metadata: {name: web}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: egress}]
  rules:
  - name: read
    from: {agents: [{name: researcher}]}
    to: {type: HTTP, http: [{hosts: [web.example], ports: [%[3]s], methods: [GET]}]}
    action: Allow
`, r.proxy, r.http, port)
}

// launch starts it; args come behind those of every test.
func launch(t *testing.T, upstream string, args ...string) *running {
	t.Helper()
	r := prepare(t, upstream)
	r.start(args...)
	return r
}

// prepare writes what it needs.
func prepare(t *testing.T, upstream string) *running {
	t.Helper()
	r := &running{
		t: t, dir: t.TempDir(), proxy: testenv.Port(t), http: testenv.Port(t), health: testenv.Port(t),
		out: &stream{}, errs: &stream{}, ended: make(chan struct{}),
	}
	_, port, err := net.SplitHostPort(strings.TrimPrefix(upstream, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(r.dir, "files", "objects.yaml"), r.objects(port))
	return r
}

// start starts it, and waits until it is ready.
func (r *running) start(args ...string) {
	t := r.t
	t.Helper()
	r.cmd = call{dir: r.dir, args: append([]string{
		"run", "-f", "files", "--state", "state", "--envoy", testenv.Envoy(t), "--concurrency", "1", "--grace", "5s",
		"--health", fmt.Sprintf("127.0.0.1:%d", r.health),
	}, args...)}.command(t)
	r.tmp = testenv.ShortDir(t)
	r.cmd.Env = append(r.cmd.Env, "TMPDIR="+r.tmp)
	r.cmd.Stdout, r.cmd.Stderr = r.out, r.errs
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = r.cmd.Wait() // the state of the process says it
		close(r.ended)
	}()
	t.Cleanup(func() {
		_ = r.cmd.Process.Kill() // it may have ended
		<-r.ended
		if t.Failed() {
			t.Logf("stdout:\n%s\nstderr:\n%s", r.out, r.errs)
		}
	})
	r.waitReady()
}

func (r *running) waitReady() {
	t := r.t
	t.Helper()
	testenv.Wait(t, "hopgate run to be ready", func() bool {
		select {
		case <-r.ended:
			t.Fatalf("it ended: %s", r.errs)
		default:
		}
		return r.status("/readyz") == http.StatusOK
	})
}

// status is that of a page of health; 0: none is served.
func (r *running) status(path string) int {
	transport := &http.Transport{DisableKeepAlives: true}
	res, err := (&http.Client{Transport: transport}).Get(fmt.Sprintf("http://127.0.0.1:%d%s", r.health, path))
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	return res.StatusCode
}

// get asks by the proxy, with a token as the password; empty: none.
func (r *running) get(target, token string) int {
	r.t.Helper()
	proxy := &url.URL{Scheme: "http", Host: fmt.Sprintf("127.0.0.1:%d", r.proxy)}
	if token != "" {
		proxy.User = url.UserPassword("agent", token)
	}
	transport := &http.Transport{Proxy: http.ProxyURL(proxy), DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	res, err := (&http.Client{Transport: transport}).Get(target)
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	return res.StatusCode
}

// stop asks it to drain, and gives its exit code.
func (r *running) stop() int {
	r.t.Helper()
	if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		r.t.Fatal(err)
	}
	<-r.ended
	return r.cmd.ProcessState.ExitCode()
}

// web is a site that waits at /slow until it is let go.
func web(t *testing.T) (site string, asked, letGo chan struct{}) {
	t.Helper()
	asked, letGo = make(chan struct{}, 1), make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		for _, h := range []string{"Txn-Token", "Proxy-Authorization"} {
			if req.Header.Get(h) != "" {
				t.Errorf("the site was sent %s", h)
			}
		}
		if req.URL.Path == "/slow" {
			asked <- struct{}{}
			<-letGo
		}
		fmt.Fprintln(w, "hello")
	}))
	t.Cleanup(s.Close)
	return s.URL, asked, letGo
}

func (r *running) sign(args ...string) string {
	r.t.Helper()
	args = append([]string{"token", "sign", "--state", "state", "--subject", "alice", "--agent", "researcher"}, args...)
	return strings.TrimSpace(hopgate(r.t, r.dir, args...).want(r.t, 0).stdout)
}

// signature is the part of a token that nobody may see.
func signature(token string) string { return token[strings.LastIndexByte(token, '.')+1:] }

// A token is in nothing that a run writes, whatever becomes of it and however
// much it is asked to tell.
func TestRunKeepsTokens(t *testing.T) {
	t.Parallel()
	site, _, _ := web(t)
	for _, output := range []string{"text", "json"} {
		t.Run(output, func(t *testing.T) {
			t.Parallel()
			r := launch(t, site, "-v", "-o", output)
			target := strings.Replace(site, "127.0.0.1", "web.example", 1)
			good, old := r.sign(), r.sign("--issued", "-1h")
			foreign := r.sign("--audience", "elsewhere")
			for _, tc := range []struct {
				name, target, token string
				status              int
			}{
				{"good", target, good, 200},
				{"no rule", target + "/x?token=" + good, r.sign("--agent", "other"), 403},
				{"expired", target, old, 403},
				{"foreign", target, foreign, 403},
				{"none", target, "", 407},
				{"in the path", target + "/" + good, good, 200},
				{"cut", target, good[:len(good)-9], 403},
			} {
				if got := r.get(tc.target, tc.token); got != tc.status {
					t.Errorf("%s: %d, want %d", tc.name, got, tc.status)
				}
			}
			if code := r.stop(); code != 0 {
				t.Errorf("ended with %d", code)
			}
			said := r.out.String() + r.errs.String() + read(t, filepath.Join(r.dir, "state", "audit.jsonl"))
			for _, token := range []string{good, old, foreign} {
				if strings.Contains(said, signature(token)) {
					t.Errorf("a token was written")
				}
			}
			checkShown(t, r, output)
		})
	}
}

// checkShown wants decisions on standard output, and nothing but them.
func checkShown(t *testing.T, r *running, output string) {
	t.Helper()
	out := r.out.String()
	if output == "text" {
		ready := regexp.MustCompile(fmt.Sprintf(`(?m)^ready: 127.0.0.1:%d, 127.0.0.1:%d; Envoy 1\.\d+\.\d+; record .*audit.jsonl$`,
			min(r.proxy, r.http), max(r.proxy, r.http)))
		for _, want := range []*regexp.Regexp{
			ready, regexp.MustCompile(`allow +researcher +GET web\.example`), regexp.MustCompile(`deny .* no_rule `),
			regexp.MustCompile(`deny .* token_expired `), regexp.MustCompile(`end `),
		} {
			if !want.MatchString(out) {
				t.Errorf("standard output has no line like %s", want)
			}
		}
		return
	}
	for line := range strings.Lines(out) {
		var rec struct{ Kind string }
		if err := json.Unmarshal([]byte(line), &rec); err != nil || rec.Kind == "" {
			t.Errorf("standard output has %q", line)
		}
	}
	for line := range strings.Lines(r.errs.String()) {
		if !json.Valid([]byte(line)) {
			t.Errorf("standard error has %q", line)
		}
	}
	if !strings.Contains(r.errs.String(), `"msg":"ready"`) {
		t.Error("it does not say that it is ready")
	}
}

// A broken edit is told, with its line, and the last good state serves on; so is
// the end of it.
func TestRunTellsOfEdits(t *testing.T) {
	t.Parallel()
	site, _, _ := web(t)
	r := launch(t, site)
	target, token := strings.Replace(site, "127.0.0.1", "web.example", 1), r.sign()
	path := filepath.Join(r.dir, "files", "objects.yaml")
	good := read(t, path)
	write(t, path, strings.Replace(good, "action: Allow", "action: Perhaps", 1))
	testenv.Wait(t, "the broken edit to be told", func() bool {
		return strings.Contains(r.errs.String(), "files/objects.yaml:25") && strings.Contains(r.errs.String(), "spec.rules[0].action") &&
			strings.Contains(r.errs.String(), "last good kept")
	})
	if got := r.get(target, token); got != 200 {
		t.Errorf("the last good state does not serve: %d", got)
	}
	write(t, path, strings.Replace(good, "methods: [GET]", "methods: [HEAD]", 1))
	testenv.Wait(t, "the edit to be mended", func() bool { return strings.Contains(r.errs.String(), "mended: error: files/objects.yaml") })
	testenv.Wait(t, "the edit to be live", func() bool { return r.get(target, token) == 403 })
	if strings.Contains(r.errs.String(), "has not answered yet") {
		t.Error("it tells of what is only on its way")
	}
	r.stop()
}

// What has begun may end; what has not is not taken any more.
func TestRunDrains(t *testing.T) {
	t.Parallel()
	site, asked, letGo := web(t)
	r := launch(t, site)
	target, token := strings.Replace(site, "127.0.0.1", "web.example", 1), r.sign()
	got := make(chan int, 1)
	go func() { got <- r.get(target+"/slow", token) }()
	<-asked
	if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	testenv.Wait(t, "it to say that it drains", func() bool { return r.status("/readyz") == http.StatusServiceUnavailable })
	close(letGo)
	if status := <-got; status != 200 {
		t.Errorf("what had begun ended with %d", status)
	}
	<-r.ended
	if code := r.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("ended with %d", code)
	}
	if left, err := os.ReadDir(filepath.Join(r.dir, "state")); err != nil || len(left) == 0 {
		t.Errorf("the state folder has %v, %v", left, err)
	}
}

// What the machine has in use is said, with what to do, and ends with 3.
func TestRunNeedsItsOwn(t *testing.T) {
	t.Parallel()
	site, _, _ := web(t)
	r := launch(t, site)
	if status := r.status("/metrics"); status != 200 {
		t.Errorf("metrics: %d", status)
	}
	same := []string{"run", "-f", "files", "--envoy", testenv.Envoy(t)}
	for _, tc := range []struct {
		name string
		args []string
		says []string
	}{
		{"the state folder", append(same[:5:5], "--state", "state", "--health", ""), []string{"another hopgate has it", "--state"}},
		{"the port of health", append(same[:5:5], "--state", "other", "--health", fmt.Sprintf("127.0.0.1:%d", r.health)), []string{"--health", "in use"}},
		{"the record", append(same[:5:5], "--state", "third", "--health", "", "--audit", "state/audit.jsonl"), []string{"record"}},
	} {
		res := hopgate(t, r.dir, tc.args...).want(t, 3)
		for _, s := range tc.says {
			if !strings.Contains(res.stderr, s) {
				t.Errorf("%s: no %q in %s", tc.name, s, res.stderr)
			}
		}
	}
	r.stop()
}

// A listener whose port another process has is not said to be ready; it comes
// when the port is free.
func TestRunTellsWhatWaitsForItsPort(t *testing.T) {
	t.Parallel()
	site, _, _ := web(t)
	for _, output := range []string{"text", "json"} {
		t.Run(output, func(t *testing.T) {
			t.Parallel()
			r := prepare(t, site)
			other, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", r.proxy))
			if err != nil {
				t.Fatal(err)
			}
			defer other.Close()
			r.start("-o", output)
			said, want := r.out, fmt.Sprintf("ready: 127.0.0.1:%d; not yet, the port is in use: 127.0.0.1:%d; Envoy", r.http, r.proxy)
			if output == "json" {
				said, want = r.errs, fmt.Sprintf(`"msg":"ready","addresses":["127.0.0.1:%d"],"waiting":["127.0.0.1:%d"]`, r.http, r.proxy)
			}
			testenv.Wait(t, "it to say "+want, func() bool { return strings.Contains(said.String(), want) })
			if err := other.Close(); err != nil {
				t.Fatal(err)
			}
			testenv.Wait(t, "the listener to come", func() bool {
				c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", r.proxy))
				return err == nil && c.Close() == nil
			})
			r.stop()
		})
	}
}

// Something that tidies temporary files takes the sockets with it: it is not
// ready then, and without the folder it ends, for another start.
func TestRunWithoutItsRuntimeFolder(t *testing.T) {
	t.Parallel()
	site, _, _ := web(t)
	r := launch(t, site)
	sockets, err := filepath.Glob(filepath.Join(r.tmp, "hopgate-*", "*.sock"))
	if err != nil || len(sockets) < 3 {
		t.Fatalf("the runtime folder has %v, %v", sockets, err)
	}
	for _, s := range sockets {
		if err := os.Remove(s); err != nil {
			t.Fatal(err)
		}
	}
	if got := r.status("/readyz"); got != http.StatusServiceUnavailable {
		t.Errorf("ready without sockets: %d", got)
	}
	if res := hopgate(t, r.dir, "revoke", "agent", "researcher", "--state", "state").want(t, 3); !strings.Contains(res.stderr, "socket is gone") ||
		strings.Contains(res.stderr, "no gateway runs") {
		t.Errorf("revoke says %s", res.stderr)
	}
	if err := os.RemoveAll(filepath.Dir(sockets[0])); err != nil {
		t.Fatal(err)
	}
	<-r.ended
	if code := r.cmd.ProcessState.ExitCode(); code != 3 {
		t.Errorf("ended with %d, want 3", code)
	}
	if said := r.errs.String(); !strings.Contains(said, "something removed the runtime folder "+filepath.Dir(sockets[0])) {
		t.Errorf("it does not say why it ended: %s", said)
	}
}

// Colours are for terminals.
func TestStyle(t *testing.T) {
	t.Parallel()
	f, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if s := style(f); s.Color || s.Width != 0 {
		t.Errorf("a file is written to as %+v", s)
	}
}
