package nameserver_test

import (
	"testing"

	"github.com/miekg/dns"
	"github.com/prometheus/client_golang/prometheus"
)

// TestMetrics: what becomes of queries is counted, by words of which there are
// few, and never by names.
func TestMetrics(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, q := range []struct{ client, name string }{
		{"10.0.0.1", "web.listed.example"}, {"10.0.0.1", "evil.example"}, {"10.0.0.1", "a.glob.example"}, {"192.0.2.1", "web.listed.example"},
	} {
		b.ask(q.client, q.name, dns.TypeA)
	}
	outcomes, tried := counted(t, b)
	if outcomes["answered"] != 2 || outcomes["not_listed"] != 1 || outcomes["stranger"] != 1 || tried != 2 {
		t.Errorf("counted %v, tried %d", outcomes, tried)
	}
}

// counted are the queries of each outcome, and what histograms have seen.
func counted(t *testing.T, b *bench) (outcomes map[string]float64, tried uint64) {
	t.Helper()
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(b.Pool)
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	outcomes = map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "hopgate_dns_queries_total" {
				outcomes[m.GetLabel()[0].GetValue()] = m.GetCounter().GetValue()
			}
			tried += m.GetHistogram().GetSampleCount()
		}
	}
	return outcomes, tried
}

func strangers(t *testing.T, b *bench) float64 {
	t.Helper()
	outcomes, _ := counted(t, b)
	return outcomes["stranger"]
}
