package check

import (
	"testing"

	"github.com/hopgate/hopgate/authz/contain/budget"
	"github.com/hopgate/hopgate/authz/decide"
)

// TestPeersAreCountedByTheirSite: who has more addresses has no more to send.
func TestPeersAreCountedByTheirSite(t *testing.T) {
	t.Parallel()
	for peer, want := range map[string]string{
		"2001:db8:1:2::3":            "2001:db8:1:2::/64",
		"2001:db8:1:2:ffff::9":       "2001:db8:1:2::/64",
		"2001:db8:1:3::3":            "2001:db8:1:3::/64",
		"192.0.2.7":                  "192.0.2.7",
		"spiffe://corp/ns/a/sa/tool": "spiffe://corp/ns/a/sa/tool",
		"":                           "",
	} {
		w := &work{hop: decide.Hop{Peer: peer}}
		if got := w.principal(); got != (budget.Principal{Kind: budget.Peer, Value: want}) {
			t.Errorf("%q is counted as %+v, want %q", peer, got, want)
		}
	}
}
