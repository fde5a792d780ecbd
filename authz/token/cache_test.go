package token

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/authz/token/jwks"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

// occupy takes every place in which a signature could be looked at: from then
// on, with a context that has ended, only what is remembered is believed.
func (v *Verifier) occupy() (free func()) {
	for range cap(v.slots) {
		v.slots <- struct{}{}
	}
	return func() {
		for range cap(v.slots) {
			<-v.slots
		}
	}
}

// remembers reports whether a token is believed without a look at its
// signature.
func (s *scene) remembers(at time.Time, raw string, l *feedv1.Listener) bool {
	s.t.Helper()
	defer s.v.occupy()()
	ctx, cancel := context.WithCancel(s.t.Context())
	cancel()
	c, _, code := s.v.Verify(ctx, at, raw, l, Peer{})
	if (c == nil) != (code != "") || code != "" && code != string(ReasonOverloaded) {
		s.t.Errorf("claims %+v, code %q", c, code)
	}
	return c != nil
}

func TestRemembers(t *testing.T) {
	t.Parallel()
	s := newScene(t, corp())
	raw := ed().claims()
	if s.remembers(now(), raw, listener(s.d)) {
		t.Fatal("it remembers what it has never seen")
	}
	first, code := s.at(0, raw)
	if code != "" {
		t.Fatal(code)
	}
	if !s.remembers(now(), raw, listener(s.d)) {
		t.Fatal("it does not remember")
	}
	if again, _ := s.at(1, raw); again != first {
		t.Error("claims are not shared")
	}
}

// A token that was verified costs nothing on the heap.
func TestHitAllocatesNothing(t *testing.T) {
	one, two := corp(), corp()
	two.Key.Name, two.Audience = "partner", "partner.example"
	v := verifier(t, one, two)
	raw := ed().claims(set("act", `{"sub":"a"}`), set("tctx", `{"region":"eu"}`))
	l := listener(two, one)
	peer := Peer{SPIFFE: workload}
	ctx := t.Context()
	at := now()
	verify := func() {
		if _, _, code := v.Verify(ctx, at, raw, l, peer); code != "" {
			t.Fatal(code)
		}
	}
	verify()
	if n := testing.AllocsPerRun(200, verify); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// What is too long is not even read: here, whoever reads a byte of it crashes.
func TestTooLongIsNotRead(t *testing.T) {
	t.Parallel()
	s := newScene(t, corp())
	pages, err := syscall.Mmap(-1, 0, 1<<30, syscall.PROT_NONE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { must(syscall.Munmap(pages)) }()
	for _, n := range []int{MaxBytes + 1, 1 << 20, len(pages)} {
		raw := unsafe.String(unsafe.SliceData(pages), n)
		if _, code := s.at(0, raw); code != "token_malformed" {
			t.Errorf("code %q", code)
		}
		i := Inspect(t.Context(), now(), raw, []feedv1.TrustDomain{corp()}, Peer{}, jwks.Config{})
		if i.Reason != ReasonMalformed || i.Header != nil || i.Claims != nil {
			t.Errorf("inspection: %+v", i)
		}
	}
}

func TestForgottenWith(t *testing.T) {
	t.Parallel()
	raw := ed().claims()
	other := corp(func(d *feedv1.TrustDomain) { d.Key.Name = "other" })
	for _, tt := range []struct {
		name string
		at   int // seconds after the moment
		do   func(*scene)
		l    *feedv1.Listener
		want bool
	}{
		{"nothing", 0, func(*scene) {}, nil, true},
		{"the last second of the leeway", 304, func(*scene) {}, nil, true},
		{"its end", 305, func(*scene) {}, nil, false},
		{"a clock that stepped back", -66, func(*scene) {}, nil, false},
		{"a clock that stepped back a little", -65, func(*scene) {}, nil, true},
		{"Forget", 0, func(s *scene) { s.v.Forget() }, nil, false},
		{"the same domain again", 0, func(s *scene) { s.apply(corp()) }, nil, true},
		{"another domain beside it", 0, func(s *scene) { s.apply(other, corp()) }, nil, true},
		{"its domain gone", 0, func(s *scene) { s.apply(other) }, nil, false},
		{"its domain gone and there again", 0, func(s *scene) { s.apply(); s.apply(corp()) }, nil, false},
		{"a listener that believes nobody", 0, func(*scene) {}, &feedv1.Listener{}, false},
		{"a listener that believes others", 0, func(*scene) {}, listener(other), false},
		{"a listener that believes others first", 0, func(s *scene) { s.apply(corp(), other) }, listener(other, corp()), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, corp())
			if _, code := s.at(0, raw); code != "" {
				t.Fatal(code)
			}
			tt.do(s)
			l := tt.l
			if l == nil {
				l = listener(s.d)
			}
			if got := s.recalls(now().Add(time.Duration(tt.at)*time.Second), raw, l); got != tt.want {
				t.Errorf("remembered: %v", got)
			}
		})
	}
}

// recalls is remembers where the token may be refused for any reason.
func (s *scene) recalls(at time.Time, raw string, l *feedv1.Listener) bool {
	s.t.Helper()
	defer s.v.occupy()()
	ctx, cancel := context.WithCancel(s.t.Context())
	cancel()
	c, _, code := s.v.Verify(ctx, at, raw, l, Peer{})
	if (c == nil) != (code != "") {
		s.t.Errorf("claims %+v, code %q", c, code)
	}
	return c != nil
}

func (s *scene) apply(domains ...feedv1.TrustDomain) {
	s.t.Helper()
	if err := s.v.Apply(domains); err != nil {
		s.t.Fatal(err)
	}
}

// nbf counts for what is remembered too, when the clock steps back.
func TestRememberedNotBefore(t *testing.T) {
	t.Parallel()
	s := newScene(t, corp())
	raw := ed().claims(set("nbf", fmt.Sprint(moment-10)))
	if _, code := s.at(0, raw); code != "" {
		t.Fatal(code)
	}
	c, code := s.at(-16, raw)
	s.refused(c, code, "token_not_yet")
}

// A change of any field of a domain has its tokens verified again.
func TestForgottenWithAnyField(t *testing.T) {
	t.Parallel()
	raw := ed().claims(set("iss", `"https://tts"`))
	changes := map[string]func(*feedv1.TrustDomain){
		"Key":          func(d *feedv1.TrustDomain) { d.Key.Namespace = "others" },
		"Audience":     func(d *feedv1.TrustDomain) { d.Audience = "other.example" },
		"Issuer":       func(d *feedv1.TrustDomain) { d.Issuer = "https://tts" },
		"Algorithms":   func(d *feedv1.TrustDomain) { d.Algorithms = d.Algorithms[:3] },
		"MaxLifetime":  func(d *feedv1.TrustDomain) { d.MaxLifetime-- },
		"MaxTxn":       func(d *feedv1.TrustDomain) { d.MaxTxn-- },
		"Leeway":       func(d *feedv1.TrustDomain) { d.Leeway++ },
		"Binding":      func(d *feedv1.TrustDomain) { d.Binding = v1alpha1.BindingNone },
		"AgentProfile": func(d *feedv1.TrustDomain) { d.AgentProfile = v1alpha1.AgentProfileAgenticContext },
		"KeySet":       func(d *feedv1.TrustDomain) { d.KeySet.JWKS = append(d.KeySet.JWKS, ' ') },
	}
	for field := range reflect.TypeFor[feedv1.TrustDomain]().Fields() {
		name := field.Name
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			change := changes[name]
			if change == nil {
				t.Fatal("no change is known to this test")
			}
			s := newScene(t, corp())
			if _, code := s.at(0, raw); code != "" {
				t.Fatal(code)
			}
			next := corp()
			change(&next)
			s.apply(next)
			if s.recalls(now(), raw, listener(next)) {
				t.Error("remembered by a domain that is another one")
			}
		})
	}
	// And the map has nothing that the type does not have.
	if diff := cmp.Diff(len(changes), reflect.TypeFor[feedv1.TrustDomain]().NumField()); diff != "" {
		t.Error(diff)
	}
}

// rotating is a domain whose keys are in a file.
func rotating(t *testing.T, kids ...string) (feedv1.TrustDomain, func(...string)) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "jwks.json")
	write := func(kids ...string) {
		if err := os.WriteFile(path+".new", jwksOf(kids...), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	write(kids...)
	return corp(func(d *feedv1.TrustDomain) {
		d.KeySet = feedv1.KeySet{File: path, MaxStale: time.Minute}
	}), write
}

// A key that is withdrawn takes what it signed with it, and only then is
// anything verified again.
func TestForgottenWithItsKey(t *testing.T) {
	t.Parallel()
	d, write := rotating(t, "ed", "es256")
	synctest.Test(t, func(t *testing.T) {
		v, stop := runs(t, jwks.Config{Now: ticking()}, d)
		defer stop()
		s := &scene{t: t, v: v, d: d}
		raw, other := ed().claims(), issuers()["es256"].claims()
		for _, r := range []string{raw, other} {
			if _, code := s.at(0, r); code != "" {
				t.Fatal(code)
			}
		}
		reload := func(kids ...string) { write(kids...); time.Sleep(6 * time.Second); synctest.Wait() }
		reload("ed", "es256", "es384")
		if !s.remembers(now(), raw, listener(d)) {
			t.Error("forgotten for a key that was added")
		}
		reload("es256", "es384")
		if s.recalls(now(), raw, listener(d)) {
			t.Error("remembered without its key")
		}
		if _, code := s.at(0, raw); code != "token_unknown_key" {
			t.Errorf("code %q", code)
		}
		if c, code := s.at(0, other); code != "" || c == nil {
			t.Errorf("the token of a key that stayed: %q", code)
		}
		reload("es256", "es384", "ed")
		if _, code := s.at(0, raw); code != "" {
			t.Errorf("with its key back: %q", code)
		}
	})
}

// A set that is too old judges nothing, remembered or not.
func TestForgottenWithOldKeys(t *testing.T) {
	t.Parallel()
	d, _ := rotating(t, "ed")
	synctest.Test(t, func(t *testing.T) {
		v, stop := runs(t, jwks.Config{Now: ticking()}, d)
		defer stop()
		s := &scene{t: t, v: v, d: d}
		raw := ed().claims()
		if _, code := s.at(0, raw); code != "" {
			t.Fatal(code)
		}
		if err := os.Remove(d.KeySet.File); err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * time.Second)
		if _, code := s.at(30, raw); code != "" {
			t.Errorf("refused while its keys are good: %s", code)
		}
		time.Sleep(2 * time.Minute)
		c, code := s.at(150, raw)
		s.refused(c, code, "key_source_unavailable")
	})
}

// ticking is a clock that begins at the moment and goes as time does.
func ticking() func() time.Time {
	began := time.Now()
	return func() time.Time { return now().Add(time.Since(began)) }
}

// runs is a verifier whose sources load.
func runs(t *testing.T, keys jwks.Config, domains ...feedv1.TrustDomain) (v *Verifier, stop func()) {
	t.Helper()
	v, err := New(Config{Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Apply(domains); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- v.Run(ctx) }()
	synctest.Wait()
	return v, func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// A request's bytes are used again for the next request: what is remembered
// must not change with them.
func TestRemembersACopy(t *testing.T) {
	t.Parallel()
	s := newScene(t, corp())
	good := ed().claims(set("iss", `"https://tts"`), set("act", `{"sub":"agent"}`), set("tctx", `{"region":"eu"}`))
	evil := ed().claims(set("iss", `"https://tty"`), set("act", `{"sub":"tnega"}`), set("tctx", `{"region":"us"}`))
	if len(good) != len(evil) {
		t.Fatal("they are not as long as each other")
	}
	buffer := []byte(good)
	view := unsafe.String(unsafe.SliceData(buffer), len(buffer))
	c, code := s.at(0, view)
	if code != "" {
		t.Fatal(code)
	}
	want := *c
	// Forged: the header and payload of the one, the signature of the other.
	signed, _ := cutLast(evil)
	copy(buffer, signed)
	if c, code := s.at(0, view); code != "token_bad_signature" {
		t.Errorf("code %q, claims %+v", code, c)
	}
	copy(buffer, evil)
	if c, code := s.at(0, view); code != "" || c.Agent != "tnega" {
		t.Errorf("code %q, claims %+v", code, c)
	}
	for i := range buffer {
		buffer[i] = 'x'
	}
	if diff := cmp.Diff(want, *c); diff != "" {
		t.Errorf("claims changed with the request's bytes:\n%s", diff)
	}
	for _, raw := range []string{good, evil} {
		if !s.remembers(now(), raw, listener(s.d)) {
			t.Error("forgotten with the request's bytes")
		}
	}
}

func TestRemembersSoMany(t *testing.T) {
	t.Parallel()
	v, err := New(Config{CacheSize: 4})
	if err != nil {
		t.Fatal(err)
	}
	s := &scene{t: t, v: v, d: corp()}
	s.apply(s.d)
	var raws []string
	for i := range 6 {
		raws = append(raws, ed().claims(set("txn", fmt.Sprintf(`"t%d"`, i))))
		if _, code := s.at(0, raws[i]); code != "" {
			t.Fatal(code)
		}
	}
	if n := v.remembered(s.d.Key); n != 4 {
		t.Errorf("%d are remembered", n)
	}
	for i, raw := range raws {
		if got := s.remembers(now(), raw, listener(s.d)); got != (i >= 2) {
			t.Errorf("token %d is remembered: %v", i, got)
		}
	}
	if _, err := New(Config{CacheSize: -1}); err == nil {
		t.Error("a negative size is taken")
	}
}

// Two domains may have one audience where no listener believes both: each
// judges by its own keys, and what one has verified is nothing to the other.
func TestOneAudienceOfTwoDomains(t *testing.T) {
	t.Parallel()
	one, two := corp(), corp()
	one.KeySet.JWKS = jwksOf("ed")
	two.Key.Name, two.KeySet.JWKS = "partner", []byte(`{"keys":[`+strings.ReplaceAll(stranger().jwk, `"stranger"`, `"ed"`)+`]}`)
	v := verifier(t, one, two)
	of := map[string]string{"one": ed().claims(), "two": stranger().token(kidded(stranger(), `"ed"`), payload())}
	for range 2 { // the second time from what is remembered
		for name, raw := range of {
			for place, l := range map[string]*feedv1.Listener{"one": listener(one), "two": listener(two)} {
				want := ""
				if name != place {
					want = "token_bad_signature"
				}
				c, _, code := v.Verify(t.Context(), now(), raw, l, Peer{})
				if code != want || c != nil && c.Domain != l.TrustDomains[0] {
					t.Errorf("a token of %s on a listener of %s: code %q, claims %+v", name, place, code, c)
				}
			}
		}
	}
}

// Everything at once: under the race detector this is the test of the locks.
func TestVerifyWhileEverythingChanges(t *testing.T) {
	t.Parallel()
	with, without := corp(), corp(func(d *feedv1.TrustDomain) { d.KeySet.JWKS = jwksOf("es256") })
	other := corp(func(d *feedv1.TrustDomain) { d.Key.Name, d.Audience = "other", "other.example" })
	v := verifier(t, with)
	raws := []string{ed().claims(), ed().claims(set("txn", `"txn-2"`)), issuers()["es256"].claims(), ed().claims(set("aud", `"other.example"`)), stranger().claims(), "x"}
	l := listener(with, other)
	stop := make(chan struct{})
	var changing, asking sync.WaitGroup
	changing.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			if err := v.Apply([][]feedv1.TrustDomain{{with}, {without, other}, {other}, {with, other}}[i%4]); err != nil {
				t.Error(err)
			}
			v.Forget()
			v.Keys()
		}
	})
	for range 4 {
		asking.Go(func() {
			for range 300 {
				raw := raws[rand.IntN(len(raws))]
				c, _, code := v.Verify(t.Context(), now(), raw, l, Peer{})
				switch {
				case (c == nil) != (code != ""):
					t.Errorf("claims %+v come with code %q", c, code)
				case (raw == "x" || raw == raws[4]) && c != nil:
					t.Errorf("believed: %+v", c)
				case c != nil && (c.Subject != subject || c.Hash != sha(raw[:strings.LastIndexByte(raw, '.')])):
					t.Errorf("claims of another token: %+v", c)
				}
			}
		})
	}
	asking.Wait()
	close(stop)
	changing.Wait()
	if err := v.Apply([]feedv1.TrustDomain{with}); err != nil {
		t.Fatal(err)
	}
	if _, _, code := v.Verify(t.Context(), now(), raws[0], l, Peer{}); code != "" {
		t.Errorf("in the end: %s", code)
	}
}
