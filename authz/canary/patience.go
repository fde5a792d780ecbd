package canary

import (
	"context"
	"time"
)

// lastPatience is that of the last attempts: less than the 15 s after which an
// Envoy ends a request that it has no other word for, which would pass for a
// deadline or a cut.
const lastPatience = 14 * time.Second

// longer is the patience of the attempt after one that failed: twice as much, for
// a machine may be slow. One that no canary could enter for says nothing of that.
func longer(v Verdict, patience time.Duration) time.Duration {
	if v.Patience == 0 {
		return patience
	}
	return max(patience, min(2*patience, lastPatience))
}

// spent is why an attempt is over: it has waited for so long.
type spent time.Duration

func (s spent) Error() string { return time.Duration(s).String() }

// bound ends what waits when the attempt's patience is spent, by a cause that
// says how long that was.
func (a *attempt) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, a.patience, spent(a.patience))
}
