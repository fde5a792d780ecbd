// Bench measures what the design gives budgets for, and what a request costs
// on its way through, each thing beside its baseline in the same run on the
// same machine, and prints one table.
//
//	go run ./bench                      everything; about fifteen minutes
//	go run ./bench -only check,rules    a part
//	go run ./bench -quick               everything, just long enough to see that it works
//	go run ./bench -only check -profile DIR    for go tool pprof
//
// The table has a row for each figure: its value, the baseline and the ratio
// of the two, and the budget with whether it is met. The same rows are written
// to bench/results.jsonl, one JSON object a line. Absolute times are those of
// a machine and of what else runs on it; ratios, and allocations, can be
// compared. A budget that is not met is no error: the run ends with 0 when
// everything was measured. Only with -strict it ends with 1 where cuts of
// streams (cut-one, cut-all) are over theirs, and names these.
//
// What is measured:
//
//	check   Check of the real guard, 1,000 rules, token remembered, against an
//	        ext_authz that answers OK without reading the question. Both are
//	        in a process of their own behind the same gRPC server, and asked by
//	        the same client, in turn. Hops go without a hold here, since
//	        nobody opens one; the end of a hop, which Envoy's log tells, is
//	        a row of its own. What holds cost is in the part envoy.
//	rules   a decision in this process, by the number of rules.
//	verify  a token that was not seen before, against its signature alone.
//	envoy   32 connections of HTTP/1.1 through the real Envoy: without
//	        ext_authz, with one that always answers OK, and with hopgate, with
//	        holds and without. All have hopgate's connection manager.
//	routes  New to Ready, the memory of the process, and an edit of one route
//	        among many until the first request on it.
//	streams what a hold adds to a short request and to an event of a stream;
//	        and 1,000 and 10,000 live streams without a hold, on a leash and on
//	        a relay: memory, CPU while nothing happens, and how long it takes
//	        from an order, or from an edited policy, until the clients of one or
//	        of all have seen the end, and what requests of others took meanwhile.
//	egress  what goes to names that agents choose, by hopgate, by Envoy alone and
//	        directly: new tunnels, what tunnels carry, requests that are inspected
//	        and plain ones. A decision by the number of listed hosts, a leaf, and,
//	        as root on Linux, 10,000 names one after the other and a storm of names
//	        that nobody approved.
//
// CPU is what the kernel counts for all of a process. It is that of the quieter
// rounds, the lower quartile: what else runs on the machine only adds to it.
// In the parts rules and verify garbage is collected between rounds; what it
// costs shows in check. Times of check are medians of each round's percentile
// (nearest rank), those of the other parts percentiles of all. Load generator,
// upstream and what is measured share the machine.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/hopgate/hopgate/gateway/infra/process"
)

// Exit codes, as those of hopgate.
const (
	exitFailed      = 1
	exitUsage       = 2
	exitEnvironment = 3
)

// options are what a person says on the command line.
type options struct {
	only, envoy, out, profile string
	seconds                   float64
	quick, strict             bool
	// child is the folder of a part of a run; empty: this is the run.
	child string
}

func parse(args []string, errs io.Writer) (options, error) {
	var o options
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(errs)
	f.StringVar(&o.only, "only", "", "parts to run, by commas: "+strings.Join(partNames(), ", ")+"; empty: all")
	f.Float64Var(&o.seconds, "seconds", 5, "how long each thing is measured")
	f.BoolVar(&o.quick, "quick", false, "a run of a few seconds a part, of smaller things: its figures are no figures")
	f.BoolVar(&o.strict, "strict", false, "end with 1 where how soon streams are cut is over its budget, and say where")
	f.StringVar(&o.envoy, "envoy", "", "path of Envoy; else $ENVOY_PATH, then PATH, then bin/envoy")
	f.StringVar(&o.out, "out", filepath.Join("bench", "results.jsonl"), "file of the results; it is replaced")
	f.StringVar(&o.profile, "profile", "", "folder for CPU and allocation profiles of every process that is measured; it must be there")
	f.StringVar(&o.child, "child", "", "folder of a part; for bench itself")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if f.NArg() > 0 || !(o.seconds > 0 && o.seconds <= 3600) { // NaN is neither
		return o, errors.New("bench takes flags alone, and -seconds is above 0 and at most 3600")
	}
	_, err := choose(o.only)
	return o, err
}

func main() { os.Exit(run()) }

func run() int {
	o, err := parse(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		return exitUsage
	}
	if o.child != "" {
		err = play(o.child, os.Stdin, os.Stdout)
	} else {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		err = measure(ctx, o, os.Stdout, os.Stderr)
	}
	switch {
	case err == nil:
		return 0
	case errors.Is(err, process.ErrNotFound):
		fmt.Fprintf(os.Stderr, "bench: %v\n%s\n", err, process.Advice(process.Wanted()))
		return exitEnvironment
	default:
		fmt.Fprintln(os.Stderr, "bench:", err)
		return exitFailed
	}
}

// measure runs the parts and prints their figures. What was measured before
// an error is printed too.
func measure(ctx context.Context, o options, out, told io.Writer) (err error) {
	parts, err := choose(o.only)
	if err != nil {
		return err
	}
	b := &bench{options: o, progress: progress{out: told, begun: time.Now()}}
	if err := b.findEnvoy(parts); err != nil {
		return err
	}
	results, err := os.Create(o.out)
	if err != nil {
		return fmt.Errorf("keep results: %w", err)
	}
	defer func() { err = errors.Join(err, results.Close()) }()
	if b.dir, err = os.MkdirTemp("", "hgb"); err != nil {
		return fmt.Errorf("make a folder to work in: %w", err)
	}
	defer os.RemoveAll(b.dir)
	figures, failed := b.all(ctx, parts)
	return errors.Join(failed, o.conclude(out, results, figures))
}

// conclude prints figures to both places, and in a strict run judges them.
func (o *options) conclude(out, results io.Writer, figures []figure) error {
	err := errors.Join(writeTable(out, figures), writeLines(results, figures))
	if o.strict {
		err = errors.Join(err, overBudget(figures))
	}
	return err
}
