// Demo is a story about streams: an agent holds two of them through the
// gateway, and they are revoked, quarantined, refused by a new policy, left to
// their token's end, and renewed. It shows what the operator did, what the agent
// saw and what the record says, and ends with 0 only if all was as it should be.
package main

import (
	"flag"
	"os"
	"time"

	"github.com/hopgate/hopgate/examples/stage"
)

func main() {
	d := demo{out: os.Stdout}
	d.Flags(flag.CommandLine, "examples/longstream/config")
	flag.Parse()
	os.Exit(stage.Play(d.run, 2*time.Minute, os.Stderr))
}
