package testenv

import (
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

// Port is a TCP port on 127.0.0.1 that was free a moment ago.
func Port(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
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
