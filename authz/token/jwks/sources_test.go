package jwks_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/authz/token/jwks"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
)

func named(name string) feedv1.Key { return feedv1.Key{Namespace: "agents", Name: name} }

// host fetches from many issuers, by the host of the URL.
type host struct {
	issuers map[string]*issuer
}

func (h host) RoundTrip(r *http.Request) (*http.Response, error) {
	return h.issuers[r.URL.Host].RoundTrip(r)
}

// many are n URLs, each with an issuer that publishes the key "a".
func many(n int) (map[feedv1.Key]feedv1.KeySet, host) {
	sets, h := map[feedv1.Key]feedv1.KeySet{}, host{map[string]*issuer{}}
	for i := range n {
		name := fmt.Sprintf("i%d", i)
		h.issuers[name] = &issuer{}
		h.issuers[name].publishes(newEd25519(1).named("a"))
		sets[named(name)] = feedv1.KeySet{URL: "https://" + name, MaxStale: time.Hour}
	}
	return sets, h
}

func (h host) counts() map[string]int {
	out := map[string]int{}
	for name, i := range h.issuers {
		out[name] = i.count()
	}
	return out
}

// running runs sources in a bubble until the test ends.
func running(t *testing.T, all *jwks.Sources) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- all.Run(ctx) }()
	synctest.Wait()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v", err)
		}
	}
}

// TestTheZeroConfigWorks.
func TestTheZeroConfigWorks(t *testing.T) {
	t.Parallel()
	all := jwks.New(jwks.Config{})
	src := all.Apply(map[feedv1.Key]feedv1.KeySet{corp: {JWKS: setOf(newEd25519(1).named("a"), jwk{})}})[corp]
	v := src.View()
	if v.Find("a", time.Now()) == nil || v.Find("b", time.Now()) != nil || !v.Until.IsZero() || !v.Usable(time.Now().AddDate(100, 0, 0)) {
		t.Errorf("view %+v", v)
	}
	want := []jwks.Status{{
		Key: corp, Ready: true, KeyIDs: []string{"a"}, Loaded: v.Loaded, Problems: []string{"key 2 is not used: its kty and crv are not ones that are used here"},
	}}
	if diff := cmp.Diff(want, all.Status()); diff != "" {
		t.Error(diff)
	}
}

// TestSpecsOfNoForm end in a refusal that says why.
func TestSpecsOfNoForm(t *testing.T) {
	t.Parallel()
	good := setOf(newEd25519(1).named("a"))
	for name, c := range map[string]struct {
		spec feedv1.KeySet
		want string
	}{
		"nothing":      {feedv1.KeySet{MaxStale: time.Hour}, "it names no place for its keys"},
		"empty":        {feedv1.KeySet{JWKS: []byte{}}, "it names no place for its keys"},
		"set and URL":  {feedv1.KeySet{JWKS: good, URL: issuerURL}, "it names more than one place for its keys"},
		"set and file": {feedv1.KeySet{JWKS: good, File: "/jwks"}, "it names more than one place for its keys"},
		"URL and file": {feedv1.KeySet{URL: issuerURL, File: "/jwks"}, "it names more than one place for its keys"},
		"no set":       {feedv1.KeySet{JWKS: []byte("{}")}, "read key set: it is not an object with an array keys"},
		"no URL":       {feedv1.KeySet{URL: "http://tts.corp.example"}, "its URL is not https, or http to a loopback address"},
	} {
		i := &issuer{}
		i.publishes(newEd25519(2).named("b"))
		all := jwks.New(jwks.Config{Transport: i})
		src := all.Apply(map[feedv1.Key]feedv1.KeySet{corp: c.spec})[corp]
		all.Prefetch(t.Context())
		s := all.Status()[0]
		if s.Ready || fault(s) != c.want || src.View().Usable(time.Now()) || i.count() > 0 {
			t.Errorf("%s: %+v, %d fetches, want %q", name, s, i.count(), c.want)
		}
	}
}

// TestApplyKeepsWhatDidNotChange, with all that it has.
func TestApplyKeepsWhatDidNotChange(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "jwks.json")
		write(t, path, setOf(newEd25519(1).named("a")))
		specs, h := many(1)
		specs[named("file")] = feedv1.KeySet{File: path, MaxStale: time.Hour}
		specs[named("inline")] = feedv1.KeySet{JWKS: setOf(newEd25519(1).named("a"))}
		all := jwks.New(jwks.Config{Transport: h, Rand: constant{}})
		old := all.Apply(specs)
		stop := running(t, all)
		h.issuers["i0"].publishes(newEd25519(1).named("a"), newEd25519(2).named("b"))
		time.Sleep(refresh)
		synctest.Wait()
		// The same, in other maps and bytes.
		again := maps.Clone(specs)
		again[named("inline")] = feedv1.KeySet{JWKS: setOf(newEd25519(1).named("a"))}
		views := map[feedv1.Key]*jwks.View{}
		for key, src := range old {
			views[key] = src.View()
		}
		now := all.Apply(again)
		synctest.Wait()
		for key := range specs {
			if now[key] != old[key] || now[key].View() != views[key] {
				t.Errorf("%s is another", key)
			}
		}
		if now[named("i0")].View().Generation != 1 || h.issuers["i0"].count() != 2 {
			t.Errorf("generation %d, %d fetches", now[named("i0")].View().Generation, h.issuers["i0"].count())
		}
		stop()
	})
}

// TestApplyReplacesWhatChanged: nothing of the old one is left.
func TestApplyReplacesWhatChanged(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "jwks.json")
	write(t, path, setOf(newEd25519(1).named("a")))
	for name, spec := range map[string]feedv1.KeySet{
		"another MaxStale": {URL: "https://i0", MaxStale: time.Minute},
		"another URL":      {URL: "https://i1", MaxStale: time.Hour},
		"a file":           {File: path, MaxStale: time.Hour},
		"a set":            {JWKS: setOf(newEd25519(1).named("a")), MaxStale: time.Hour},
		"nothing":          {MaxStale: time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				_, h := many(2)
				all := jwks.New(jwks.Config{Transport: h, Rand: constant{}})
				old := all.Apply(map[feedv1.Key]feedv1.KeySet{corp: {URL: "https://i0", MaxStale: time.Hour}})[corp]
				stop := running(t, all)
				now := all.Apply(map[feedv1.Key]feedv1.KeySet{corp: spec})[corp]
				synctest.Wait()
				before := h.issuers["i0"].count()
				if now == old || old.MayAsk("b") || (spec.URL == "https://i0") != (before == 2) {
					t.Errorf("%d fetches by the old one, which may be asked: %v", before, old.MayAsk("b"))
				}
				usable := spec.URL+spec.File+string(spec.JWKS) != ""
				if now.View().Usable(time.Now()) != usable {
					t.Errorf("view %+v", now.View())
				}
				time.Sleep(refresh)
				synctest.Wait()
				if after := h.issuers["i0"].count(); spec.URL != "https://i0" && after != before {
					t.Errorf("the old one fetched %d times", after-before)
				}
				stop()
			})
		})
	}
}

// TestRemovedSourcesStop, also one that waits for its server, and those that
// are left go on.
func TestRemovedSourcesStop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		specs, h := many(3)
		h.issuers["i1"].hangs()
		all := jwks.New(jwks.Config{Transport: h, Rand: constant{}})
		old := all.Apply(specs)
		stop := running(t, all)
		storm := make(chan bool, 1)
		go func() { storm <- old[named("i1")].Ask(t.Context(), "b") }()
		synctest.Wait()
		left := all.Apply(map[feedv1.Key]feedv1.KeySet{named("i2"): specs[named("i2")]})
		<-storm
		time.Sleep(2 * refresh)
		synctest.Wait()
		if diff := cmp.Diff(map[string]int{"i0": 1, "i1": 1, "i2": 3}, h.counts()); diff != "" {
			t.Error(diff)
		}
		if len(left) != 1 || len(all.Status()) != 1 || left[named("i2")] != old[named("i2")] {
			t.Errorf("left are %v", left)
		}
		all.Apply(nil)
		time.Sleep(2 * refresh)
		synctest.Wait()
		if h.counts()["i2"] != 3 || len(all.Status()) != 0 {
			t.Errorf("%v fetches when none is left", h.counts())
		}
		// It comes back as if it had never been.
		if src := all.Apply(specs)[named("i0")]; src == old[named("i0")] {
			t.Error("the old one is back")
		}
		synctest.Wait()
		if h.counts()["i0"] != 2 {
			t.Errorf("%v fetches when it is back", h.counts())
		}
		stop()
	})
}

func TestRunRunsOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		all := jwks.New(jwks.Config{})
		stop := running(t, all)
		if err := all.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "run already") {
			t.Errorf("a second Run = %v", err)
		}
		stop()
	})
}

// TestRunEndsLast: nothing is under way any more when it returns.
func TestRunEndsLast(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		specs, h := many(3)
		var ended atomic.Int32
		for _, i := range h.issuers {
			i.does(func(r *http.Request) (*http.Response, error) {
				<-r.Context().Done()
				time.Sleep(time.Second)
				ended.Add(1)
				return nil, r.Context().Err()
			})
		}
		all := jwks.New(jwks.Config{Transport: h})
		all.Apply(specs)
		running(t, all)()
		if n := ended.Load(); n != 3 {
			t.Errorf("%d of 3 attempts have ended", n)
		}
	})
}

// TestApplyAfterRun starts nothing that goes on.
func TestApplyAfterRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		specs, h := many(20)
		all := jwks.New(jwks.Config{Transport: h, Rand: constant{}})
		running(t, all)()
		all.Apply(specs)
		time.Sleep(3 * refresh)
		synctest.Wait()
		for name, n := range h.counts() {
			if n > 1 { // one that was on its way may have been sent
				t.Errorf("%s: %d fetches", name, n)
			}
		}
	})
}

// TestPrefetch loads what nobody has loaded, once, for a command that does not
// run.
func TestPrefetch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		specs, h := many(3)
		h.issuers["i1"].hangs()
		specs[named("inline")] = feedv1.KeySet{JWKS: setOf(newEd25519(1).named("a"))}
		all := jwks.New(jwks.Config{Transport: h})
		all.Apply(specs)
		all.Prefetch(t.Context())
		said := map[string]string{}
		for _, s := range all.Status() {
			said[s.Key.Name] = fmt.Sprint(s.Ready, " ", fault(s))
		}
		want := map[string]string{"i0": "true ", "i1": "false fetch key set: context deadline exceeded", "i2": "true ", "inline": "true "}
		if diff := cmp.Diff(want, said); diff != "" {
			t.Error(diff)
		}
		h.issuers["i1"].publishes(newEd25519(1).named("a"))
		all.Prefetch(t.Context())
		if diff := cmp.Diff(map[string]int{"i0": 1, "i1": 2, "i2": 1}, h.counts()); diff != "" {
			t.Error(diff)
		}
		// Run begins where Prefetch ended.
		stop := running(t, all)
		if diff := cmp.Diff(map[string]int{"i0": 1, "i1": 2, "i2": 1}, h.counts()); diff != "" {
			t.Errorf("Run fetched at once: %s", diff)
		}
		time.Sleep(refresh)
		synctest.Wait()
		if h.counts()["i0"] != 2 {
			t.Errorf("%v fetches", h.counts())
		}
		stop()
	})
}

func TestPrefetchIsGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		specs, h := many(2)
		h.issuers["i0"].hangs()
		h.issuers["i1"].hangs()
		all := jwks.New(jwks.Config{Transport: h})
		all.Apply(specs)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begun := time.Now()
		all.Prefetch(ctx)
		if took := time.Since(begun); took != time.Second {
			t.Errorf("took %s", took)
		}
		for _, s := range all.Status() {
			if want := "key set of " + s.Key.String() + " is not loaded yet"; fault(s) != want {
				t.Errorf("said %q, want %q", fault(s), want)
			}
		}
	})
}

// TestStatusIsSorted by the key, and each has its own kids, sorted.
func TestStatusIsSorted(t *testing.T) {
	t.Parallel()
	all := jwks.New(jwks.Config{})
	specs := map[feedv1.Key]feedv1.KeySet{}
	var want []string
	for i := range 20 {
		key := feedv1.Key{Namespace: fmt.Sprintf("n%d", i/5), Name: fmt.Sprintf("%02d", i)}
		specs[key] = feedv1.KeySet{JWKS: setOf(newEd25519(2).named("b"), newEd25519(1).named("a"))}
		want = append(want, key.String()+" [a b]")
	}
	all.Apply(specs)
	var got []string
	for _, s := range all.Status() {
		got = append(got, fmt.Sprint(s.Key, " ", s.KeyIDs))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestAllAtOnce: sources are applied, asked, looked at and prefetched while
// they run and their keys change.
func TestAllAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "jwks.json")
		write(t, path, setOf(newEd25519(1).named("a")))
		specs, h := many(4)
		specs[named("file")] = feedv1.KeySet{File: path}
		specs[named("inline")] = feedv1.KeySet{JWKS: setOf(newEd25519(1).named("a"))}
		all := jwks.New(jwks.Config{Transport: h, Floor: time.Millisecond, FileEvery: time.Millisecond, Refresh: time.Second})
		sources := all.Apply(specs)
		stop := running(t, all)
		var work sync.WaitGroup
		each := func(do func(n int)) {
			work.Go(func() {
				for n := range 100 {
					do(n)
					time.Sleep(time.Millisecond)
				}
			})
		}
		each(func(n int) {
			half := maps.Clone(specs)
			delete(half, named(fmt.Sprintf("i%d", n%4)))
			all.Apply(half)
			all.Apply(specs)
		})
		each(func(n int) { h.issuers["i0"].publishes(newEd25519(byte(n)).named("a"), newEd25519(1).named("b")) })
		each(func(n int) {
			if err := os.WriteFile(path, setOf(newEd25519(byte(n)).named("a")), 0o600); err != nil {
				t.Error(err)
			}
		})
		each(func(int) { all.Status(); all.Prefetch(t.Context()) })
		for _, src := range sources {
			each(func(n int) {
				src.Ask(t.Context(), fmt.Sprint("kid-", n%7))
				if v := src.View(); v.Usable(time.Now()) && v.Set == nil {
					t.Error("a view without a set is usable")
				}
			})
		}
		work.Wait()
		time.Sleep(3 * time.Second)
		synctest.Wait()
		for _, s := range all.Status() {
			if !s.Ready || s.Err != nil {
				t.Errorf("%s: %v", s.Key, s.Err)
			}
		}
		stop()
	})
}
