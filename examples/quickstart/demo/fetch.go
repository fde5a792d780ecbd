package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"time"
)

const maxPage = 64 << 10

// clientName is what asks for pages: curl, or where there is none a client of
// our own that does the same.
func (d *demo) clientName() string {
	if d.curlPath == "" {
		return "a client of net/http (there is no curl)"
	}
	return "curl"
}

// findCurl is the path of curl; empty: there is none.
func findCurl() string {
	p, err := exec.LookPath("curl")
	if err != nil {
		return ""
	}
	return p
}

// fetch asks for a page by the proxy, and expects this code; empty: allowed.
func (d *demo) fetch(ctx context.Context, token, page, code string) error {
	ask := d.get
	if d.curlPath != "" {
		ask = d.curl
	}
	text, err := ask(ctx, token, page)
	if err != nil {
		text = err.Error()
	}
	d.say("  %s: %s", page, strings.TrimSpace(text))
	if (err == nil) != (code == "") {
		return fmt.Errorf("%s: %q, want denied: %v", page, text, code != "")
	}
	u, err := url.Parse(page)
	if err != nil {
		return err
	}
	d.expect(expected{surface: "Hosts", method: "CONNECT", name: u.Hostname(), code: code})
	return nil
}

func (d *demo) curl(ctx context.Context, token, page string) (string, error) {
	args := []string{"--silent", "--show-error", "--max-time", "10", "--proxy", "http://" + d.ports.proxy(), "--cacert", d.roots}
	if token != "" {
		args = append(args, "--proxy-user", "agent:"+token)
	}
	out, err := exec.CommandContext(ctx, d.curlPath, append(args, page)...).CombinedOutput()
	if err != nil {
		return "", errors.New(string(out))
	}
	return string(out), nil
}

func (d *demo) get(ctx context.Context, token, page string) (string, error) {
	roots, err := os.ReadFile(d.roots)
	if err != nil {
		return "", err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(roots)
	proxy := &url.URL{Scheme: "http", Host: d.ports.proxy()}
	if token != "" {
		proxy.User = url.UserPassword("agent", token)
	}
	t := &http.Transport{Proxy: http.ProxyURL(proxy), TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}
	defer t.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, page, nil)
	if err != nil {
		return "", err
	}
	res, err := (&http.Client{Transport: t}).Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxPage))
	return string(body), err
}
