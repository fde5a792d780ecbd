package token

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hopgate/hopgate/authz/token/jwks"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
)

// keyServer answers fetches of a key set.
type keyServer struct {
	hangs bool

	mu    sync.Mutex
	body  []byte // guarded by mu; nil: it is down
	asked int    // guarded by mu
}

func (k *keyServer) RoundTrip(r *http.Request) (*http.Response, error) {
	k.mu.Lock()
	k.asked++
	k.mu.Unlock()
	if k.hangs {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.body == nil {
		return nil, errors.New("connection refused")
	}
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/jwk-set+json"}},
		Body: io.NopCloser(bytes.NewReader(k.body)), Request: r,
	}, nil
}

// serves has it answer with keys of these issuers; none: it is down.
func (k *keyServer) serves(kids ...string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.body = nil
	if len(kids) > 0 {
		k.body = jwksOf(kids...)
	}
}

func (k *keyServer) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.asked
}

func remote() feedv1.TrustDomain {
	return corp(func(d *feedv1.TrustDomain) {
		d.KeySet = feedv1.KeySet{URL: "https://keys.corp.example/jwks", MaxStale: time.Minute}
	})
}

// withServer runs a verifier of a domain whose keys have to be fetched.
func withServer(t *testing.T, k *keyServer, test func(*testing.T, *scene)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		d := remote()
		v, stop := runs(t, jwks.Config{Now: ticking(), Transport: k}, d)
		defer stop()
		test(t, &scene{t: t, v: v, d: d})
	})
}

// No key was ever had: nothing can be judged, and that is no fault of the token.
func TestKeySourceDown(t *testing.T) {
	t.Parallel()
	k := &keyServer{}
	withServer(t, k, func(t *testing.T, s *scene) {
		for range 3 {
			c, code := s.at(0, ed().claims())
			s.refused(c, code, "key_source_unavailable")
		}
		k.serves("ed")
		time.Sleep(time.Minute)
		synctest.Wait()
		if _, code := s.at(60, ed().claims()); code != "" {
			t.Errorf("with the source back: %s", code)
		}
	})
}

// A source that goes away takes nothing with it for as long as its keys are
// good, also while others ask for keys that it never had.
func TestKeySourceGoesAway(t *testing.T) {
	t.Parallel()
	k := &keyServer{}
	k.serves("ed")
	withServer(t, k, func(t *testing.T, s *scene) {
		if _, code := s.at(0, ed().claims()); code != "" {
			t.Fatal(code)
		}
		k.serves()
		time.Sleep(20 * time.Second)
		c, code := s.at(20, issuers()["es256"].claims())
		s.refused(c, code, "token_unknown_key")
		if _, code = s.at(20, ed().claims(set("txn", `"txn-2"`))); code != "" {
			t.Errorf("refused: %s", code)
		}
		time.Sleep(time.Hour)
		for _, raw := range []string{life(3600, 3900), issuers()["es256"].claims(from(moment+3600), until(moment+3900))} {
			c, code = s.at(3620, raw)
			s.refused(c, code, "key_source_unavailable")
		}
	})
}

// A new key is fetched when the first token of it comes.
func TestUnknownKeyIsFetched(t *testing.T) {
	t.Parallel()
	k := &keyServer{}
	k.serves("ed")
	withServer(t, k, func(t *testing.T, s *scene) {
		k.serves("ed", "es256")
		time.Sleep(11 * time.Second)
		if c, code := s.at(11, issuers()["es256"].claims()); code != "" || c.KeyID != "es256" {
			t.Errorf("code %q, claims %+v", code, c)
		}
		if n := k.count(); n != 2 {
			t.Errorf("%d fetches", n)
		}
	})
}

// However many unknown keys are named, the source is asked once in its floor,
// and for none of them twice.
func TestStormOfUnknownKeys(t *testing.T) {
	t.Parallel()
	k := &keyServer{}
	k.serves("ed")
	withServer(t, k, func(t *testing.T, s *scene) {
		time.Sleep(11 * time.Second)
		var storm sync.WaitGroup
		for i := range 50 {
			storm.Go(func() {
				kid := []string{`"k1"`, `"k2"`, `"../k3"`}[i%3]
				c, code := s.at(11, ed().token(kidded(ed(), kid), payload()))
				s.refused(c, code, "token_unknown_key")
			})
		}
		storm.Wait()
		if n := k.count(); n > 2 {
			t.Errorf("%d fetches", n)
		}
		time.Sleep(11 * time.Second)
		s.at(22, ed().token(kidded(ed(), `"k1"`), payload()))
		before := k.count()
		time.Sleep(11 * time.Second)
		for range 10 {
			s.at(33, ed().token(kidded(ed(), `"k1"`), payload()))
		}
		if n := k.count(); n != before {
			t.Errorf("%d fetches for a key that was not there a moment ago", n-before)
		}
	})
}

// No token whose form or trust domain is wrong has anything fetched.
func TestOnlyGoodFormFetches(t *testing.T) {
	t.Parallel()
	k := &keyServer{}
	k.serves("ed")
	withServer(t, k, func(t *testing.T, s *scene) {
		time.Sleep(11 * time.Second)
		odd := kidded(ed(), `"nobody"`)
		for name, raw := range map[string]string{
			"form": "x.y.z", "type": ed().token(`{"typ":"JWT","alg":"EdDSA","kid":"nobody"}`, payload()), "payload": ed().token(odd, "x"),
			"trust domain": ed().token(odd, payload(set("aud", `"other"`))), "algorithm": ed().token(`{"typ":"txntoken+jwt","alg":"HS256","kid":"nobody"}`, payload()),
			"jku": ed().token(`{"typ":"txntoken+jwt","alg":"EdDSA","kid":"nobody","jku":"https://keys.corp.example/jwks"}`, payload()),
		} {
			if _, code := s.at(11, raw); code == "" {
				t.Errorf("%s: believed", name)
			}
		}
		if n := k.count(); n != 1 {
			t.Errorf("%d fetches", n)
		}
	})
}

// Who asks for a key of a source that hangs waits no longer than it wants to.
func TestHangingKeySource(t *testing.T) {
	t.Parallel()
	withServer(t, &keyServer{hangs: true}, func(t *testing.T, s *scene) {
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		c, _, code := s.v.Verify(ctx, now(), ed().claims(), listener(s.d), Peer{})
		s.refused(c, code, "key_source_unavailable")
		if took := time.Since(began); took > 200*time.Millisecond {
			t.Errorf("it took %s", took)
		}
		ctx, cancel = context.WithCancel(t.Context())
		cancel()
		c, _, code = s.v.Verify(ctx, now(), ed().claims(), listener(s.d), Peer{})
		s.refused(c, code, "key_source_unavailable")
	})
}

// A verifier that does not run fetches nothing, and waits for nobody.
func TestNotRunning(t *testing.T) {
	t.Parallel()
	k := &keyServer{}
	k.serves("ed")
	v, err := New(Config{Keys: jwks.Config{Transport: k}})
	if err != nil {
		t.Fatal(err)
	}
	s := &scene{t: t, v: v, d: remote()}
	s.apply(s.d)
	c, code := s.at(0, ed().claims())
	s.refused(c, code, "key_source_unavailable")
	if n := k.count(); n != 0 {
		t.Errorf("%d fetches", n)
	}
}

// Signatures that wait for a place end with their request.
func TestSignatureSlots(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, corp())
		free := s.v.occupy()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		c, _, code := s.v.Verify(ctx, now(), ed().claims(), listener(s.d), Peer{})
		s.refused(c, code, "overloaded")
		// What needs no signature needs no place.
		c, code = s.at(0, ed().claims(set("aud", `"other"`)))
		s.refused(c, code, "token_wrong_domain")
		done := make(chan string, 1)
		go func() { _, code := s.at(0, ed().claims()); done <- code }()
		synctest.Wait()
		select {
		case code := <-done:
			t.Errorf("it did not wait: %q", code)
		default:
		}
		free()
		if code := <-done; code != "" {
			t.Errorf("with a place: %q", code)
		}
		if n := len(s.v.slots); n != 0 {
			t.Errorf("%d places are taken in the end", n)
		}
	})
}

func TestKeysOfVerifier(t *testing.T) {
	t.Parallel()
	two := corp(func(d *feedv1.TrustDomain) { d.Key.Name = "bad"; d.Audience = "b"; d.KeySet.JWKS = []byte("{") })
	keys := verifier(t, corp(), two).Keys()
	if len(keys) != 2 || keys[0].Key.Name != "bad" || keys[0].Ready || keys[0].Err == nil || !keys[1].Ready {
		t.Errorf("keys: %+v", keys)
	}
	c, code := (&scene{t: t, v: verifier(t, two), d: two}).at(0, ed().claims(set("aud", `"b"`)))
	if c != nil || code != "key_source_unavailable" {
		t.Errorf("code %q", code)
	}
}

// The log of a Verifier is told of its keys, and of no token.
func TestLogOfVerifier(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	v, err := New(Config{Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	s := &scene{t: t, v: v, d: corp()}
	s.apply(s.d, corp(func(d *feedv1.TrustDomain) { d.Key.Name = "bad"; d.KeySet.JWKS = []byte("{") }))
	raw := ed().claims()
	for _, token := range []string{raw, malformedSignature(raw)} {
		s.at(0, token)
	}
	if !strings.Contains(log.String(), "agents/bad") {
		t.Errorf("nothing is said of a key set that cannot be read: %s", &log)
	}
	conceals(t, raw, log.String())
}
