package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/hopgate/hopgate/examples/quickstart/world"
	"github.com/hopgate/hopgate/examples/stage"
)

// Ports that the example's files say.
const (
	proxyPort = "3128"
	routePort = "8080"
)

// ports are those of the example.
type ports struct{ stage.Ports }

// proxy and route are the gateway's addresses.
func (p ports) proxy() string { return p.At("127.0.0.1:" + proxyPort) }
func (p ports) route() string { return p.At("127.0.0.1:" + routePort) }

func (p ports) world() world.Addresses {
	a := world.Documented()
	return world.Addresses{Tools: p.At(a.Tools), Models: p.At(a.Models), Web: p.At(a.Web), DNS: p.At(a.DNS)}
}

// web is the page of the example's web site.
func (d *demo) web() string {
	_, port, _ := strings.Cut(d.ports.world().Web, ":")
	return "https://web.example:" + port + "/"
}

// settle finds free ports, if they are wanted, and writes a copy of the
// example's files with them.
func (d *demo) settle() error {
	if !d.FreePorts {
		return nil
	}
	a := world.Documented()
	free, err := stage.Free(":"+proxyPort, ":"+routePort, a.Tools, a.Models, a.Web, a.DNS)
	if err != nil {
		return err
	}
	d.ports = ports{free}
	to := filepath.Join(d.dir, "example")
	if err := os.CopyFS(to, os.DirFS(d.Config)); err != nil {
		return fmt.Errorf("copy the example: %w", err)
	}
	d.Config = to
	return free.PutAll(filepath.Join(to, "config"))
}
