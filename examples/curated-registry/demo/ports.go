package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/hopgate/hopgate/examples/curated-registry/world"
	"github.com/hopgate/hopgate/examples/stage"
)

// proxyPort is the gateway's, as the example's files say.
const proxyPort = "3128"

// ports are those of the example.
type ports struct{ stage.Ports }

func (p ports) gateway() string { return p.At("127.0.0.1:" + proxyPort) }

func (p ports) world() world.Addresses {
	a := world.Documented()
	return world.Addresses{Packages: p.At(a.Packages), Modules: p.At(a.Modules), Elsewhere: p.At(a.Elsewhere)}
}

// url is where a registry is, by the name that the gateway knows.
func (p ports) url(name string) string {
	a := p.world()
	_, port, _ := net.SplitHostPort(map[string]string{"packages": a.Packages, "modules": a.Modules, "elsewhere": a.Elsewhere}[name])
	return "http://" + name + ".example:" + port
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
	free, err := stage.Free(":"+proxyPort, a.Packages, a.Modules, a.Elsewhere)
	if err != nil {
		return err
	}
	d.ports = ports{free}
	return free.PutAll(to)
}
