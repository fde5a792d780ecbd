package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"sync"

	"golang.org/x/term"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/authz/canary"
	"github.com/hopgate/hopgate/cmd/hopgate/laptop"
	"github.com/hopgate/hopgate/gateway/controller"
)

// screen is what a person sees of a run.
type screen struct {
	out  *os.File
	json bool
	log  *slog.Logger // of JSON
	tell *teller
}

func newScreen(out *os.File, json bool, log *slog.Logger) *screen {
	s := &screen{out: out, json: json, log: log}
	s.tell = newTeller(func(text string) {
		if json {
			log.Warn("what is wrong", "text", text)
			return
		}
		fmt.Fprintln(os.Stderr, text)
	})
	return s
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

// Changed tells of problems that come and go (laptop.Reporter).
func (s *screen) Changed(r controller.Report) { s.tell.changed(r) }

// Proven tells of canaries that do not pass, and that they do again
// (laptop.Reporter).
func (s *screen) Proven(v canary.Verdict) { s.tell.proven(v) }

// Ready tells what is served where, and what waits (laptop.Reporter).
func (s *screen) Ready(l *laptop.Laptop) {
	at, waiting, unanswered := words(l.Addresses()), words(l.Waiting()), words(l.Unanswered())
	if s.json {
		s.log.Info("ready", "addresses", at, "waiting", waiting, "unanswered", unanswered, "envoy", l.Version.String(), "record", l.Record())
		return
	}
	fmt.Fprintf(s.out, "ready: %s; Envoy %s; record %s\n", where(at, waiting, unanswered), l.Version, l.Record())
}

func words(addrs []netip.AddrPort) []string {
	out := make([]string, 0, len(addrs))
	for _, a := range addrs {
		out = append(out, a.String())
	}
	return out
}

// where is what is served, and what waits for a port that another process has:
// listeners, and sockets at which names are to be answered.
func where(at, waiting, unanswered []string) string {
	out := "no listener"
	if len(at) > 0 {
		out = strings.Join(at, ", ")
	}
	if len(waiting) > 0 {
		out += "; not yet, the port is in use: " + strings.Join(waiting, ", ")
	}
	if len(unanswered) > 0 {
		out += "; names are not answered at " + strings.Join(unanswered, ", ")
	}
	return out
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
