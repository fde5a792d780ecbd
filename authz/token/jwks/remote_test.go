package jwks_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/authz/token/jwks"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/internal/testenv"
)

// fetchOnce fetches a URL once, and says what became of it.
func fetchOnce(t *testing.T, url string, cfg jwks.Config) jwks.Status {
	t.Helper()
	all := jwks.New(cfg)
	all.Apply(map[feedv1.Key]feedv1.KeySet{corp: {URL: url}})
	all.Prefetch(t.Context())
	return all.Status()[0]
}

func serve(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// reply is for handlers, whose client may have gone.
func reply(w io.Writer, raw []byte) { fmt.Fprintf(w, "%s", raw) }

func fault(s jwks.Status) string {
	if s.Err == nil {
		return ""
	}
	return s.Err.Error()
}

// TestServers are real ones, on loopback, with our own transport.
func TestServers(t *testing.T) {
	t.Parallel()
	good := setOf(newEd25519(1).named("a"))
	for _, c := range []struct {
		name  string
		serve http.HandlerFunc
		want  string // what is wrong; empty: nothing
	}{
		{"a good one", func(w http.ResponseWriter, _ *http.Request) { reply(w, good) }, ""},
		{"one that names another type", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			reply(w, good)
		}, ""},
		{"not found", http.NotFound, "status 404"},
		{"an error with keys in it", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusInternalServerError)
			reply(w, good)
		}, "status 500"},
		{"no content", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }, "status 204"},
		{"a part", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusPartialContent)
			reply(w, good)
		}, "status 206"},
		{"not modified, unasked", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) }, "status 304"},
		{"a login page", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<!doctype html>") }, "syntax"},
		{"nothing", func(http.ResponseWriter, *http.Request) {}, "empty"},
		{"compressed, unasked", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			reply(w, []byte("\x1f\x8b\x08"))
		}, "syntax"},
		{"hangs before its headers", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "deadline exceeded"},
		{"hangs in its body", func(w http.ResponseWriter, r *http.Request) {
			reply(w, good[:10])
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}, "deadline exceeded"},
		{"drips", func(w http.ResponseWriter, r *http.Request) {
			tick := time.NewTicker(time.Millisecond)
			defer tick.Stop()
			for r.Context().Err() == nil {
				reply(w, []byte(" "))
				w.(http.Flusher).Flush()
				<-tick.C
			}
		}, "deadline exceeded"},
		{"says that it is huge", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", strconv.Itoa(1<<30))
			reply(w, bytes.Repeat([]byte(" "), jwks.MaxBytes+1))
		}, "more than 524288 bytes"},
		{"never ends", func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				reply(w, bytes.Repeat([]byte(" "), 1<<16))
			}
		}, "more than 524288 bytes"},
		{"breaks off", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", strconv.Itoa(len(good)))
			reply(w, good[:10])
		}, "unexpected EOF"},
		{"no HTTP", func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				return
			}
			defer conn.Close()
			fmt.Fprint(conn, "\x1b[31mSSH-2.0-\x07\r\n\r\n")
		}, "malformed HTTP response"},
		{"huge headers", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X", strings.Repeat("x", 128<<10))
			reply(w, good)
		}, "headers exceeded 65536 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := fetchOnce(t, serve(t, c.serve).URL+"/jwks?key="+secretText, jwks.Config{Timeout: patience(c.want)})
			if said := fault(s); (said == "") != (c.want == "") || !strings.Contains(said, c.want) || strings.Contains(said, secretText) || strings.ContainsAny(said, "\x1b\x07") {
				t.Errorf("said %q, want %q", said, c.want)
			}
			if s.Ready != (c.want == "") {
				t.Errorf("status %+v", s)
			}
		})
	}
}

// patience is short where the timeout is what is tried.
func patience(want string) time.Duration {
	if strings.Contains(want, "deadline") {
		return 300 * time.Millisecond
	}
	return 20 * time.Second
}

func TestNobodyListens(t *testing.T) {
	t.Parallel()
	s := fetchOnce(t, fmt.Sprintf("http://127.0.0.1:%d/jwks?key=%s", testenv.Port(t), secretText), jwks.Config{})
	if said := fault(s); !strings.Contains(said, "connection refused") || strings.Contains(said, secretText) {
		t.Errorf("said %q", said)
	}
}

// TestRedirects stay at the host that the configuration names.
func TestRedirects(t *testing.T) {
	t.Parallel()
	const away = "redirected away from the scheme, host and port of its URL"
	var stray atomic.Int32
	strayed := func(w http.ResponseWriter, _ *http.Request) {
		stray.Add(1)
		reply(w, setOf(newEd25519(2).named("evil")))
	}
	other := serve(t, strayed)
	secure := httptest.NewTLSServer(http.HandlerFunc(strayed))
	defer secure.Close()
	mux := http.NewServeMux()
	home := serve(t, mux.ServeHTTP)
	mux.HandleFunc("/jwks", func(w http.ResponseWriter, _ *http.Request) { reply(w, setOf(newEd25519(1).named("a"))) })
	port := home.URL[strings.LastIndex(home.URL, ":"):]
	for _, c := range []struct {
		name, to string
		status   int
		want     string
	}{
		{"within the host", "/jwks", 302, ""},
		{"within the host, whole", home.URL + "/jwks", 302, ""},
		{"for good", "/jwks", 308, ""},
		{"without a scheme", "//127.0.0.1" + port + "/jwks", 303, ""},
		{"in a circle", "", 307, "too many redirects"},
		{"to another port", other.URL + "/jwks", 302, away},
		{"to another name of this host", "http://localhost" + port + "/jwks", 302, away},
		{"to another host", "http://evil.example/jwks", 302, away},
		{"to another scheme", secure.URL + "/jwks", 302, away},
		{"to a file", "file:///etc/passwd", 302, away},
		{"with a user", "http://user:password@127.0.0.1" + port + "/jwks", 302, away},
		{"to nowhere", "\x00", 302, "status 302"},
	} {
		path := "/" + strings.ReplaceAll(c.name, " ", "-")
		if c.to == "" {
			c.to = path
		}
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			if c.to != "\x00" {
				w.Header().Set("Location", c.to)
			}
			w.WriteHeader(c.status)
		})
		s := fetchOnce(t, home.URL+path, jwks.Config{Transport: jwks.NewTransport(trusting(secure))})
		if said := fault(s); (said == "") != (c.want == "") || !strings.Contains(said, c.want) || strings.Contains(said, "password") {
			t.Errorf("%s: said %q, want %q", c.name, said, c.want)
		}
	}
	if n := stray.Load(); n > 0 {
		t.Errorf("%d requests to where a redirect points", n)
	}
}

// TestTheSameOrigin in other words is no other place.
func TestTheSameOrigin(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		from, to string
		follow   bool
	}{
		{"https://tts.example/", "https://tts.example:443/jwks", true},
		{"https://tts.example:443/", "https://tts.example/jwks", true},
		{"https://tts.example/", "https://TTS.example/jwks", true},
		{"http://localhost/", "http://localhost:80/jwks", true},
		{"http://[::1]:80/", "http://[::1]/jwks", true},
		{"https://tts.example/", "https://tts.example:8443/jwks", false},
		{"https://tts.example/", "https://tts.example:80/jwks", false},
		{"https://tts.example/", "https://tts.example./jwks", false},
		{"https://tts.example/", "https://jwks.tts.example/jwks", false},
		{"https://tts.example:80/", "http://tts.example/jwks", false},
		{"http://localhost:443/", "https://localhost/jwks", false},
		{"http://localhost/", "http://127.0.0.1/jwks", false},
	} {
		i := &issuer{}
		i.does(func(r *http.Request) (*http.Response, error) {
			if r.URL.Path == "/jwks" {
				return response(r, http.StatusOK, string(setOf(newEd25519(1).named("a")))), nil
			}
			resp := response(r, http.StatusFound, "")
			resp.Header.Set("Location", c.to)
			return resp, nil
		})
		s := fetchOnce(t, c.from, jwks.Config{Transport: i})
		if s.Ready != c.follow || (i.count() == 2) != c.follow {
			t.Errorf("%s to %s: %d requests, %+v", c.from, c.to, i.count(), s)
		}
	}
}

// TestHowManyRedirects: three.
func TestHowManyRedirects(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if left, _ := strconv.Atoi(r.URL.Path[1:]); left > 0 {
			http.Redirect(w, r, fmt.Sprintf("/%d", left-1), http.StatusFound)
			return
		}
		reply(w, setOf(newEd25519(1).named("a")))
	})
	for n, want := range map[int]string{0: "", 3: "", 4: "fetch key set: too many redirects"} {
		if said := fault(fetchOnce(t, fmt.Sprintf("%s/%d", s.URL, n), jwks.Config{})); said != want {
			t.Errorf("%d redirects: said %q, want %q", n, said, want)
		}
	}
}

// trusting are roots that trust a server.
func trusting(s *httptest.Server) *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(s.Certificate())
	return p
}

func TestTLS(t *testing.T) {
	t.Parallel()
	for _, h2 := range []bool{false, true} {
		var protocol atomic.Value
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			protocol.Store(r.Proto)
			reply(w, setOf(newEd25519(1).named("a")))
		}))
		s.EnableHTTP2 = h2
		s.Config.ErrorLog = discard()
		s.StartTLS()
		defer s.Close()
		if said := fault(fetchOnce(t, s.URL, jwks.Config{})); !strings.Contains(said, "certificate signed by unknown authority") || protocol.Load() != nil {
			t.Errorf("not trusted: said %q, and %v came", said, protocol.Load())
		}
		want := map[bool]string{false: "HTTP/1.1", true: "HTTP/2.0"}[h2]
		if said := fault(fetchOnce(t, s.URL, jwks.Config{Transport: jwks.NewTransport(trusting(s))})); said != "" || protocol.Load() != want {
			t.Errorf("trusted: said %q by %v, want %s", said, protocol.Load(), want)
		}
		name := strings.Replace(s.URL, "127.0.0.1", "localhost", 1)
		if said := fault(fetchOnce(t, name, jwks.Config{Transport: jwks.NewTransport(trusting(s))})); !strings.Contains(said, "certificate is valid for") {
			t.Errorf("by another name: said %q", said)
		}
	}
}

func discard() *log.Logger { return log.New(io.Discard, "", 0) }

// TestNoDowngrade: from https no redirect leads to http, not even on loopback.
func TestNoDowngrade(t *testing.T) {
	t.Parallel()
	var stray atomic.Int32
	plain := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		stray.Add(1)
		reply(w, setOf(newEd25519(2).named("evil")))
	})
	secure := httptest.NewTLSServer(http.RedirectHandler(plain.URL+"/jwks", http.StatusFound))
	defer secure.Close()
	said := fault(fetchOnce(t, secure.URL, jwks.Config{Transport: jwks.NewTransport(trusting(secure))}))
	if !strings.Contains(said, "redirected away") || stray.Load() > 0 {
		t.Errorf("said %q, and %d requests came in the clear", said, stray.Load())
	}
}

// TestNamesInACertificate are those of whoever answers.
func TestNamesInACertificate(t *testing.T) {
	t.Parallel()
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"\x1b[2J\x1b]0;evil\x07"},
	}
	der := must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	s.Config.ErrorLog = discard()
	s.StartTLS()
	defer s.Close()
	said := fault(fetchOnce(t, strings.Replace(s.URL, "127.0.0.1", "localhost", 1), jwks.Config{}))
	if !strings.Contains(said, "x509") || strings.ContainsAny(said, "\x1b\x07") {
		t.Errorf("said %q", said)
	}
}

// TestURLs: https to anybody, http to this machine alone.
func TestURLs(t *testing.T) {
	t.Parallel()
	good := []string{
		"https://tts.corp.example/jwks", "https://10.0.0.1:8443/jwks?a=b", "https://[2001:db8::1]/", "HTTPS://tts.corp.example",
		"http://127.0.0.1:8080/jwks", "http://127.9.9.9/", "http://[::1]:80/", "http://localhost/jwks", "http://LocalHost:1/", "HTTP://127.0.0.1/",
		"http://[::ffff:127.0.0.1]/",
	}
	bad := []string{
		"http://tts.corp.example/jwks", "http://10.0.0.1/", "http://0.0.0.0/", "http://[::]/", "http://169.254.169.254/", "http://2130706433/", "http://0x7f.1/",
		"http://127.1/", "http://127.0.0.1.evil.example/", "http://localhost.evil.example/", "http://evil.example#@127.0.0.1/", "http://localhost@evil.example/",
		"http://user@127.0.0.1/", "https://user:password@tts.corp.example/", "https://", "https:///jwks", "https:tts.corp.example", "//tts.corp.example/jwks",
		"tts.corp.example/jwks", "/jwks", "file:///etc/passwd", "ftp://127.0.0.1/", "unix:///run/socket", "javascript:alert(1)", "https://a b/", "https://[::1/", "://",
		"https://tts.corp.example/\x00",
	}
	for _, url := range slices.Concat(good, bad) {
		i := &issuer{}
		i.publishes(newEd25519(1).named("a"))
		s := fetchOnce(t, url, jwks.Config{Transport: i})
		if ok := i.count() == 1 && s.Ready && s.Err == nil; ok != slices.Contains(good, url) || !ok && i.count() > 0 {
			t.Errorf("%q: %d requests, %+v", url, i.count(), s)
		}
	}
}

// TestInTheClearToLoopbackAlone: what counts is the address that is dialled,
// whatever the name.
func TestInTheClearToLoopbackAlone(t *testing.T) {
	t.Parallel()
	for _, host := range []string{"192.0.2.1:80", "[2001:db8::1]:80", "0.0.0.0:80"} {
		r := must(http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+host+"/jwks", nil))
		resp, err := jwks.NewTransport(nil).RoundTrip(r)
		if err == nil {
			resp.Body.Close()
		}
		if err == nil || !strings.Contains(err.Error(), "only from a loopback address") {
			t.Errorf("%s: %v", host, err)
		}
	}
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { reply(w, setOf(newEd25519(1).named("a"))) })
	if said := fault(fetchOnce(t, strings.Replace(s.URL, "127.0.0.1", "localhost", 1), jwks.Config{})); said != "" {
		t.Errorf("localhost: %s", said)
	}
}

// TestNoProxyIsAsked: a gateway must not need itself.
func TestNoProxyIsAsked(t *testing.T) {
	var asked atomic.Int32
	proxy := serve(t, func(http.ResponseWriter, *http.Request) { asked.Add(1) })
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY"} {
		t.Setenv(name, proxy.URL)
	}
	// net/http never asks a proxy for loopback: the address is another, and is
	// refused before it is dialled.
	r := must(http.NewRequestWithContext(t.Context(), http.MethodGet, "http://192.0.2.1/jwks", nil))
	if resp, err := jwks.NewTransport(nil).RoundTrip(r); err == nil {
		resp.Body.Close()
	}
	if n := asked.Load(); n > 0 {
		t.Errorf("the proxy was asked %d times", n)
	}
}

// TestNoConnectionIsKept between fetches, which are minutes apart.
func TestNoConnectionIsKept(t *testing.T) {
	t.Parallel()
	for _, secure := range []bool{false, true} {
		var opened, closed atomic.Int32
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			reply(w, setOf(newEd25519(1).named("a")))
		}))
		s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew:
				opened.Add(1)
			case http.StateClosed:
				closed.Add(1)
			}
		}
		s.EnableHTTP2 = true
		var roots *x509.CertPool
		if secure {
			s.StartTLS()
			roots = trusting(s)
		} else {
			s.Start()
		}
		defer s.Close()
		if said := fault(fetchOnce(t, s.URL, jwks.Config{Transport: jwks.NewTransport(roots)})); said != "" {
			t.Error(said)
		}
		testenv.Wait(t, "the end of the connection", func() bool { return opened.Load() == 1 && closed.Load() == 1 })
	}
}

// TestRealRotation goes through Run, Ask and a conditional request with a real
// server.
func TestRealRotation(t *testing.T) {
	t.Parallel()
	var now atomic.Pointer[[]byte]
	publish := func(keys ...jwk) {
		raw := setOf(keys...)
		now.Store(&raw)
	}
	var unchanged atomic.Int32
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		raw := *now.Load()
		tag := strconv.Quote(b64(raw[:20]) + strconv.Itoa(len(raw)))
		if r.Header.Get("If-None-Match") == tag {
			unchanged.Add(1)
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("ETag", tag)
		reply(w, raw)
	})
	publish(newEd25519(1).named("a"))
	all := jwks.New(jwks.Config{Floor: time.Millisecond, Refresh: time.Hour})
	src := all.Apply(map[feedv1.Key]feedv1.KeySet{corp: {URL: s.URL}})[corp]
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- all.Run(ctx) }()
	testenv.Wait(t, "the first key", func() bool { return src.View().Find("a", time.Now()) != nil })
	testenv.Wait(t, "a request that is answered by 304", func() bool {
		src.Ask(ctx, fmt.Sprint("unknown-", unchanged.Load()))
		return unchanged.Load() > 0
	})
	publish(newEd25519(1).named("a"), newEC(jwks.ES256, 1).named("b"))
	testenv.Wait(t, "the second key", func() bool {
		src.Ask(ctx, "b")
		return src.View().Find("b", time.Now()) != nil
	})
	publish(newEC(jwks.ES256, 1).named("b"), newEd25519(3).named("c"))
	testenv.Wait(t, "the third key", func() bool {
		src.Ask(ctx, "c")
		return src.View().Find("c", time.Now()) != nil
	})
	v := src.View()
	if diff := cmp.Diff([]string{"b", "c"}, v.Set.IDs()); diff != "" || v.Generation == 0 || v.Err != nil {
		t.Errorf("generation %d, %v\n%s", v.Generation, v.Err, diff)
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run = %v", err)
	}
}
