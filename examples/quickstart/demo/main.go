// Demo runs the quickstart: it starts a world, the gateway, and a real agent in
// between, shows what happened as a person would read it, and ends with 0 only
// if every verdict is the expected one.
package main

import (
	"flag"
	"os"
	"time"

	"github.com/hopgate/hopgate/examples/stage"
)

func main() {
	d := demo{out: os.Stdout, curlPath: findCurl()}
	d.Flags(flag.CommandLine, "examples/quickstart")
	flag.StringVar(&d.agent, "agent", "bin/quickstart-agent", "path of the example's agent")
	flag.Parse()
	os.Exit(stage.Play(d.run, 2*time.Minute, os.Stderr))
}
