package check

import "github.com/prometheus/client_golang/prometheus"

// counters count decisions, by words of which there are few.
type counters struct {
	decisions *prometheus.CounterVec
	errors    *prometheus.CounterVec
}

func newCounters() counters {
	return counters{
		decisions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hopgate_decisions_total", Help: "Decisions by verdict, code and surface.",
		}, []string{"verdict", "code", "surface"}),
		errors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hopgate_rule_errors_total", Help: "Rules that could not be judged, by policy and rule.",
		}, []string{"policy", "rule"}),
	}
}

func (c counters) count(w *work, verdict string) {
	c.decisions.WithLabelValues(verdict, w.code, string(w.hop.Action.Kind)).Inc()
	for _, e := range w.verdict.Outcome.Errors {
		c.errors.WithLabelValues(e.Policy.String(), e.Rule).Inc()
	}
}

// Describe tells of the counters (prometheus.Collector).
func (s *Service) Describe(ch chan<- *prometheus.Desc) {
	s.counters.decisions.Describe(ch)
	s.counters.errors.Describe(ch)
}

// Collect gives the counters (prometheus.Collector).
func (s *Service) Collect(ch chan<- prometheus.Metric) {
	s.counters.decisions.Collect(ch)
	s.counters.errors.Collect(ch)
}
