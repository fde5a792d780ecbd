package audit

import (
	"testing"
	"time"
)

func TestTimes(t *testing.T) {
	t.Parallel()
	for _, at := range []time.Time{
		{},
		time.Date(2026, 2, 28, 23, 59, 59, 999999999, time.UTC),
		time.Date(2024, 2, 29, 0, 0, 0, 1000, time.UTC),
		time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(9999, 12, 31, 23, 59, 59, 123456000, time.UTC),
		time.Date(1969, 12, 31, 1, 2, 3, 4, time.FixedZone("", 9*3600)),
	} {
		if got, want := string(appendMicros(nil, at)), at.UTC().Format("2006-01-02T15:04:05.000000Z"); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if got, want := string(appendSeconds(nil, at)), at.UTC().Format("2006-01-02T15:04:05Z"); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	const zero = "0001-01-01T00:00:00Z"
	for _, at := range []time.Time{
		time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(9999, 12, 31, 23, 59, 59, 0, time.FixedZone("", -3600)),
	} {
		if got := string(appendSeconds(nil, at)); got != zero {
			t.Errorf("%v: got %s", at, got)
		}
	}
}
