package jwks

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"
	"unicode"
)

// remote loads from a URL.
type remote struct {
	url    string
	client *http.Client
}

const maxRedirects = 3

// newRemote checks the URL: https, or http to this machine. What comes over
// the network in the clear could be anybody's keys. A redirect stays where the
// URL points: who may give keys is said by the configuration, not by a server.
func newRemote(raw string, transport http.RoundTripper) (*remote, error) {
	u, err := url.Parse(raw)
	if err != nil || !permitted(u) {
		return nil, errors.New("its URL is not https, or http to a loopback address")
	}
	r := &remote{url: raw, client: &http.Client{Transport: transport}}
	r.client.CheckRedirect = func(to *http.Request, via []*http.Request) error {
		switch {
		case len(via) > maxRedirects:
			return errors.New("too many redirects")
		case !permitted(to.URL) || !sameOrigin(to.URL, u):
			return errors.New("redirected away from the scheme, host and port of its URL")
		}
		return nil
	}
	return r, nil
}

func permitted(u *url.URL) bool {
	if u.Host == "" || u.Opaque != "" || u.User != nil {
		return false
	}
	return u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname())
}

// sameOrigin compares scheme, host and port (RFC 6454 section 5).
func sameOrigin(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && strings.EqualFold(a.Hostname(), b.Hostname()) && port(a) == port(b)
}

func port(u *url.URL) string {
	switch p := u.Port(); {
	case p != "":
		return p
	case u.Scheme == "http":
		return "80"
	default:
		return "443"
	}
}

func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && a.IsLoopback()
}

func (r *remote) load(ctx context.Context, have validators) (document, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url, nil)
	if err != nil {
		return document{}, errors.New("fetch key set: bad URL")
	}
	req.Header.Set("Accept", "application/jwk-set+json, application/json")
	if have.etag != "" {
		req.Header.Set("If-None-Match", have.etag)
	}
	if have.lastModified != "" {
		req.Header.Set("If-Modified-Since", have.lastModified)
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return document{}, fmt.Errorf("fetch key set: %s", problem(err))
	}
	defer resp.Body.Close()
	return read(resp, have)
}

func read(resp *http.Response, have validators) (document, error) {
	switch {
	case resp.StatusCode == http.StatusNotModified && have != validators{}:
		return document{validators: have}, nil
	case resp.StatusCode != http.StatusOK:
		return document{}, fmt.Errorf("fetch key set: status %d", resp.StatusCode)
	}
	raw, err := readBounded(resp.Body)
	if err != nil {
		return document{}, fmt.Errorf("fetch key set: %s", problem(err))
	}
	v := validators{etag: validator(resp.Header.Get("ETag")), lastModified: validator(resp.Header.Get("Last-Modified"))}
	return document{raw: raw, validators: v}, nil
}

// maxValidator is more than any validator of use has, in bytes.
const maxValidator = 256

// validator is a value that can be sent back. One that cannot, or that is so
// long that its own server may refuse it, would spoil every later request.
func validator(s string) string {
	if len(s) > maxValidator || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) {
		return ""
	}
	return s
}

// maxProblem bounds what is said of a failure, in bytes.
const maxProblem = 256

// problem says what went wrong, without what net/http says of the URL: its
// query may hold a secret. A server, or who plays it, has a part in some of
// these texts (a Location, names in a certificate): they are made short, and
// cannot move a cursor.
func problem(err error) string {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	text := strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, err.Error())
	if len(text) > maxProblem {
		text = strings.ToValidUTF8(text[:maxProblem], "") + "..."
	}
	return text
}

// transport sends by scheme: in the clear only to this machine, by the address
// that is really dialled and not by its name.
type transport struct{ plain, tls *http.Transport }

func newTransport() *transport {
	return &transport{
		plain: dialling(&net.Dialer{Timeout: dialTimeout, Control: onlyLoopback}),
		tls:   dialling(&net.Dialer{Timeout: dialTimeout}),
	}
}

const (
	dialTimeout = 5 * time.Second
	maxHeaders  = 64 << 10
)

// dialling makes a transport that keeps nothing open between fetches, which
// are minutes apart, and asks no proxy: a gateway must not need itself.
func dialling(d *net.Dialer) *http.Transport {
	return &http.Transport{
		DialContext: d.DialContext, TLSHandshakeTimeout: dialTimeout, MaxResponseHeaderBytes: maxHeaders,
		DisableKeepAlives: true, DisableCompression: true, ForceAttemptHTTP2: true,
	}
}

// RoundTrip sends one request.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme == "http" {
		return t.plain.RoundTrip(r)
	}
	return t.tls.RoundTrip(r)
}

func onlyLoopback(_, address string, _ syscall.RawConn) error {
	a, err := netip.ParseAddrPort(address)
	if err != nil || !a.Addr().Unmap().IsLoopback() {
		return errors.New("a key set over http may come only from a loopback address")
	}
	return nil
}
