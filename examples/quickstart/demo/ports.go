package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/hopgate/hopgate/examples/quickstart/world"
)

// Ports that the example's files say.
const (
	proxyPort = "3128"
	routePort = "8080"
)

// ports are those that are used, by those that the files say; nil: the same.
type ports map[string]string

// at is the address of a documented port.
func (p ports) at(documented string) string {
	if port, ok := p[documented]; ok {
		documented = port
	}
	return "127.0.0.1:" + documented
}

func (p ports) world() world.Addresses {
	a := world.Documented()
	for _, to := range []*string{&a.Tools, &a.Models, &a.Web, &a.DNS} {
		_, port, _ := strings.Cut(*to, ":")
		*to = p.at(port)
	}
	return a
}

// web is the page of the example's web site.
func (d *demo) web() string {
	_, port, _ := strings.Cut(d.ports.world().Web, ":")
	return "https://web.example:" + port + "/"
}

// settle finds free ports, if they are wanted, and writes a copy of the
// example's files with them.
func (d *demo) settle() error {
	if !d.freePorts {
		return nil
	}
	a := world.Documented()
	d.ports = ports{}
	for _, at := range []string{":" + proxyPort, ":" + routePort, a.Tools, a.Models, a.Web, a.DNS} {
		_, port, _ := strings.Cut(at, ":")
		free, err := freeAddress()
		if err != nil {
			return err
		}
		_, d.ports[port], _ = strings.Cut(free, ":")
	}
	to := filepath.Join(d.dir, "example")
	if err := os.CopyFS(to, os.DirFS(d.config)); err != nil {
		return fmt.Errorf("copy the example: %w", err)
	}
	files, err := filepath.Glob(filepath.Join(to, "config", "*.yaml"))
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := d.ports.rewrite(f); err != nil {
			return err
		}
	}
	d.config = to
	return nil
}

// rewrite puts the ports that are used into a file.
func (p ports) rewrite(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	number := regexp.MustCompile(`\b[0-9]{4}\b`)
	text = number.ReplaceAllFunc(text, func(n []byte) []byte {
		if port, ok := p[string(n)]; ok {
			return []byte(port)
		}
		return n
	})
	return os.WriteFile(file, text, 0o600)
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}
