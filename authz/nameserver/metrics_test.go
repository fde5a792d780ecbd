package nameserver_test

import (
	"testing"
	"time"

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

// TestChosenNames: what clients choose of names under globs is counted: how many
// there are, how long, and how even their bytes are, each name once.
func TestChosenNames(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, name := range []string{"aaaa.glob.example", "abcd.glob.example", "abcd.glob.example", "web.listed.example"} {
		b.ask("10.0.0.1", name, dns.TypeA)
	}
	b.ask("10.0.0.2", "abcdefgh.glob.example", dns.TypeA)
	for name, want := range map[string]seen{
		"hopgate_dns_open_bytes": {3, 4 + 4 + 8}, "hopgate_dns_open_entropy_bits": {3, 0 + 2 + 3}, "hopgate_dns_names_counted": {1, 3},
	} {
		if got := chosen(t, b)[name]; got != want {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
	b.pass(time.Hour)
	if got := chosen(t, b)["hopgate_dns_names_counted"]; got.sum != 0 {
		t.Errorf("after the window: %+v", got)
	}
}

// seen is how many values a metric has, and what they come to.
type seen struct {
	n   uint64
	sum float64
}

// chosen are the metrics of what clients choose, by name.
func chosen(t *testing.T, b *bench) map[string]seen {
	t.Helper()
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(b.Pool)
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]seen{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if h := m.GetHistogram(); h != nil {
				out[f.GetName()] = seen{h.GetSampleCount(), h.GetSampleSum()}
			}
			if g := m.GetGauge(); g != nil {
				out[f.GetName()] = seen{1, g.GetValue()}
			}
		}
	}
	return out
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
