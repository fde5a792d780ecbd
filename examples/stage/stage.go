// Package stage is where the demos of the examples play: how they begin, and the
// ports that they use. In go the addresses that an example's files say, out go
// those that are used: the same, or free ones where that is wanted.
package stage

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"syscall"
	"time"
)

// Options are the flags that every demo has.
type Options struct {
	// Hopgate is the path of the program, Config the folder of the example.
	Hopgate, Config string
	// FreePorts has the demo use free ports, on a copy of the example's files.
	FreePorts bool
}

// Flags defines them, with the folder of the example that is taken where none is
// named.
func (o *Options) Flags(f *flag.FlagSet, config string) {
	f.StringVar(&o.Hopgate, "hopgate", "bin/hopgate", "path of hopgate")
	f.StringVar(&o.Config, "config", config, "folder of the example")
	f.BoolVar(&o.FreePorts, "free-ports", false, "use free ports, on a copy of the example's files")
}

// Play runs a demo for as long as it may take, until somebody interrupts it, and
// returns the code to end with.
func Play(run func(context.Context) error, within time.Duration, told io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	if err := run(ctx); err != nil {
		fmt.Fprintln(told, "demo:", err)
		return 1
	}
	return 0
}

// Ports are those that are used, by those that the files say; nil: the same.
type Ports map[string]string

// Free finds a free port for each of these addresses.
func Free(documented ...string) (Ports, error) {
	p := Ports{}
	for _, at := range documented {
		_, port, err := net.SplitHostPort(at)
		if err != nil {
			return nil, fmt.Errorf("read address: %w", err)
		}
		free, err := FreeAddress()
		if err != nil {
			return nil, err
		}
		_, p[port], _ = net.SplitHostPort(free)
	}
	return p, nil
}

// FreeAddress is one of this machine that was free a moment ago.
func FreeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	return l.Addr().String(), l.Close()
}

// At is the address that is used for a documented one.
func (p Ports) At(documented string) string {
	host, port, _ := net.SplitHostPort(documented)
	if used, ok := p[port]; ok {
		port = used
	}
	return net.JoinHostPort(host, port)
}

// Put has the ports that are used in a text.
func (p Ports) Put(text string) string {
	return regexp.MustCompile(`\b[0-9]{4}\b`).ReplaceAllStringFunc(text, func(n string) string {
		if port, ok := p[n]; ok {
			return port
		}
		return n
	})
}

// PutAll has them in all objects of a folder.
func (p Ports) PutAll(folder string) error {
	files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	if err != nil {
		return fmt.Errorf("find objects: %w", err)
	}
	for _, f := range files {
		if err := Edit(f, p.Put); err != nil {
			return err
		}
	}
	return nil
}

// Edit changes a file as an editor does: by a rename.
func Edit(file string, change func(string) string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("edit: %w", err)
	}
	if err := os.WriteFile(file+".new", []byte(change(string(text))), 0o600); err != nil {
		return fmt.Errorf("edit: %w", err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		return fmt.Errorf("edit: %w", err)
	}
	return nil
}
