package jwks_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hopgate/hopgate/authz/token/jwks"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
)

// The URL has a secret, which no log, error or status may show.
const (
	secretText = "hunter2"
	issuerURL  = "https://issuer.example/jwks?key=" + secretText
)

var corp = feedv1.Key{Namespace: "agents", Name: "corp"}

// issuer is the server of a key set, in memory.
type issuer struct {
	mu      sync.Mutex
	answer  func(*http.Request) (*http.Response, error) // guarded by mu
	fetches []fetch                                     // guarded by mu
}

// fetch is one request that an issuer had.
type fetch struct {
	at     time.Time
	url    string
	header http.Header
}

// RoundTrip answers as the issuer does now.
func (i *issuer) RoundTrip(r *http.Request) (*http.Response, error) {
	i.mu.Lock()
	i.fetches = append(i.fetches, fetch{time.Now(), r.URL.String(), r.Header.Clone()})
	answer := i.answer
	i.mu.Unlock()
	return answer(r)
}

func (i *issuer) does(answer func(*http.Request) (*http.Response, error)) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.answer = answer
}

// says makes it answer with these bytes.
func (i *issuer) says(raw []byte) {
	i.does(func(r *http.Request) (*http.Response, error) { return response(r, http.StatusOK, string(raw)), nil })
}

// publishes makes it answer with these keys.
func (i *issuer) publishes(keys ...jwk) { i.says(setOf(keys...)) }

func (i *issuer) fails(err error) {
	i.does(func(*http.Request) (*http.Response, error) { return nil, err })
}

// hangs makes it answer only when nobody waits any more.
func (i *issuer) hangs() {
	i.does(func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, context.Cause(r.Context())
	})
}

func (i *issuer) seen() []fetch {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Clone(i.fetches)
}

// count is how many requests it had.
func (i *issuer) count() int { return len(i.seen()) }

// offsets are the times of all requests since the first.
func (i *issuer) offsets() []time.Duration {
	var out []time.Duration
	all := i.seen()
	for _, f := range all {
		out = append(out, f.at.Sub(all[0].at))
	}
	return out
}

func response(r *http.Request, status int, body string) *http.Response {
	return &http.Response{
		StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
	}
}

// constant is a source of randomness that is always the same, or that gives
// nothing but an error.
type constant struct {
	b   byte
	err error
}

func (c constant) Read(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	for i := range p {
		p[i] = c.b
	}
	return len(p), nil
}

// logged is a log that may be read at any time.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// bench is one source that runs, in virtual time, and its issuer.
type bench struct {
	*jwks.Source
	issuer  *issuer
	sources *jwks.Sources
	log     *logged
	stop    context.CancelFunc
	stopped chan error
}

// onBench runs a test on a bench whose issuer publishes the key "a" first.
// There is no jitter, unless change says otherwise.
func onBench(t *testing.T, change func(*jwks.Config, *feedv1.KeySet), test func(*testing.T, *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bench{issuer: &issuer{}, log: &logged{}, stopped: make(chan error, 1)}
		b.issuer.publishes(newEd25519(1).named("a"))
		c := jwks.Config{Transport: b.issuer, Rand: constant{}, Log: slog.New(slog.NewTextHandler(b.log, nil))}
		spec := feedv1.KeySet{URL: issuerURL, MaxStale: time.Hour}
		if change != nil {
			change(&c, &spec)
		}
		b.sources = jwks.New(c)
		b.Source = b.sources.Apply(map[feedv1.Key]feedv1.KeySet{corp: spec})[corp]
		ctx, cancel := context.WithCancel(t.Context())
		b.stop = cancel
		go func() { b.stopped <- b.sources.Run(ctx) }()
		synctest.Wait()
		test(t, b)
		cancel()
		if err := <-b.stopped; err != nil {
			t.Errorf("Run = %v", err)
		}
		if said := b.log.String() + b.said(); strings.Contains(said, secretText) {
			t.Errorf("the secret of the URL is shown: %s", said)
		}
	})
}

// pass lets time pass, and all that happens in it.
func (b *bench) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// status is the state of the source.
func (b *bench) status() jwks.Status { return b.sources.Status()[0] }

// said is what the source says is wrong.
func (b *bench) said() string {
	if err := b.status().Err; err != nil {
		return err.Error()
	}
	return ""
}

// has reports whether the key of that kid is found now.
func (b *bench) has(kid string) bool { return b.View().Find(kid, time.Now()) != nil }

var errDown = errors.New("connection refused")
