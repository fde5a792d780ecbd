// Demo is a story about installing: an agent may have one package of one
// curated registry, and modules of another, and tries more than that, with the
// real pip and the real go. It shows what they said and what the record says,
// and ends with 0 only if all was as it should be.
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
	d := demo{out: os.Stdout}
	flag.StringVar(&d.hopgate, "hopgate", "bin/hopgate", "path of hopgate")
	flag.StringVar(&d.config, "config", "examples/curated-registry/config", "folder of the example's objects")
	flag.BoolVar(&d.freePorts, "free-ports", false, "use free ports, and not those that the example's files say")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, 4*time.Minute)
	defer cancel()
	if err := d.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}
