package main

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// percentile is the value that p of all are not above, by nearest rank; 0:
// there are none. It sorts all.
func percentile(all []time.Duration, p float64) time.Duration {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	rank := int(math.Ceil(p * float64(len(all))))
	return all[min(max(rank, 1), len(all))-1]
}

// median is the middle of all, or between the two in the middle; the zero
// value: there are none.
func median[T cmp.Ordered](all []T, between func(a, b T) T) T {
	var none T
	if len(all) == 0 {
		return none
	}
	sorted := slices.Sorted(slices.Values(all))
	mid := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[mid]
	}
	return between(sorted[mid-1], sorted[mid])
}

func mean[T ~int64 | ~float64](a, b T) T { return a + (b-a)/2 }
