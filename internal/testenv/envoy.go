package testenv

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// Envoy is the path of the pinned Envoy. Without one the test is skipped,
// loudly, unless HOPGATE_REQUIRE_ENVOY is set: then it fails.
func Envoy(t testing.TB) string {
	t.Helper()
	for _, p := range []string{os.Getenv("ENVOY_PATH"), filepath.Join(Root(t), "bin", "envoy")} {
		if st, err := os.Stat(p); p != "" && err == nil && st.Mode()&0o111 != 0 {
			return p
		}
	}
	const how = "no Envoy: run make envoy, or set ENVOY_PATH"
	if os.Getenv("HOPGATE_REQUIRE_ENVOY") != "" {
		t.Fatal(how)
	}
	t.Skip(how)
	return ""
}

// Root is the folder of the module.
func Root(t testing.TB) string {
	t.Helper()
	_, file, _, ok := runtime.Caller(0)
	if !ok {
		t.Fatal("no caller")
	}
	return filepath.Dir(filepath.Dir(filepath.Dir(file)))
}

// Ports that the system gives to nobody who does not name them: begins there a
// client or a server at any port, it does not get one that a test was told.
const (
	firstPort = 10_240
	lastPort  = 32_000
)

// Port is a TCP port on 127.0.0.1 that was free a moment ago.
func Port(t testing.TB) int {
	t.Helper()
	for range 1000 {
		port := firstPort + rand.IntN(lastPort-firstPort)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("no port is free")
	return 0
}

// ShortDir is a private folder whose path is short enough for sockets.
func ShortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "hg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
