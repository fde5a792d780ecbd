package process_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hopgate/hopgate/gateway/infra/process"
	"github.com/hopgate/hopgate/internal/testenv"
)

// admin serves an admin interface that answers as it is told.
func admin(t *testing.T, h http.HandlerFunc) *process.Admin {
	t.Helper()
	path := filepath.Join(testenv.ShortDir(t), "a.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: h, ReadHeaderTimeout: time.Second}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		_ = s.Close() // the socket goes with its folder
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return process.NewAdmin(path)
}

func TestActiveRequests(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, stats, says string
		want              int
	}{
		{"none", "", "", 0},
		{"of all listeners", "http.agents/egress/8080.downstream_rq_active: 3\nhttp.hopgate/tunnel/guard.downstream_rq_active: 4\n", "", 7},
		{"but our own", "http.admin.downstream_rq_active: 1\nhttp.async-client.downstream_rq_active: 9\nhttp.x.downstream_rq_active: 2\n", "", 2},
		{"no number", "http.x.downstream_rq_active: many\n", "read envoy's statistics", 0},
		{"another line", "hello\nhttp.x.downstream_rq_active: 1\n", "", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := admin(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, tt.stats) })
			got, err := a.ActiveRequests(t.Context())
			if got != tt.want || (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("ActiveRequests = %d, %v, want %d, %q", got, err, tt.want, tt.says)
			}
		})
	}
}

// TestDrainWaitsForWhatHasBegun, and no longer.
func TestDrainWaitsForWhatHasBegun(t *testing.T) {
	t.Parallel()
	var left atomic.Int64
	left.Store(3)
	drained := make(chan string, 2)
	a := admin(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/drain_listeners" {
			drained <- r.Method + " " + r.URL.String()
			return
		}
		fmt.Fprintf(w, "http.x.downstream_rq_active: %d\n", left.Add(-1))
	})
	if err := a.Drain(t.Context()); err != nil {
		t.Errorf("Drain = %v", err)
	}
	if n := left.Load(); n != 0 {
		t.Errorf("%d are active when it returns", n)
	}
	for _, want := range []string{"POST /drain_listeners?graceful&skip_exit", "POST /drain_listeners"} {
		if got := <-drained; got != want {
			t.Errorf("Envoy was told %q, want %q", got, want)
		}
	}
}

func TestDrainGivesUp(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	a := admin(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/stats" {
			fmt.Fprint(w, "http.x.downstream_rq_active: 1\n")
			cancel()
		}
	})
	if err := a.Drain(ctx); !errors.Is(err, process.ErrStillActive) {
		t.Errorf("Drain = %v, want ErrStillActive", err)
	}
	broken := admin(t, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusForbidden) })
	if err := broken.Drain(t.Context()); err == nil || !strings.Contains(err.Error(), "status 403") {
		t.Errorf("Drain = %v, want what Envoy said", err)
	}
}

func TestAdminThatIsNotThere(t *testing.T) {
	t.Parallel()
	a := process.NewAdmin(filepath.Join(testenv.ShortDir(t), "a.sock"))
	if a.Ready(t.Context()) {
		t.Error("ready, and nobody is there")
	}
	if _, err := a.ActiveRequests(t.Context()); err == nil {
		t.Error("nobody has active requests")
	}
	if _, err := a.Get(t.Context(), "/%zz"); err == nil {
		t.Error("a page that cannot be was read")
	}
}

// TestDrainOfARealEnvoy: it goes on, and takes nothing more.
func TestDrainOfARealEnvoy(t *testing.T) {
	t.Parallel()
	e, _, _ := start(t, process.Config{})
	testenv.Wait(t, "envoy ready", ready(e))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := e.Admin().Drain(ctx); err != nil {
		t.Errorf("Drain = %v", err)
	}
	if e.PID() == 0 || e.Restarts() != 0 {
		t.Error("it ended by that")
	}
}

func TestPorts(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a := netip.MustParseAddrPort(l.Addr().String())
	if process.PortFree(a) {
		t.Error("a port that is taken counts as free")
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if process.WaitPortFree(gone, a, time.Hour) {
		t.Error("it came free after the end")
	}
	waited := make(chan bool, 1)
	go func() { waited <- process.WaitPortFree(t.Context(), a, time.Millisecond) }()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if !<-waited {
		t.Error("a port that came free did not count")
	}
	if !process.PortFree(a) {
		t.Error("a free port counts as taken")
	}
}
