package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"

	"golang.org/x/term"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/cmd/hopgate/laptop"
	"github.com/hopgate/hopgate/gateway/controller"
	"github.com/hopgate/hopgate/gateway/source"
)

// screen is what a person sees of a run.
type screen struct {
	out  *os.File
	json bool
	log  *slog.Logger

	mu   sync.Mutex
	told map[string]bool // guarded by mu; problems that were told
}

func newScreen(out *os.File, json bool, log *slog.Logger) *screen {
	return &screen{out: out, json: json, log: log, told: map[string]bool{}}
}

// style fits a file: colours and widths only on a terminal.
func style(f *os.File) audit.Style {
	fd := int(f.Fd())
	if !term.IsTerminal(fd) {
		return audit.Style{}
	}
	s := audit.Style{Color: os.Getenv("NO_COLOR") == ""}
	if w, _, err := term.GetSize(fd); err == nil {
		s.Width = w
	}
	return s
}

// Changed tells of problems once, and of those that are gone
// (laptop.Reporter).
func (s *screen) Changed(r controller.Report) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Problems != nil {
		s.problems(r.Problems)
	}
	for _, st := range r.Statuses {
		for _, f := range st.Faults() {
			s.once(st.Ref.String()+f.Place+f.Type, fmt.Sprintf("%s: %s", st.Ref, fault(f.Place, f.Type, f.Reason, f.Message)))
		}
	}
}

func (s *screen) problems(ps []source.Problem) {
	now := map[string]bool{}
	for _, p := range ps {
		text := string(p.Severity) + ": " + p.String()
		now[text] = true
		s.once(text, text)
	}
}

func (s *screen) once(key, text string) {
	if !s.told[key+text] {
		s.told[key+text] = true
		fmt.Fprintln(os.Stderr, text)
	}
}

func fault(place, typ, reason, message string) string {
	out := message
	if reason != "" {
		out = reason + ": " + out
	}
	if typ != "" {
		out = typ + " is not good: " + out
	}
	if place != "" {
		out = place + ": " + out
	}
	return out
}

// Ready tells what is served where (laptop.Reporter).
func (s *screen) Ready(l *laptop.Laptop) {
	if s.json {
		s.log.Info("ready", "envoy", l.Version.String(), "record", l.Record())
		return
	}
	fmt.Fprintf(s.out, "ready: Envoy %s; record %s\n", l.Version, l.Record())
}

// follow shows decisions as they are made, until the returned function is
// called.
func (s *screen) follow(log *audit.Log) (stop func()) {
	sub := log.Subscribe(1024)
	live := audit.NewLive(s.out, style(s.out), s.json)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			e, err := sub.Next(ctx)
			if err != nil || live.Write(e) != nil {
				return
			}
		}
	})
	return func() {
		cancel()
		wg.Wait()
		sub.Close()
	}
}
