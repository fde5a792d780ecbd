package laptop

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// health serves readiness and metrics, and nothing else: nothing that decides
// is reachable by the decided.
type health struct {
	listener net.Listener // nil: none was asked for
	draining atomic.Bool
}

// newHealth takes the port.
func newHealth(a netip.AddrPort) (*health, error) {
	h := &health{}
	if !a.IsValid() {
		return h, nil
	}
	var err error
	if h.listener, err = net.Listen("tcp", a.String()); err != nil {
		return nil, fmt.Errorf("%w: serve health at %s (--health): %w", ErrEnvironment, a, err)
	}
	return h, nil
}

func (h *health) handler(l *Laptop) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { h.ready(w, l) })
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry(l), promhttp.HandlerOpts{}))
	return mux
}

func (h *health) address() netip.AddrPort {
	if h.listener == nil {
		return netip.AddrPort{}
	}
	return h.listener.Addr().(*net.TCPAddr).AddrPort()
}

func (h *health) ready(w http.ResponseWriter, l *Laptop) {
	switch {
	case h.draining.Load():
		http.Error(w, "draining", http.StatusServiceUnavailable)
	case !l.Ready():
		http.Error(w, "not ready", http.StatusServiceUnavailable)
	default:
		_, _ = io.WriteString(w, "ready\n") // a client that has gone needs no answer
	}
}

// run serves until ctx ends.
func (h *health) run(ctx context.Context, l *Laptop) error {
	if h.listener == nil {
		<-ctx.Done()
		return nil
	}
	server := &http.Server{Handler: h.handler(l), ReadHeaderTimeout: 5 * time.Second, MaxHeaderBytes: 16 << 10}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(h.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve health: %w", err)
	}
	return nil
}

func (h *health) close() error {
	if h.listener == nil {
		return nil
	}
	return h.listener.Close()
}

func registry(l *Laptop) *prometheus.Registry {
	r := prometheus.NewRegistry()
	gauge := func(name, help string, f func() float64) {
		r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, f))
	}
	gauge("hopgate_ready", "1 when everything is served that can be.", func() float64 {
		if l.Ready() {
			return 1
		}
		return 0
	})
	gauge("hopgate_hops_live", "Hops that are pending or live.", func() float64 { return float64(l.guard.Live()) })
	gauge("hopgate_envoy_restarts", "How often Envoy was started again.", func() float64 { return float64(l.envoy.Restarts()) })
	gauge("hopgate_audit_records", "Records written by this process.", func() float64 { return float64(l.guard.Record().Stats().Written) })
	gauge("hopgate_audit_refused", "Records that could not be taken; their hops were denied.", func() float64 {
		return float64(l.guard.Record().Stats().Refused)
	})
	gauge("hopgate_xds_parked", "Resources that Envoy refused.", func() float64 { return float64(len(l.xds.Snapshot().Parked)) })
	gauge("hopgate_canary_passed", "1 when the Envoy that runs was proven by canaries.", func() float64 {
		if _, proven := l.guard.Canaries(); proven {
			return 1
		}
		return 0
	})
	gauge("hopgate_canary_seconds", "How long the last canaries took.", func() float64 {
		last, _ := l.guard.Canaries()
		return last.Took.Seconds()
	})
	r.MustRegister(l.guard.Decisions(), l.guard.Budgets(), l.guard.Names())
	return r
}
