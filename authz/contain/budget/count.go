package budget

import (
	"math"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// counts are the book's metrics. None of them names who or where.
type counts struct {
	bytes, cuts prometheus.Counter
	refusals    *prometheus.CounterVec
	entropy     prometheus.Histogram
}

func newCounts() counts {
	return counts{
		bytes: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hopgate_budget_streamed_bytes_total", Help: "Bytes of bodies without a length that were counted against budgets.",
		}),
		cuts: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hopgate_budget_cuts_total", Help: "Hops that were ended because a budget was used up.",
		}),
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hopgate_budget_refusals_total", Help: "Hops that were refused because a budget was used up, by what it is of.",
		}, []string{"budget"}),
		entropy: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "hopgate_budget_name_entropy_bits", Help: "Entropy of the first label of each name that is new to a budget of names.",
			Buckets: []float64{4, 8, 16, 24, 32, 48, 64, 96, 128, 256},
		}),
	}
}

func (b *Book) refused(r *Refusal) {
	of := "upload"
	switch {
	case r.Unkept != nil:
		of = "file"
	case r.Full:
		of = "accounts"
	case r.Names:
		of = "names"
	}
	b.refusals.WithLabelValues(of).Inc()
}

// Describe tells of the counters (prometheus.Collector).
func (b *Book) Describe(ch chan<- *prometheus.Desc) {
	for _, c := range b.collectors() {
		c.Describe(ch)
	}
}

// Collect gives the counters (prometheus.Collector).
func (b *Book) Collect(ch chan<- prometheus.Metric) {
	for _, c := range b.collectors() {
		c.Collect(ch)
	}
}

func (b *Book) collectors() []prometheus.Collector {
	return []prometheus.Collector{b.bytes, b.cuts, b.refusals, b.entropy}
}

// Entropy is that of the first label of a host, in bits: of its letters as they
// occur, times how many there are. Names that people give have some 10 to 30;
// those that carry data have more.
func Entropy(host string) float64 {
	label, _, _ := strings.Cut(host, ".")
	var count [256]int
	for i := range len(label) {
		count[label[i]]++
	}
	bits := 0.0
	for _, n := range count {
		if n > 0 {
			p := float64(n) / float64(len(label))
			bits -= float64(n) * math.Log2(p)
		}
	}
	return bits
}
