package main

import (
	"testing"
	"time"
)

func TestQuantile(t *testing.T) {
	t.Parallel()
	upTo := func(n int) []time.Duration {
		var out []time.Duration
		for i := n; i > 0; i-- {
			out = append(out, time.Duration(i))
		}
		return out
	}
	for _, tt := range []struct {
		name string
		all  []time.Duration
		p    float64
		want time.Duration
	}{
		{"none", nil, 0.5, 0},
		{"one", upTo(1), 0.99, 1},
		{"half of two", upTo(2), 0.5, 1},
		{"half of a hundred", upTo(100), 0.5, 50},
		{"99 of a hundred", upTo(100), 0.99, 99},
		{"99 of twenty is the last", upTo(20), 0.99, 20},
		{"99 of a thousand", upTo(1000), 0.99, 990},
		{"the least", upTo(10), 0, 1},
		{"the most", upTo(10), 1, 10},
	} {
		if got := quantile(tt.all, tt.p); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
}

func TestMedian(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		all  []float64
		want float64
	}{
		{"none", nil, 0},
		{"one", []float64{3}, 3},
		{"odd", []float64{9, 1, 5}, 5},
		{"even", []float64{4, 1, 2, 9}, 2},
	} {
		before := append([]float64(nil), tt.all...)
		if got := median(tt.all); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
		for i := range before {
			if tt.all[i] != before[i] {
				t.Errorf("%s: the order of rounds was changed", tt.name)
			}
		}
	}
}
