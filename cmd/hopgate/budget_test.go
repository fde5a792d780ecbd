package main

import (
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/internal/testenv"
)

// TestRunKeepsBudgets: who has the gateway killed has no new budget.
func TestRunKeepsBudgets(t *testing.T) {
	t.Parallel()
	site, _, _ := web(t)
	r := prepare(t, site)
	objects := filepath.Join(r.dir, "files", "objects.yaml")
	write(t, objects, strings.Replace(read(t, objects), "    action: Allow\n", "    action: Allow\n    with: {limits: {uploadBytes: 15000, window: 1h}}\n", 1))
	r.start()
	long := strings.Replace(site, "127.0.0.1", "web.example", 1) + "/" + strings.Repeat("x", 4000)
	if first, second := r.get(long, r.sign()), r.get(long, r.sign()); first != 200 || second != 403 {
		t.Fatalf("answers %d and %d, want one of the two", first, second)
	}
	if err := r.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-r.ended
	testenv.Wait(t, "its Envoy to be gone", func() bool { return free(r.proxy) && free(r.http) })
	again := &running{
		t: t, dir: r.dir, proxy: r.proxy, http: r.http, health: testenv.Port(t),
		out: &stream{}, errs: &stream{}, ended: make(chan struct{}),
	}
	again.start()
	if got := again.get(long, again.sign()); got != 403 {
		t.Errorf("after a crash: %d", got)
	}
	if got := again.get(strings.TrimSuffix(long, strings.Repeat("x", 4000)), again.sign()); got != 200 {
		t.Errorf("what there was room for before: %d", got)
	}
	again.stop()
}

// free reports whether a port of this machine can be taken.
func free(port int) bool {
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return false
	}
	return l.Close() == nil
}
