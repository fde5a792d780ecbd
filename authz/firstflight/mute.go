package firstflight

import (
	"context"
	"time"
)

// muteFor is for how long a canary is not answered: as long as it takes to see
// that Envoy does not go on by itself.
const muteFor = 20 * time.Millisecond

// mute is a reader that says nothing and then dies. What waits for its word
// must not go on: a canary shows that it does not.
func mute(ctx context.Context) error {
	t := time.NewTimer(muteFor)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
	return errGone
}
