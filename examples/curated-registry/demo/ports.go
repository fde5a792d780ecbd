package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"

	"github.com/hopgate/hopgate/examples/curated-registry/world"
)

// proxyPort is the gateway's, as the example's files say.
const proxyPort = "3128"

// ports are those that are used, by those that the files say; nil: the same.
type ports map[string]string

// at is the address that is used for a documented one.
func (p ports) at(documented string) string {
	host, port, _ := net.SplitHostPort(documented)
	if used, ok := p[port]; ok {
		port = used
	}
	return net.JoinHostPort(host, port)
}

func (p ports) gateway() string { return p.at("127.0.0.1:" + proxyPort) }

func (p ports) world() world.Addresses {
	a := world.Documented()
	return world.Addresses{Packages: p.at(a.Packages), Modules: p.at(a.Modules), Elsewhere: p.at(a.Elsewhere)}
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
	if err := os.CopyFS(to, os.DirFS(d.config)); err != nil {
		return fmt.Errorf("copy the example: %w", err)
	}
	if !d.freePorts {
		return nil
	}
	d.ports = ports{}
	a := world.Documented()
	for _, at := range []string{":" + proxyPort, a.Packages, a.Modules, a.Elsewhere} {
		_, port, _ := net.SplitHostPort(at)
		free, err := freeAddress()
		if err != nil {
			return err
		}
		_, d.ports[port], _ = net.SplitHostPort(free)
	}
	files, err := filepath.Glob(filepath.Join(to, "*.yaml"))
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := edit(f, d.ports.put); err != nil {
			return err
		}
	}
	return nil
}

// put has the ports that are used in a text.
func (p ports) put(text string) string {
	return regexp.MustCompile(`\b[0-9]{4}\b`).ReplaceAllStringFunc(text, func(n string) string {
		if port, ok := p[n]; ok {
			return port
		}
		return n
	})
}

// edit changes a file as an editor does: by a rename.
func edit(file string, change func(string) string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := os.WriteFile(file+".new", []byte(change(string(text))), 0o600); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}
