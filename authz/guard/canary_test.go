package guard

import (
	"slices"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/authz/denial"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/api/wire"
	"github.com/hopgate/hopgate/internal/testenv"
)

// TestClosedUntilProven: a guard that proves Envoys is not ready, and lets
// nothing through, before one is proven.
func TestClosedUntilProven(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		dir   string
		ready bool
	}{
		"no Envoy is proven":   {"", true},
		"each Envoy is proven": {testenv.ShortDir(t), false},
	} {
		r := newRig(t, func(c *Config) { c.CanaryDir = tt.dir })
		r.apply(snapshot("r1", gateway("one", v1alpha1.UnmatchedAllow)))
		r.Begin()
		if r.Ready() != tt.ready {
			t.Errorf("%s: ready %v", name, r.Ready())
		}
		got := r.ask("one")
		if said := got.GetDeniedResponse().GetBody(); (status(got) == 0) != tt.ready || !tt.ready && !strings.Contains(said, denial.NotReady) {
			t.Errorf("%s: answered %v", name, got)
		}
		if last, proven := r.Canaries(); proven || last.Took != 0 {
			t.Errorf("%s: proven %v, last %v", name, proven, last)
		}
		if err := r.stop(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestNoSocketHasALongerPath: the runtime folder is chosen by the longest.
func TestNoSocketHasALongerPath(t *testing.T) {
	t.Parallel()
	for _, n := range slices.Concat(wire.CanaryListeners(), wire.CanaryDestinations()) {
		if got := wire.CanarySocket("", n); len(got) > len("/"+longestName) {
			t.Errorf("%s is longer than %s", got, longestName)
		}
	}
}
