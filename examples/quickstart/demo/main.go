// Demo runs the quickstart: it starts a world, the gateway, and a real agent in
// between, shows what happened as a person would read it, and ends with 0 only
// if every verdict is the expected one.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	d := demo{out: os.Stdout, curlPath: findCurl()}
	flag.StringVar(&d.hopgate, "hopgate", "bin/hopgate", "path of hopgate")
	flag.StringVar(&d.agent, "agent", "bin/quickstart-agent", "path of the example's agent")
	flag.StringVar(&d.config, "config", "examples/quickstart", "folder of the example")
	flag.BoolVar(&d.freePorts, "free-ports", false, "use free ports, on a copy of the example's files")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	if err := d.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}
