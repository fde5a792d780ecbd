// Demo is a story about streams: an agent holds two of them through the
// gateway, and they are revoked, quarantined, refused by a new policy, left to
// their token's end, and renewed. It shows what the operator did, what the agent
// saw and what the record says, and ends with 0 only if all was as it should be.
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
	flag.StringVar(&d.config, "config", "examples/longstream/config", "folder of the example's objects")
	flag.BoolVar(&d.freePorts, "free-ports", false, "use free ports, and not those that the example's files say")
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
