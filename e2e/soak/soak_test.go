package soak

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/hopgate/hopgate/authz/admin"
	"github.com/hopgate/hopgate/internal/testenv"
	"github.com/hopgate/hopgate/internal/testgateway"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	soakFor = flag.Duration("soak", 0, "how long streams come and go; 0: not at all")
	crowd   = flag.Int("crowd", 24, "how many streams live at once")
	seed    = flag.Uint64("seed", 0, "of what comes when; 0: another one each time")
)

// soak is a gateway, what is behind it, and who comes and goes.
type soak struct {
	*testgateway.Gateway
	site   *upstream
	admin  *admin.Client
	tokens *tokens
	gate   *gate
	lines  *lines
	tally  *tally
	told   io.Writer
	begun  time.Time
}

// TestSoak has streams of every kind come and go, and ends well when each ended
// as it had to, and nothing of them is left.
func TestSoak(t *testing.T) {
	if *soakFor <= 0 {
		t.Skip("nothing is soaked without -soak; make soak does it")
	}
	from := *seed
	for from == 0 {
		from = rand.Uint64()
	}
	s := newSoak(t)
	s.say("%s with %d streams at once, -seed %d", *soakFor, *crowd, from)
	s.once(t.Context())
	s.rest(t)
	base := s.look()
	s.say("begin: %s", base)
	meter := s.churn(t, from)
	s.rest(t)
	end := s.settle(base)
	s.say("end: %s", end)
	v := verdicts(meter, base, end, s.tally)
	fmt.Fprintf(s.told, "\n%s\n%s\n", s.tally, v)
	for _, one := range v {
		if !one.met() {
			t.Errorf("%s: %s, and at most %s", one.what, one.show(one.value), one.show(one.most))
		}
	}
	s.tally.report(t)
}

func newSoak(t *testing.T) *soak {
	t.Helper()
	s := &soak{site: newUpstream(t), gate: &gate{}, tally: newTally(), told: os.Stderr, begun: time.Now()}
	s.Gateway = testgateway.Run(t, s.objects(grpcPort(t)))
	s.tally.told = func(err error) { s.say("FAILED %v", err) }
	s.gate.write = func(open bool) { s.Write("policy.yaml", s.policy(open)) }
	client, err := admin.NewClient(s.State)
	if err != nil {
		t.Fatal(err)
	}
	s.admin, s.tokens, s.lines = client, newTokens(s.Gateway), &lines{}
	t.Cleanup(s.lines.close)
	return s
}

func (s *soak) say(format string, args ...any) {
	fmt.Fprintf(s.told, "%8.1fs %s\n", time.Since(s.begun).Seconds(), fmt.Sprintf(format, args...))
}

// churn has streams come and go for the time that was asked for.
func (s *soak) churn(t *testing.T, from uint64) *meter {
	ctx, cancel := context.WithTimeout(t.Context(), *soakFor)
	defer cancel()
	m := &meter{begun: time.Now()}
	var wg sync.WaitGroup
	wg.Go(func() { s.watch(ctx, m) })
	wg.Go(func() { s.gate.swing(ctx) })
	s.all(t, ctx, from)
	cancel()
	wg.Wait()
	return m
}

// all has so many agents live one life after the other until ctx ends. What
// has begun then lives to its end.
func (s *soak) all(t *testing.T, ctx context.Context, from uint64) {
	var wg sync.WaitGroup
	for i := range *crowd {
		rnd := rand.New(rand.NewPCG(from, uint64(i)))
		wg.Go(func() {
			for ctx.Err() == nil {
				s.live(t.Context(), lifeOf(rnd))
			}
		})
	}
	wg.Wait()
}

// once has each kind live once in each manner that needs nobody else, before
// anything is measured: what comes with the first times is no growth.
func (s *soak) once(ctx context.Context) {
	var wg sync.WaitGroup
	for _, k := range kinds() {
		for _, m := range []manner{leaves, serverEnds, serverResets, cut, expires} {
			wg.Go(func() { s.live(ctx, life{kind: k, manner: m, stay: time.Second}) })
		}
	}
	wg.Wait()
}

// rest waits until nothing lives any more.
func (s *soak) rest(t *testing.T) {
	t.Helper()
	s.lines.close()
	testenv.Wait(t, "the register to be empty", func() bool { return s.Guard().Live() == 0 })
}

// sampleEvery is how often memory is looked at, and something is said.
func sampleEvery() time.Duration { return max(time.Second, min(15*time.Second, *soakFor/60)) }

// watch samples, and says what goes on.
func (s *soak) watch(ctx context.Context, m *meter) {
	t := time.NewTicker(sampleEvery())
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			l := s.look()
			m.add(l)
			s.say("%s; %s", l, s.tally.line())
		}
	}
}
