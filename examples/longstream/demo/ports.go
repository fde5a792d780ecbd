package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/hopgate/hopgate/examples/longstream/world"
	"github.com/hopgate/hopgate/examples/stage"
)

// routePort is the gateway's, as the example's files say.
const routePort = "8080"

// ports are those of the example.
type ports struct{ stage.Ports }

func (p ports) gateway() string { return p.At("127.0.0.1:" + routePort) }

func (p ports) world() world.Addresses {
	a := world.Documented()
	return world.Addresses{Tools: p.At(a.Tools), Feed: p.At(a.Feed)}
}

// settle copies the example's objects into the folder of the run, with free
// ports if they are wanted.
func (d *demo) settle() error {
	to := filepath.Join(d.dir, objects)
	if err := os.CopyFS(to, os.DirFS(d.Config)); err != nil {
		return fmt.Errorf("copy the example: %w", err)
	}
	if !d.FreePorts {
		return nil
	}
	a := world.Documented()
	free, err := stage.Free(":"+routePort, a.Tools, a.Feed)
	if err != nil {
		return err
	}
	d.ports = ports{free}
	return free.PutAll(to)
}
