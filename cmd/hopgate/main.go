// Hopgate is an agent-aware egress gateway: it configures Envoy from Gateway
// API resources, and decides every hop from transaction tokens.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/hopgate/hopgate/cmd/hopgate/laptop"
)

// Exit codes.
const (
	exitInput       = 1
	exitUsage       = 2
	exitEnvironment = 3
)

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second signal ends the process at once.
	context.AfterFunc(ctx, stop)
	err := newRoot().ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	if _, said := errors.AsType[errSaid](err); !said {
		fmt.Fprintln(os.Stderr, "hopgate:", err)
	}
	return exitCode(err)
}

// errSaid is an error that a person was told of already.
type errSaid struct{ error }

// errUsage is an error in how the command was called.
type errUsage struct{ error }

func exitCode(err error) int {
	var usage errUsage
	switch {
	case errors.As(err, &usage):
		return exitUsage
	case errors.Is(err, laptop.ErrEnvironment), notRunning(err):
		return exitEnvironment
	default:
		return exitInput
	}
}
