package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hopgate/hopgate/cmd/hopgate/laptop"
)

type runFlags struct {
	paths                []string
	state, envoy, health string
	audit                string
	ca                   laptop.CAFiles
	output               *choice
	grace                time.Duration
	concurrency          int
	verbose              bool
}

func newRun() *cobra.Command {
	var f runFlags
	c := &cobra.Command{
		Use:   "run -f PATH...",
		Short: "Run the whole product on this machine, with Envoy as its child",
		Long: strings.TrimSpace(`
Run reads YAML files and folders, configures an Envoy that it starts itself, and
decides every hop through it. Files are watched: an edit is live within a moment,
and a broken edit leaves the last good state serving and says so.

Without a Gateway of your own there is a built-in one, 'local': a proxy at
127.0.0.1:3128 and HTTP at 127.0.0.1:8080, which believes tokens that
'hopgate token sign' makes. So a first policy is one object.

Decisions are shown as they are made, and kept in the audit record. SIGTERM drains:
what has begun may end within the grace period.`),
		Example: `  hopgate run -f my-gateway
  hopgate run -f policies.yaml -f routes/ --audit /var/log/hopgate.jsonl -o json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return runLaptop(c.Context(), f) },
	}
	fl := c.Flags()
	fileFlag(c, &f.paths)
	stateFlag(c, &f.state, "keys, the last good state and the record")
	fl.StringVar(&f.envoy, "envoy", "", "path of Envoy; else $ENVOY_PATH, then PATH, then bin/envoy")
	fl.StringVar(&f.health, "health", "127.0.0.1:9900", "address of /readyz and /metrics; empty for none")
	fl.StringVar(&f.audit, "audit", "", "file of the audit record; else audit.jsonl in the state folder")
	caFlags(c, &f.ca)
	f.output = outputFlag(c, "text", "json")
	fl.DurationVar(&f.grace, "grace", 30*time.Second, "how long open requests may take to end after SIGTERM")
	fl.IntVar(&f.concurrency, "concurrency", 0, "workers of Envoy; 0: one a core")
	fl.BoolVarP(&f.verbose, "verbose", "v", false, "log what happens, and not only what goes wrong")
	must(c.MarkFlagRequired("file"))
	return c
}

// check refuses numbers that mean nothing.
func (f *runFlags) check() error {
	switch {
	case f.grace < 0:
		return errUsage{fmt.Errorf("--grace is a time from now on, as 30s, and not %s", f.grace)}
	case f.concurrency < 0:
		return errUsage{fmt.Errorf("--concurrency is a number of workers, or 0 for one a core, and not %d", f.concurrency)}
	}
	return nil
}

func runLaptop(ctx context.Context, f runFlags) error {
	if err := f.check(); err != nil {
		return err
	}
	health, err := healthAddress(f.health)
	if err != nil {
		return err
	}
	json := f.output.value == "json"
	log := newLogger(os.Stderr, json, f.verbose)
	screen := newScreen(os.Stdout, json, newLogger(os.Stderr, json, true))
	l, err := laptop.New(ctx, laptop.Config{
		Paths: f.paths, State: f.state, Envoy: f.envoy, EnvoyDirs: envoyDirs(), Health: health, Audit: f.audit, CA: f.ca,
		Grace: f.grace, Concurrency: f.concurrency, Version: version(),
		Getenv: os.Getenv, Log: log, Report: screen,
	})
	if err != nil {
		return err
	}
	stop := screen.follow(l.Guard().Record())
	defer stop()
	return l.Run(ctx)
}

func healthAddress(s string) (netip.AddrPort, error) {
	if s == "" {
		return netip.AddrPort{}, nil
	}
	a, err := netip.ParseAddrPort(s)
	if err != nil {
		return a, errUsage{fmt.Errorf("--health is ADDRESS:PORT, as 127.0.0.1:9900: %w", err)}
	}
	return a, nil
}

// envoyDirs are folders that may hold bin/envoy: the one we are in, and the
// one above the program.
func envoyDirs() []string {
	dirs := []string{"."}
	if exe, err := os.Executable(); err == nil {
		dirs = append(dirs, filepath.Dir(filepath.Dir(exe)))
	}
	return dirs
}

func newLogger(w *os.File, json, verbose bool) *slog.Logger {
	opts := &slog.HandlerOptions{Level: slog.LevelWarn}
	if verbose {
		opts.Level = slog.LevelInfo
	}
	if json {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}
