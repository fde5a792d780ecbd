package laptop

import (
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"time"
)

// Config is what a person says on the command line.
type Config struct {
	// Paths are files and folders with objects.
	Paths []string
	// State is the state folder.
	State string
	// Envoy is the path of the binary; empty: it is looked for.
	Envoy string
	// EnvoyDirs are folders that may hold bin/envoy.
	EnvoyDirs []string
	// Health is the address of readiness and metrics; invalid: none.
	Health netip.AddrPort
	// Audit is the record's file; empty: in the state folder.
	Audit string
	// CA is where the CA is by which TLS is inspected; zero: in the state folder,
	// if it is there.
	CA CAFiles
	// Grace bounds the wait for open requests at the end. 0: 30s.
	Grace time.Duration
	// BodyBudget bounds the bytes of all questions that are answered at once,
	// request bodies among them. 0: 256 MiB.
	BodyBudget int64
	// Concurrency is the number of Envoy's workers; 0: one a core.
	Concurrency int
	// Version is ours.
	Version string
	Getenv  func(string) string
	Log     *slog.Logger
	// Report is told of what people should see; nil: nobody is.
	Report Reporter
}

func (c *Config) setDefaults() {
	if c.Grace <= 0 {
		c.Grace = 30 * time.Second
	}
	if c.Getenv == nil {
		c.Getenv = os.Getenv
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Report == nil {
		c.Report = silent{}
	}
}

// ErrEnvironment means that the machine lacks something, or has it in use;
// nothing is wrong with what was written.
var ErrEnvironment = errors.New("the environment is not fit")

// roots are where systems keep their root certificates.
func roots(getenv func(string) string) string {
	for _, p := range []string{
		getenv("SSL_CERT_FILE"),
		"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
		"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "/etc/ssl/cert.pem",
	} {
		if st, err := os.Stat(p); p != "" && err == nil && st.Mode().IsRegular() {
			return p
		}
	}
	return ""
}

// localAddresses are those of this machine.
func localAddresses() []netip.Addr {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var out []netip.Addr
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok {
			if ip, ok := netip.AddrFromSlice(n.IP); ok {
				out = append(out, ip.Unmap())
			}
		}
	}
	return out
}
