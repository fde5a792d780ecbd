package firstflight

import (
	"testing"
	"time"
)

func TestPace(t *testing.T) {
	t.Parallel()
	at := time.Unix(1_800_000_000, 0)
	p := newPace(func() time.Time { return at })
	const mib = 1 << 20
	for i, step := range []struct {
		after time.Duration
		n     int
		sent  int
		want  bool
	}{
		{0, mib / 4, 0, true}, // what is free is at nobody's cost
		{0, 4 * mib, 32 * mib, true},
		{0, 1, 32 * mib, false},              // nothing is left
		{0, mib / 4, 0, true},                // who has sent little does not wait for that
		{0, 1, mib / 4, false},               // and has now sent enough
		{10 * time.Second, 4 * mib, 0, true}, // it is never more than a burst
		{0, mib, 0, false},
		{time.Second, 2 * mib, mib, true},
		{-time.Hour, 1, mib, false}, // a clock that goes back gives nothing
		{0, mib / 4, 0, true},
	} {
		at = at.Add(step.after)
		if got := p.take(step.n, step.sent); got != step.want {
			t.Errorf("step %d: %v, want %v", i, got, step.want)
		}
	}
}
