package release

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/hopgate/hopgate/authz/surface/registry"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
)

// fetch is one question to an index.
type fetch struct {
	index   feedv1.Registry
	name    string
	exit    Exit
	headers [][2]string
	most    int64
	// roots is the file of those that are believed; empty: the system's.
	roots string
}

// pathOf is where an index has what it says of a package, behind its root;
// empty: it does not say when a release was published.
func pathOf(protocol, name string) string {
	switch {
	case name == "":
		return ""
	case protocol == registry.PyPI:
		return "/simple/" + name + "/"
	case protocol == registry.NPM:
		return "/" + strings.Replace(name, "/", "%2f", 1)
	case protocol == registry.Cargo:
		return "/" + registry.SparsePath(name)
	}
	return ""
}

// typePyPI is JSON of the simple API (PEP 691).
const typePyPI = "application/vnd.pypi.simple.v1+json"

const dialTimeout = 5 * time.Second

var errTooLong = errors.New("the answer is too long")

// into asks, and fills in what is said.
func (f *fetch) into(ctx context.Context, l *list) error {
	addrs, err := f.exit.Addresses(ctx, f.index.Hostname, f.index.Port)
	if err != nil {
		return fmt.Errorf("find %s: %w", f.index.Hostname, err)
	}
	res, err := f.ask(ctx, addrs)
	if err != nil {
		return fmt.Errorf("ask %s: %w", f.index.Ref, err)
	}
	defer res.Body.Close()
	switch {
	case res.StatusCode == http.StatusNotFound || res.StatusCode == http.StatusGone:
		l.versions = map[string]time.Time{}
		return nil
	case res.StatusCode != http.StatusOK:
		return fmt.Errorf("ask %s: it answers %d", f.index.Ref, res.StatusCode)
	}
	body := &io.LimitedReader{R: res.Body, N: f.most + 1}
	err = f.read(res, body, l)
	if body.N <= 0 {
		err = errTooLong
	}
	if err != nil {
		return fmt.Errorf("read the answer of %s: %w", f.index.Ref, err)
	}
	return nil
}

func (f *fetch) read(res *http.Response, body io.Reader, l *list) (err error) {
	switch f.index.Protocol {
	case registry.PyPI:
		l.files = map[string]file{}
		if kind, _, _ := strings.Cut(res.Header.Get("content-type"), ";"); strings.TrimSpace(kind) != typePyPI {
			return nil // an index of HTML alone does not say it
		}
		l.files, err = readPyPI(body, res.Request.URL)
	case registry.NPM:
		l.versions, err = readNPM(body)
	default:
		l.versions, err = readCargo(body)
	}
	return err
}

// ask sends the question to the first address that takes a connection.
func (f *fetch) ask(ctx context.Context, addrs []netip.Addr) (*http.Response, error) {
	scheme := "http"
	if f.index.TLS != nil {
		scheme = "https"
	}
	url := scheme + "://" + hostPort(f.index.Hostname, f.index.Port) + f.index.Path + pathOf(f.index.Protocol, f.name)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	req.Header.Set("accept", "application/json")
	switch f.index.Protocol {
	case registry.PyPI:
		req.Header.Set("accept", typePyPI)
	case registry.Cargo:
		req.Header.Set("accept", "*/*")
	}
	for _, h := range f.headers {
		req.Header.Set(h[0], h[1])
	}
	config, err := tlsOf(f.index.TLS, f.roots)
	if err != nil {
		return nil, err
	}
	t := &http.Transport{
		DialContext:       dialer(addrs, f.index.Port),
		TLSClientConfig:   config,
		DisableKeepAlives: true,
		ForceAttemptHTTP2: true,
	}
	return t.RoundTrip(req) // no proxy, and no redirect is followed
}

func hostPort(host string, port uint16) string {
	return net.JoinHostPort(host, strconv.Itoa(int(port)))
}

// dialer dials the addresses that were judged, and none that a name leads to.
func dialer(addrs []netip.Addr, port uint16) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		err := errors.New("there is no address")
		for _, a := range addrs {
			var c net.Conn
			d := net.Dialer{Timeout: dialTimeout}
			if c, err = d.DialContext(ctx, "tcp", netip.AddrPortFrom(a, port).String()); err == nil {
				return c, nil
			}
		}
		return nil, err
	}
}

var errCertificates = errors.New("the registry's certificates cannot be read")

// tlsOf verifies the index as Envoy verifies the backend.
func tlsOf(in *feedv1.RegistryTLS, roots string) (*tls.Config, error) {
	if in == nil {
		return nil, nil //nolint:nilnil // none: there is no TLS
	}
	c := &tls.Config{ServerName: in.ServerName, MinVersion: tls.VersionTLS12}
	pem := []byte(in.CA)
	if len(pem) == 0 && roots != "" {
		var err error
		if pem, err = os.ReadFile(roots); err != nil {
			return nil, err
		}
	}
	if len(pem) > 0 {
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, errCertificates
		}
	}
	if len(in.SANs) > 0 {
		c.InsecureSkipVerify = true // VerifyConnection does it
		c.VerifyConnection = func(s tls.ConnectionState) error { return verify(s, c.RootCAs, in.SANs) }
	}
	return c, nil
}

// verify holds that a certificate is of one of the names.
func verify(s tls.ConnectionState, roots *x509.CertPool, names []string) error {
	between := x509.NewCertPool()
	for _, c := range s.PeerCertificates[1:] {
		between.AddCert(c)
	}
	leaf := s.PeerCertificates[0]
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between}); err != nil {
		return err
	}
	err := errors.New("there is no name")
	for _, n := range names {
		if err = leaf.VerifyHostname(n); err == nil {
			return nil
		}
	}
	return err
}
