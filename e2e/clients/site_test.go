package clients

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"sync"
	"testing"
)

// site stands for every host below example.com, at port 443 of this machine:
// pages, a Git server, and indexes of packages. Each has one thing of three
// names: hello; private, which is like it; endless, of which the first half
// comes and the rest never.
type site struct {
	*httptest.Server
	// half has the host of each answer that has stopped half-way.
	half chan string
	// gone is closed when nothing is to wait any longer.
	gone chan struct{}

	mu    sync.Mutex
	asked []string // guarded by mu; paths
}

// names are what every host has.
var names = [...]string{"hello", "private", "endless"}

func newSite(t testing.TB, a *authority) *site {
	t.Helper()
	s := &site{half: make(chan string, 64), gone: make(chan struct{})}
	mux := http.NewServeMux()
	mux.Handle("site.example.com/", http.HandlerFunc(s.pages))
	mux.Handle("git.example.com/", s.repositories(t))
	mux.Handle("pypi.example.com/", s.wheels(t))
	mux.Handle("npm.example.com/", s.tarballs(t))
	mux.Handle("go.example.com/", s.modules(t))
	mux.Handle("cargo.example.com/", s.crates(t))
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.asked = append(s.asked, r.URL.Path)
		s.mu.Unlock()
		mux.ServeHTTP(w, r)
	}))
	l, err := net.Listen("tcp", "127.0.0.1:443")
	if err != nil {
		t.Fatal(err)
	}
	s.Listener.Close()
	s.Listener = l
	s.TLS = &tls.Config{Certificates: []tls.Certificate{a.certificate(t, "example.com")}}
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(func() { close(s.gone); s.CloseClientConnections(); s.Close() })
	return s
}

// paths are all that were asked for by now and have this in them.
func (s *site) paths(part string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, p := range s.asked {
		if strings.Contains(p, part) {
			out = append(out, p)
		}
	}
	return out
}

// pages says hello.
func (s *site) pages(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain")
	s.send(w, r, fmt.Appendf(nil, "hello, this is %s\n", path.Base(r.URL.Path)))
}

// send sends all of it, or the first half if it is of what is endless.
func (s *site) send(w http.ResponseWriter, r *http.Request, all []byte) {
	if !strings.Contains(r.URL.Path, "endless") {
		_, _ = w.Write(all) // who asked may have gone
		return
	}
	w.Header().Set("Content-Length", fmt.Sprint(len(all)))
	_, _ = w.Write(all[:len(all)/2])
	s.stop(w, r)
}

// stop holds an answer where it is until somebody goes away.
func (s *site) stop(w http.ResponseWriter, r *http.Request) {
	_ = http.NewResponseController(w).Flush() // who asked may have gone
	s.half <- r.Host
	select {
	case <-r.Context().Done():
	case <-s.gone:
	}
}
