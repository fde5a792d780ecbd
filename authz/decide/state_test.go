package decide

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

func TestTarget(t *testing.T) {
	t.Parallel()
	s := state(t, feed(t, rules))
	for _, tc := range []struct {
		name, encoded string
		listener      string // "-": no target at all
	}{
		{"a route", target("agents", github).String(), "agents"},
		{"no listener named", "e=route;g=agents/egress", ""},
		{"another Gateway", "e=route;g=agents/other;l=agents", "-"},
		{"another listener", "e=route;g=agents/egress;l=none", "-"},
		{"no Gateway", "e=route;l=agents", "-"},
		{"an inner hop has its tunnel's", "e=inner;s=HTTP", "-"},
		{"nothing", "", "-"},
		{"no entry", "g=agents/egress;l=agents", "-"},
		{"a key twice", "e=route;g=agents/egress;g=agents/egress", "-"},
		{"a key that is not known", "e=route;g=agents/egress;z=1", "-"},
		{"no value", "e=route;g=agents/egress;l=", "-"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			for range 2 { // looked up, and remembered
				got := s.Target(tc.encoded)
				switch {
				case got == nil:
					if tc.listener != "-" {
						t.Fatal("there is no target")
					}
				case tc.listener == "-":
					t.Fatalf("there is a target: %+v", got.Target)
				case tc.listener == "" && got.Listener != nil, tc.listener != "" && (got.Listener == nil || got.Listener.Name != tc.listener):
					t.Errorf("listener %+v", got.Listener)
				case got.Gateway != s.Gateway("agents/egress"):
					t.Errorf("gateway %+v", got.Gateway)
				}
			}
		})
	}
}

// TestMemoryOfTargetsIsBounded: what does not fit is looked up each time.
func TestMemoryOfTargetsIsBounded(t *testing.T) {
	t.Parallel()
	s := state(t, feed(t, rules))
	for i := range maxTargets {
		s.targets[strconv.Itoa(i)] = nil
	}
	want := target("agents", github)
	for range 2 {
		if got := s.Target(want.String()); got == nil || got.Route != want.Route {
			t.Fatalf("target %+v", got)
		}
	}
	if len(s.targets) != maxTargets {
		t.Errorf("%d targets are remembered, at most %d may be", len(s.targets), maxTargets)
	}
}

// TestWhatIsNotReadIsNotRemembered: nonsense costs no memory.
func TestWhatIsNotReadIsNotRemembered(t *testing.T) {
	t.Parallel()
	s := state(t, feed(t, rules))
	for i := range 100 {
		s.Target(strings.Repeat("x", i))
	}
	if len(s.targets) != 0 {
		t.Errorf("%d targets are remembered", len(s.targets))
	}
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	f := feed(t, "")
	f.Credentials = []feedv1.Credential{
		{Key: key("a"), Backend: github, Header: "authorization"},
		{Key: key("b"), Backend: github, Header: "x-api-key"},
		{Key: key("c"), Backend: "XBackend/agents/other", Header: "authorization"},
	}
	s := state(t, f)
	for _, tc := range []struct {
		name     string
		backends []string
		want     []string
	}{
		{"one backend, all of its headers", []string{github}, []string{"a", "b"}},
		{"another", []string{"XBackend/agents/other"}, []string{"c"}},
		{"one without", []string{"XBackend/agents/none"}, nil},
		{"several backends never", []string{github, "XBackend/agents/other"}, nil},
		{"none", nil, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, c := range s.Resolve(target("agents", tc.backends...)).Credentials {
				got = append(got, c.Key.Name)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("credentials (-want +got):\n%s", diff)
			}
		})
	}
}

func TestGatewayAndListener(t *testing.T) {
	t.Parallel()
	s := state(t, feed(t, ""))
	g := s.Gateway("agents/egress")
	if g == nil || g.Listener("open") == nil || g.Listener("none") != nil || s.Gateway("egress") != nil {
		t.Errorf("gateway %+v", g)
	}
	if s.Epoch != 1 || s.Revision != "r1" {
		t.Errorf("epoch %d, revision %q", s.Epoch, s.Revision)
	}
	inner := s.Resolve(wire.Target{Entry: wire.EntryInner, Gateway: "agents/egress", Listener: "open", Surface: "HTTP"})
	if inner == nil || inner.Listener.Name != "open" {
		t.Errorf("an inner target that was filled in is %+v", inner)
	}
}

func TestTargetIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	s := state(t, feed(t, rules))
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			for j := range 200 {
				name := fmt.Sprintf("XBackend/agents/b%d", (i+j)%50)
				if got := s.Target(target("agents", name).String()); got == nil || got.Backends[0] != name {
					t.Errorf("target %+v, want %s", got, name)
				}
			}
		})
	}
	wg.Wait()
	if len(s.targets) != 50 {
		t.Errorf("%d targets are remembered, want 50", len(s.targets))
	}
}
