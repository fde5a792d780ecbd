package jwks_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/authz/token/jwks"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
)

const (
	refresh = 5 * time.Minute
	floor   = 10 * time.Second
	timeout = 10 * time.Second
)

func TestAURLIsFetchedAtOnceAndAgain(t *testing.T) {
	t.Parallel()
	onBench(t, nil, func(t *testing.T, b *bench) {
		if s := b.status(); !b.has("a") || !s.Ready || s.Err != nil || !s.Loaded.Equal(time.Now()) || s.Key != corp {
			t.Errorf("status %+v", s)
		}
		b.pass(3 * refresh)
		if diff := cmp.Diff([]time.Duration{0, refresh, 2 * refresh, 3 * refresh}, b.issuer.offsets()); diff != "" {
			t.Error(diff)
		}
		for _, f := range b.issuer.seen() {
			if f.url != issuerURL || f.header.Get("Accept") == "" || f.header.Get("Authorization") != "" || f.header.Get("Cookie") != "" {
				t.Errorf("fetched %+v", f)
			}
		}
	})
}

// TestBackOff: after failures twice as long each time, but never longer than
// between good attempts.
func TestBackOff(t *testing.T) {
	t.Parallel()
	onBench(t, nil, func(t *testing.T, b *bench) {
		b.issuer.fails(errDown)
		b.pass(refresh + 20*time.Minute)
		b.issuer.publishes(newEd25519(1).named("a"))
		b.pass(3 * refresh)
		s := time.Second
		want := []time.Duration{0, 300 * s, 310 * s, 330 * s, 370 * s, 450 * s, 610 * s, 910 * s, 1210 * s, 1510 * s, 1810 * s, 2110 * s}
		if diff := cmp.Diff(want, b.issuer.offsets()); diff != "" {
			t.Error(diff)
		}
		b.issuer.fails(errDown)
		at := b.issuer.count()
		b.pass(2 * floor)
		if n := b.issuer.count() - at; n != 2 {
			t.Errorf("%d attempts after a success, want one in its time and one after the floor", n)
		}
	})
}

// TestJitter: attempts come up to a tenth early.
func TestJitter(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rand io.Reader
		most time.Duration
	}{
		"none":          {constant{}, 0},
		"most":          {constant{b: 0xff}, refresh / 10},
		"no randomness": {constant{b: 0xff, err: errors.New("no entropy")}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onBench(t, func(cfg *jwks.Config, _ *feedv1.KeySet) { cfg.Rand = c.rand }, func(t *testing.T, b *bench) {
				b.pass(refresh)
				got := refresh - b.issuer.offsets()[1]
				if got < 0 || got > c.most || got < c.most-time.Millisecond {
					t.Errorf("%s early, want %s", got, c.most)
				}
			})
		})
	}
}

// TestGeneration: what was verified is to be verified again when a key is
// withdrawn, and only then.
func TestGeneration(t *testing.T) {
	t.Parallel()
	a, b, c := newEd25519(1), newEd25519(2), newEd25519(3)
	onBench(t, nil, func(t *testing.T, bench *bench) {
		if g := bench.View().Generation; g != 0 {
			t.Errorf("the first set has generation %d", g)
		}
		for _, step := range []struct {
			name  string
			keys  []jwk
			grows bool
		}{
			{"a second key comes, and the first is not the only one any more", []jwk{a.named("a"), b.named("b")}, true},
			{"nothing", []jwk{a.named("a"), b.named("b")}, false},
			{"another order", []jwk{b.named("b"), a.named("a")}, false},
			{"a third key comes", []jwk{a.named("a"), b.named("b"), c.named("c")}, false},
			{"other members", []jwk{a.named("a").with("x5t", "AA"), b.named("b"), c.named("c")}, false},
			{"one is withdrawn", []jwk{b.named("b"), c.named("c")}, true},
			{"one becomes another", []jwk{b.named("b"), a.named("c")}, true},
			{"one is for encryption now", []jwk{b.named("b"), a.named("c").with("use", "enc")}, true},
			{"the kid changes", []jwk{b.named("b2")}, true},
			{"its private half is published", []jwk{b.named("b2"), b.named("b2").with("d", "AA")}, true},
			{"they are back", []jwk{b.named("b2")}, false},
			{"all are withdrawn", []jwk{}, true},
			{"the same key is for another algorithm", []jwk{newRSA(jwks.RS256).named("r"), a.named("a")}, false},
			{"and for another", []jwk{newRSA(jwks.PS256).named("r"), a.named("a")}, true},
		} {
			before := bench.View()
			bench.issuer.publishes(step.keys...)
			bench.pass(refresh)
			after := bench.View()
			if grew := after.Generation > before.Generation; grew != step.grows || after.Err != nil || after.Generation > before.Generation+1 {
				t.Errorf("%s: generation %d, then %d (%v)", step.name, before.Generation, after.Generation, after.Err)
			}
		}
	})
}

// TestWithdrawnKeys are gone at the next fetch, while a view that was taken
// before never changes.
func TestWithdrawnKeys(t *testing.T) {
	t.Parallel()
	onBench(t, nil, func(t *testing.T, b *bench) {
		old := b.View()
		b.issuer.publishes(newEd25519(2).named("b"))
		b.pass(refresh)
		if b.has("a") || !b.has("b") || old.Find("a", time.Now()) == nil || old.Find("b", time.Now()) != nil {
			t.Errorf("kids %q, before %q", b.View().Set.IDs(), old.Set.IDs())
		}
		b.issuer.publishes()
		b.pass(refresh)
		if s := b.status(); b.has("b") || !s.Ready || len(s.KeyIDs) > 0 || s.Err != nil {
			t.Errorf("with all keys withdrawn: %+v", s)
		}
	})
}

// TestLastGoodKeys serve until MaxStale, whatever the source does.
func TestLastGoodKeys(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		do   func(*issuer)
		said string
	}{
		{"down", func(i *issuer) { i.fails(errDown) }, "fetch key set: connection refused"},
		{"slow", func(i *issuer) { i.hangs() }, "fetch key set: context deadline exceeded"},
		{"an error page", func(i *issuer) {
			i.does(func(r *http.Request) (*http.Response, error) { return response(r, 503, "{}"), nil })
		}, "fetch key set: status 503"},
		{"wrong content", func(i *issuer) { i.says([]byte("<html>")) }, "read key set: read json: syntax at byte 0"},
		{"too many keys", func(i *issuer) { i.publishes(make([]jwk, jwks.MaxKeys+1)...) }, "read key set: more than 100 keys"},
		{"huge", func(i *issuer) { i.says(make([]byte, jwks.MaxBytes+1)) }, "fetch key set: more than 524288 bytes"},
		{"empty", func(i *issuer) { i.says(nil) }, "fetch key set: empty"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			onBench(t, nil, func(t *testing.T, b *bench) {
				loaded := b.View()
				c.do(b.issuer)
				b.pass(refresh + timeout)
				if s := b.status(); !s.Ready || !b.has("a") || !strings.HasPrefix(b.said(), c.said) || !s.Loaded.Equal(loaded.Loaded) {
					t.Errorf("after one failure: %+v", s)
				}
				if want := loaded.Loaded.Add(refresh + timeout + time.Hour); !loaded.Until.Equal(want) || !b.View().Until.Equal(want) {
					t.Errorf("good until %s, then %s, want %s", loaded.Until, b.View().Until, want)
				}
				b.pass(time.Until(loaded.Until) - 1)
				if !b.has("a") || !b.status().Ready {
					t.Error("too old before its time")
				}
				b.pass(1)
				if s := b.status(); b.has("a") || b.View().Usable(time.Now()) || s.Ready || !strings.HasPrefix(b.said(), c.said) {
					t.Errorf("when it is too old: %+v", s)
				}
				b.issuer.publishes(newEd25519(1).named("a"))
				b.pass(refresh + timeout)
				if s := b.status(); !b.has("a") || s.Err != nil || b.View().Generation != loaded.Generation {
					t.Errorf("when it is back: %+v", s)
				}
			})
		})
	}
}

// TestNoLastGoodKeys: a MaxStale of zero lets a set live no longer than until
// the next attempt has ended.
func TestNoLastGoodKeys(t *testing.T) {
	t.Parallel()
	onBench(t, func(_ *jwks.Config, spec *feedv1.KeySet) { spec.MaxStale = 0 }, func(t *testing.T, b *bench) {
		b.issuer.hangs()
		b.pass(refresh + timeout - 1)
		if !b.has("a") {
			t.Error("too old while the attempt is under way")
		}
		b.pass(1)
		if b.has("a") {
			t.Error("used after the attempt has failed")
		}
	})
}

func TestNothingIsLoadedYet(t *testing.T) {
	t.Parallel()
	onBench(t, func(c *jwks.Config, _ *feedv1.KeySet) { c.Transport.(*issuer).hangs() }, func(t *testing.T, b *bench) {
		if v := b.View(); v.Usable(time.Now()) || v.Find("a", time.Now()) != nil || v.Find("", time.Now()) != nil {
			t.Errorf("view %+v", v)
		}
		if got, want := b.said(), "key set of agents/corp is not loaded yet"; got != want {
			t.Errorf("said %q, want %q", got, want)
		}
		b.pass(timeout)
		if !strings.HasPrefix(b.said(), "fetch key set: context deadline exceeded") || b.status().Ready {
			t.Errorf("said %q after the timeout", b.said())
		}
		b.issuer.publishes(newEd25519(1).named("a"))
		b.pass(floor)
		if !b.has("a") || b.said() != "" {
			t.Errorf("said %q when it is there", b.said())
		}
	})
}

// TestStatusOfATooOldSet, of which nobody has tried to load another: Run does
// not run any more.
func TestStatusOfATooOldSet(t *testing.T) {
	t.Parallel()
	onBench(t, nil, func(t *testing.T, b *bench) {
		b.stop()
		b.pass(2 * time.Hour)
		if got, want := b.said(), "key set of agents/corp is too old"; got != want || b.status().Ready {
			t.Errorf("said %q, want %q", got, want)
		}
	})
}

// TestLog has a line for what changes, and none for what does not.
func TestLog(t *testing.T) {
	t.Parallel()
	onBench(t, nil, func(t *testing.T, b *bench) {
		b.pass(2 * refresh)
		if n := strings.Count(b.log.String(), "\n"); n != 1 || !strings.Contains(b.log.String(), "trust_domain=agents/corp keys=1") {
			t.Errorf("after three good attempts:\n%s", b.log)
		}
		b.issuer.fails(errDown)
		b.pass(4 * refresh)
		if n := strings.Count(b.log.String(), "connection refused"); n != 1 {
			t.Errorf("one problem, %d lines:\n%s", n, b.log)
		}
		b.issuer.says([]byte("<html>"))
		b.pass(2 * refresh)
		if n := strings.Count(b.log.String(), "level=WARN"); n != 2 {
			t.Errorf("two problems, %d lines:\n%s", n, b.log)
		}
		b.issuer.publishes(newEd25519(1).named("a"), jwk{"kty": "AKP"})
		b.pass(2 * refresh)
		if !strings.Contains(b.log.String(), "key 2 is not used") || b.status().Problems == nil {
			t.Errorf("nothing of the key that is not used:\n%s", b.log)
		}
	})
}

// TestWhatAServerSaysIsMadePlain: errors reach logs and terminals.
func TestWhatAServerSaysIsMadePlain(t *testing.T) {
	t.Parallel()
	hostile := "\x1b[2J\u202e\r\n" + strings.Repeat("ж", 5000)
	for name, answer := range map[string]func(*http.Request) (*http.Response, error){
		"an error": func(*http.Request) (*http.Response, error) { return nil, errors.New(hostile) },
		"a Location": func(r *http.Request) (*http.Response, error) {
			resp := response(r, http.StatusFound, "")
			resp.Header.Set("Location", "https://issuer.example/%zz"+hostile)
			return resp, nil
		},
		"a body": func(r *http.Request) (*http.Response, error) {
			resp := response(r, http.StatusOK, "")
			resp.Body = io.NopCloser(io.MultiReader(strings.NewReader("{"), constant{err: errors.New(hostile)}))
			return resp, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onBench(t, nil, func(t *testing.T, b *bench) {
				b.issuer.does(answer)
				b.pass(refresh)
				said := b.said()
				if said == "" || len(said) > 300 || strings.ContainsFunc(said, func(r rune) bool { return !unicode.IsPrint(r) }) {
					t.Errorf("said %d bytes: %q", len(said), said)
				}
			})
		})
	}
}

// TestConditionalRequests: what is the same is not read again, and is current.
func TestConditionalRequests(t *testing.T) {
	t.Parallel()
	const modified = "Mon, 02 Jan 2006 15:04:05 GMT"
	for _, c := range []struct {
		name           string
		header         map[string]string
		etag, modified string // as they are to come back
	}{
		{"ETag", map[string]string{"ETag": `"v1"`}, `"v1"`, ""},
		{"weak ETag", map[string]string{"ETag": `W/"v1"`}, `W/"v1"`, ""},
		{"Last-Modified", map[string]string{"Last-Modified": modified}, "", modified},
		{"both", map[string]string{"ETag": `"v1"`, "Last-Modified": modified}, `"v1"`, modified},
		{"none", nil, "", ""},
		{"an ETag that no server takes back", map[string]string{"ETag": `"` + strings.Repeat("x", 300) + `"`, "Last-Modified": modified}, "", modified},
		{"an ETag that no header can carry", map[string]string{"ETag": "\"\x01\""}, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			serve := func(r *http.Request) (*http.Response, error) { //nolint:unparam // a round tripper may fail
				conditional := r.Header.Get("If-None-Match")+r.Header.Get("If-Modified-Since") != ""
				if conditional {
					return response(r, http.StatusNotModified, ""), nil
				}
				resp := response(r, http.StatusOK, string(setOf(newEd25519(1).named("a"))))
				for k, v := range c.header {
					resp.Header.Set(k, v)
				}
				return resp, nil
			}
			onBench(t, func(cfg *jwks.Config, _ *feedv1.KeySet) { cfg.Transport.(*issuer).does(serve) }, func(t *testing.T, b *bench) {
				first := b.View()
				b.pass(2 * refresh)
				last := b.issuer.seen()[2]
				if got := last.header.Get("If-None-Match"); got != c.etag {
					t.Errorf("If-None-Match is %q, want %q", got, c.etag)
				}
				if got := last.header.Get("If-Modified-Since"); got != c.modified {
					t.Errorf("If-Modified-Since is %q, want %q", got, c.modified)
				}
				if v := b.View(); v.Err != nil || v.Set != first.Set || v.Generation != 0 || v.Loaded.Sub(first.Loaded) != 2*refresh || v.Until.Sub(first.Until) != 2*refresh {
					t.Errorf("view %+v after %+v", v, first)
				}
			})
		})
	}
}

// TestConditionalRequestsAreOfWhatWasAccepted: a document that is no set does
// not become the one that a server may call unchanged.
func TestConditionalRequestsAreOfWhatWasAccepted(t *testing.T) {
	t.Parallel()
	onBench(t, nil, func(t *testing.T, b *bench) {
		b.issuer.does(func(r *http.Request) (*http.Response, error) {
			resp := response(r, http.StatusOK, "<html>")
			resp.Header.Set("ETag", `"page"`)
			return resp, nil
		})
		b.pass(refresh + floor)
		seen := b.issuer.seen()
		if got := seen[len(seen)-1].header.Get("If-None-Match"); got != "" || len(seen) != 3 {
			t.Errorf("%d requests, the last with If-None-Match %q", len(seen), got)
		}
	})
}

// TestNotModifiedUnasked says nothing of the keys.
func TestNotModifiedUnasked(t *testing.T) {
	t.Parallel()
	onBench(t, nil, func(t *testing.T, b *bench) {
		loaded := b.View().Loaded
		b.issuer.does(func(r *http.Request) (*http.Response, error) { return response(r, http.StatusNotModified, ""), nil })
		b.pass(refresh)
		if b.said() != "fetch key set: status 304" || !b.View().Loaded.Equal(loaded) {
			t.Errorf("said %q, loaded %s", b.said(), b.View().Loaded)
		}
	})
}
