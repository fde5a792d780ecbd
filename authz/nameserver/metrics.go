package nameserver

import "github.com/prometheus/client_golang/prometheus"

// metrics count queries, by words of which there are few.
type metrics struct {
	queries    *prometheus.CounterVec
	unrecorded prometheus.Counter
	lengths    prometheus.Histogram
	bits       prometheus.Histogram
	counted    prometheus.GaugeFunc
}

func newMetrics(c *callers) metrics {
	return metrics{
		counted: prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "hopgate_dns_names_counted", Help: "Different names that clients have asked for under globs, in windows that are not over.",
		}, func() float64 { return float64(c.names()) }),
		queries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hopgate_dns_queries_total", Help: "Queries of workloads for names, by outcome.",
		}, []string{"outcome"}),
		unrecorded: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hopgate_dns_unrecorded_total", Help: "Refused queries that were not recorded, because their client had too many.",
		}),
		lengths: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "hopgate_dns_open_bytes", Help: "How long what a glob leaves open is, of names that a client asks for anew.",
			Buckets: []float64{4, 8, 16, 32, 64, 128},
		}),
		bits: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "hopgate_dns_open_entropy_bits", Help: "Shannon entropy for each byte of what a glob leaves open, of names that a client asks for anew.",
			Buckets: []float64{1, 2, 3, 3.5, 4, 4.5, 5},
		}),
	}
}

func (m metrics) count(o Outcome) { m.queries.WithLabelValues(string(o)).Inc() }

// tried notes what a client chose of a name.
func (m metrics) tried(chosen string) {
	m.lengths.Observe(float64(len(chosen)))
	m.bits.Observe(entropy(chosen))
}

func (m metrics) all() []prometheus.Collector {
	return []prometheus.Collector{m.queries, m.unrecorded, m.lengths, m.bits, m.counted}
}

// Describe tells of the metrics (prometheus.Collector).
func (p *Pool) Describe(ch chan<- *prometheus.Desc) {
	for _, c := range p.metrics.all() {
		c.Describe(ch)
	}
}

// Collect gives the metrics (prometheus.Collector).
func (p *Pool) Collect(ch chan<- prometheus.Metric) {
	for _, c := range p.metrics.all() {
		c.Collect(ch)
	}
}
