package jwks_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/authz/strictjson"
	"github.com/hopgate/hopgate/authz/token/jwks"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
)

// asking is many that asked, and what they were told.
type asking struct {
	yes, no atomic.Int32
	all     sync.WaitGroup
}

// ask asks for each kid at once, and comes back when all wait that do.
func (b *bench) ask(ctx context.Context, kids ...string) *asking {
	a := &asking{}
	for _, kid := range kids {
		a.all.Go(func() {
			if b.Ask(ctx, kid) {
				a.yes.Add(1)
			} else {
				a.no.Add(1)
			}
		})
	}
	synctest.Wait()
	return a
}

// told are the numbers of those that waited to the end, of those that were
// sent away, and of those that wait.
func (a *asking) told(b *bench) string {
	return fmt.Sprintf("%d waited, %d did not, %d wait", a.yes.Load(), a.no.Load(), b.Waiting())
}

func kids(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("unknown-%d", i)
	}
	return out
}

// TestAskFindsANewKey: a token of a key that was published a moment ago.
func TestAskFindsANewKey(t *testing.T) {
	t.Parallel()
	onBench(t, nil, func(t *testing.T, b *bench) {
		b.pass(floor)
		b.issuer.publishes(newEd25519(1).named("a"), newEd25519(2).named("b"))
		if !b.MayAsk("b") || !b.Ask(t.Context(), "b") || !b.has("b") {
			t.Errorf("not found: %q, %d fetches", b.View().Set.IDs(), b.issuer.count())
		}
		if diff := cmp.Diff([]time.Duration{0, floor}, b.issuer.offsets()); diff != "" {
			t.Error(diff)
		}
		b.pass(refresh)
		if diff := cmp.Diff([]time.Duration{0, floor, floor + refresh}, b.issuer.offsets()); diff != "" {
			t.Errorf("the pace begins again: %s", diff)
		}
	})
}

// TestAStormOfUnknownKids makes one fetch in each floor, whatever it asks for,
// and no fetch of anything but the one URL.
func TestAStormOfUnknownKids(t *testing.T) {
	t.Parallel()
	onBench(t, nil, func(t *testing.T, b *bench) {
		b.pass(floor)
		const rounds = 30
		for n := range rounds {
			storm := b.ask(t.Context(), kids(1000)...)
			storm.all.Wait()
			if storm.yes.Load() > jwks.MaxWaiting {
				t.Errorf("round %d: %s", n, storm.told(b))
			}
			b.pass(time.Second)
			storm = b.ask(t.Context(), fmt.Sprint("round-", n), "https://evil.example/jwks", "../../jwks")
			storm.all.Wait()
			b.pass(time.Second)
		}
		all := b.issuer.seen()
		for i, f := range all {
			if f.url != issuerURL {
				t.Errorf("fetched %s", f.url)
			}
			if i > 0 && f.at.Sub(all[i-1].at) < floor {
				t.Errorf("%s between fetches", f.at.Sub(all[i-1].at))
			}
		}
		if most := 2 + int(rounds*2*time.Second/floor); len(all) < 3 || len(all) > most {
			t.Errorf("%d fetches in a minute, want up to %d", len(all), most)
		}
	})
}

// TestAStormOnAHungSource: so many wait, and not one more; all others are told
// at once that there is nothing to wait for.
func TestAStormOnAHungSource(t *testing.T) {
	t.Parallel()
	onBench(t, nil, func(t *testing.T, b *bench) {
		b.issuer.hangs()
		b.pass(floor)
		storm := b.ask(t.Context(), kids(1000)...)
		if got, want := storm.told(b), fmt.Sprintf("0 waited, %d did not, %d wait", 1000-jwks.MaxWaiting, jwks.MaxWaiting); got != want {
			t.Errorf("%s, want %s", got, want)
		}
		if b.MayAsk("another") {
			t.Error("one more may wait")
		}
		if !b.has("a") {
			t.Error("known keys wait too")
		}
		b.pass(timeout)
		storm.all.Wait()
		if got, want := storm.told(b), fmt.Sprintf("%d waited, %d did not, 0 wait", jwks.MaxWaiting, 1000-jwks.MaxWaiting); got != want {
			t.Errorf("after the timeout: %s, want %s", got, want)
		}
		if b.issuer.count() != 2 || b.Missing() != 0 {
			t.Errorf("%d fetches, %d kids called missing, though nothing was learned", b.issuer.count(), b.Missing())
		}
	})
}

// TestWhoeverGivesUpMakesRoom for another.
func TestWhoeverGivesUpMakesRoom(t *testing.T) {
	t.Parallel()
	onBench(t, nil, func(t *testing.T, b *bench) {
		b.issuer.hangs()
		b.pass(floor)
		ctx, cancel := context.WithCancel(t.Context())
		storm := b.ask(ctx, kids(jwks.MaxWaiting)...)
		if b.MayAsk("another") {
			t.Error("there is room")
		}
		cancel()
		storm.all.Wait()
		if got, want := storm.told(b), fmt.Sprintf("0 waited, %d did not, 0 wait", jwks.MaxWaiting); got != want || !b.MayAsk("another") {
			t.Errorf("%s, want %s", got, want)
		}
		// The attempt was not theirs alone, and goes on.
		late := b.ask(t.Context(), "another")
		b.issuer.publishes(newEd25519(1).named("a"))
		b.pass(timeout)
		late.all.Wait()
		if b.issuer.count() != 2 || late.yes.Load() != 1 {
			t.Errorf("%d fetches, %s", b.issuer.count(), late.told(b))
		}
	})
}

// TestAskJoinsTheFetchThatIsUnderWay.
func TestAskJoinsTheFetchThatIsUnderWay(t *testing.T) {
	t.Parallel()
	onBench(t, nil, func(t *testing.T, b *bench) {
		gate := make(chan struct{})
		b.issuer.does(func(r *http.Request) (*http.Response, error) {
			<-gate
			return response(r, http.StatusOK, string(setOf(newEd25519(2).named("b")))), nil
		})
		b.pass(refresh)
		storm := b.ask(t.Context(), "b", "c", "b")
		if got, want := storm.told(b), "0 waited, 0 did not, 3 wait"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
		close(gate)
		storm.all.Wait()
		if !b.has("b") || b.issuer.count() != 2 || b.Missing() != 1 {
			t.Errorf("kids %q, %d fetches, %d missing", b.View().Set.IDs(), b.issuer.count(), b.Missing())
		}
	})
}

// TestMissingKids are not asked for again for a minute, unless the set changes.
func TestMissingKids(t *testing.T) {
	t.Parallel()
	onBench(t, nil, func(t *testing.T, b *bench) {
		b.pass(floor)
		if !b.Ask(t.Context(), "b") || b.MayAsk("b") || b.Ask(t.Context(), "b") {
			t.Error("asked for again at once")
		}
		b.pass(floor)
		if b.MayAsk("b") || b.Ask(t.Context(), "b") || !b.MayAsk("c") {
			t.Error("asked for again after the floor")
		}
		b.pass(jwks.MissingFor - floor - 1)
		if b.MayAsk("b") {
			t.Error("asked for again within a minute")
		}
		b.pass(1)
		if !b.MayAsk("b") || !b.Ask(t.Context(), "b") || b.MayAsk("b") {
			t.Error("not asked for after a minute")
		}
		b.issuer.publishes(newEd25519(1).named("a"), newEd25519(3).named("c"))
		b.pass(floor)
		if !b.Ask(t.Context(), "c") || !b.has("c") || b.Missing() != 0 {
			t.Errorf("kids %q, %d missing", b.View().Set.IDs(), b.Missing())
		}
		b.pass(floor)
		if !b.MayAsk("b") {
			t.Error("not asked for though the set is another")
		}
		if b.issuer.count() != 4 {
			t.Errorf("%d fetches", b.issuer.count())
		}
	})
}

// TestFailuresTeachNothing of a kid: the next floor tries again.
func TestFailuresTeachNothing(t *testing.T) {
	t.Parallel()
	onBench(t, nil, func(t *testing.T, b *bench) {
		b.issuer.fails(errDown)
		b.pass(floor)
		if !b.Ask(t.Context(), "b") || b.MayAsk("b") {
			t.Error("asked for again at once")
		}
		b.issuer.publishes(newEd25519(2).named("b"))
		b.pass(floor - 1)
		if b.MayAsk("b") {
			t.Error("asked for again within the floor")
		}
		b.pass(1)
		if !b.has("b") {
			t.Error("not fetched at the floor")
		}
	})
}

// TestMissingKidsAreBounded, and copies of what was asked for.
func TestMissingKidsAreBounded(t *testing.T) {
	t.Parallel()
	onBench(t, nil, func(t *testing.T, b *bench) {
		b.issuer.does(func(r *http.Request) (*http.Response, error) {
			time.Sleep(time.Second) // all that may have joined by then
			return response(r, http.StatusOK, string(setOf(newEd25519(1).named("a")))), nil
		})
		b.pass(floor)
		for n := range jwks.MaxMissing/jwks.MaxWaiting + 2 {
			var some []string
			for i := range jwks.MaxWaiting {
				some = append(some, fmt.Sprintf("missing-%d-%d", n, i))
			}
			b.ask(t.Context(), some...).all.Wait()
			b.pass(floor)
		}
		if n := b.Missing(); n != jwks.MaxMissing {
			t.Errorf("%d are remembered, want %d", n, jwks.MaxMissing)
		}
	})
	onBench(t, nil, func(t *testing.T, b *bench) {
		raw := []byte(`"view"`)
		var doc strictjson.Doc
		if err := doc.Parse(raw, strictjson.Limits{}); err != nil {
			t.Fatal(err)
		}
		view, _ := doc.Root().Text()
		b.pass(floor)
		if !b.Ask(t.Context(), view) {
			t.Error("not asked for")
		}
		copy(raw, `"kept"`)
		b.pass(floor)
		if b.MayAsk("view") || !b.MayAsk("kept") {
			t.Error("what is remembered changed with the request")
		}
	})
}

// TestKidsThatNoKeyHas are never asked for.
func TestKidsThatNoKeyHas(t *testing.T) {
	t.Parallel()
	onBench(t, nil, func(t *testing.T, b *bench) {
		b.pass(floor)
		for _, kid := range []string{"a b", "a\n", "ключ", "\x00", strings.Repeat("k", jwks.MaxKeyID+1), strings.Repeat("k", 1<<20)} {
			if b.MayAsk(kid) || b.Ask(t.Context(), kid) {
				t.Errorf("asked for %.20q", kid)
			}
		}
		if b.issuer.count() != 1 || b.Missing() != 0 {
			t.Errorf("%d fetches, %d missing", b.issuer.count(), b.Missing())
		}
		// No kid means the only key, which there may be next time.
		if !b.MayAsk("") || !b.Ask(t.Context(), "") {
			t.Error("not asked for the only key")
		}
	})
}

// TestNobodyToAsk: what is not loaded by anybody is not waited for.
func TestNobodyToAsk(t *testing.T) {
	t.Parallel()
	all := jwks.New(jwks.Config{Transport: &issuer{}})
	sources := all.Apply(map[feedv1.Key]feedv1.KeySet{
		{Name: "inline"}: {JWKS: setOf(newEd25519(1).named("a"))},
		{Name: "url"}:    {URL: issuerURL},
		{Name: "bad"}:    {URL: "ftp://127.0.0.1/"},
		{Name: "none"}:   {},
	})
	for key, src := range sources {
		if src.MayAsk("b") || src.Ask(t.Context(), "b") {
			t.Errorf("%s was asked", key)
		}
	}
}

// TestAskWhenRunEnds: whoever waits is let go, with and without keys.
func TestAskWhenRunEnds(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*jwks.Config, *feedv1.KeySet)
		pass   time.Duration
	}{
		"keys are loaded":       {nil, refresh},
		"none was ever":         {func(c *jwks.Config, _ *feedv1.KeySet) { c.Transport.(*issuer).hangs() }, 0},
		"none was, after a try": {func(c *jwks.Config, _ *feedv1.KeySet) { c.Transport.(*issuer).hangs() }, timeout + floor},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onBench(t, c.change, func(t *testing.T, b *bench) {
				b.issuer.hangs()
				b.pass(c.pass)
				storm := b.ask(t.Context(), kids(10)...)
				if b.Waiting() != 10 {
					t.Errorf("%d wait", b.Waiting())
				}
				before := b.said()
				b.stop()
				storm.all.Wait()
				synctest.Wait()
				if b.Waiting() != 0 || b.MayAsk("b") || b.Ask(t.Context(), "b") {
					t.Errorf("%d wait when nobody runs", b.Waiting())
				}
				if b.said() != before || strings.Contains(b.log.String(), "canceled") {
					t.Errorf("an end was taken for a failure: said %q, then %q", before, b.said())
				}
			})
		})
	}
}

// TestAskAsRunEnds: it does not wait for an attempt that nobody makes any
// more, whichever of the two came first.
func TestAskAsRunEnds(t *testing.T) {
	t.Parallel()
	for range 100 {
		onBench(t, nil, func(t *testing.T, b *bench) {
			b.pass(floor)
			asked := make(chan bool, 1)
			go func() { asked <- b.Ask(t.Context(), "b") }()
			b.stop()
			<-asked
		})
	}
}

// TestAskAsTheTimeComes: who wants an attempt when one begins has that one.
func TestAskAsTheTimeComes(t *testing.T) {
	t.Parallel()
	for range 100 {
		onBench(t, nil, func(t *testing.T, b *bench) {
			time.Sleep(refresh)
			b.Ask(t.Context(), "b")
			b.pass(floor / 2)
			if diff := cmp.Diff([]time.Duration{0, refresh}, b.issuer.offsets()); diff != "" {
				t.Error(diff)
			}
		})
	}
}
