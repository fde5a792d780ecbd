// Demo is a story about installing: an agent may have one package of one
// curated registry, and modules of another, and tries more than that, with the
// real pip and the real go. It shows what they said and what the record says,
// and ends with 0 only if all was as it should be.
package main

import (
	"flag"
	"os"
	"time"

	"github.com/hopgate/hopgate/examples/stage"
)

func main() {
	d := demo{out: os.Stdout}
	d.Flags(flag.CommandLine, "examples/curated-registry/config")
	flag.Parse()
	os.Exit(stage.Play(d.run, 4*time.Minute, os.Stderr))
}
