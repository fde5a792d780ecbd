package check

import (
	"errors"
	"testing"

	"github.com/hopgate/hopgate/authz/contain/budget"
	"github.com/hopgate/hopgate/authz/decide"
	"github.com/hopgate/hopgate/authz/denial"
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

// TestWhatCannotBeKept is refused, and the record says why.
func TestWhatCannotBeKept(t *testing.T) {
	t.Parallel()
	w := &work{}
	if w.unpaid(&budget.Refusal{Unkept: errors.New("the disk is full")}) || w.code != denial.Internal || w.reason != "the disk is full" {
		t.Errorf("%q, %q", w.code, w.reason)
	}
}
