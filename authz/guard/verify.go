package guard

import (
	"context"
	"time"

	"github.com/hopgate/hopgate/authz/token"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
)

type verifier struct{ v *token.Verifier }

func (v verifier) Verify(_ context.Context, _ time.Time, raw string, l *feedv1.Listener, _ token.Peer) (*token.Claims, time.Duration, string) {
	c, err := v.v.VerifyStub(raw, l)
	if err != nil {
		return nil, 0, "token_malformed"
	}
	return c, 0, ""
}
