package main

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// quantile is the value that p of all are not above, by nearest rank; the zero
// value: there are none. all stays in its order.
func quantile[T cmp.Ordered](all []T, p float64) T {
	var none T
	if len(all) == 0 {
		return none
	}
	sorted := slices.Sorted(slices.Values(all))
	rank := int(math.Ceil(p * float64(len(sorted))))
	return sorted[min(max(rank, 1), len(sorted))-1]
}

// median is the middle of all; of two in the middle the lower.
func median[T cmp.Ordered](all []T) T { return quantile(all, 0.5) }

// quiet is what the quieter rounds took: what else a machine does only adds.
func quiet(all []time.Duration) float64 { return inMicros(quantile(all, 0.25)) }

// difference is the middle of what a takes more than b, round by round.
func difference(a, b []time.Duration) float64 {
	more := make([]time.Duration, min(len(a), len(b)))
	for i := range more {
		more[i] = a[i] - b[i]
	}
	return inMicros(median(more))
}

// spread is how far the middle half of all lies apart.
func spread(all []time.Duration) float64 {
	return inMicros(quantile(all, 0.75) - quantile(all, 0.25))
}
