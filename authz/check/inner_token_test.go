package check

import (
	"testing"

	"github.com/hopgate/hopgate/authz/denial"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

// TestTokensInsideATunnel: who calls is the tunnel's. One token more changes
// nothing; two are there for a reader who takes the other one.
func TestTokensInsideATunnel(t *testing.T) {
	t.Parallel()
	h, outer := dug(t, build{})
	ask := inner(outer.meta(wire.MetaHopID))
	if got := h.ask(ask.bearing("another.token.value")); !got.allowed() {
		t.Errorf("one token: %q", got.code())
	}
	if got := h.ask(ask.bearing(goodToken).bearing(goodToken)); got.code() != denial.TokenMalformed {
		t.Errorf("two tokens: %q, want %q", got.code(), denial.TokenMalformed)
	}
}
