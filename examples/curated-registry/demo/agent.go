package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
)

// proxy is the gateway with the agent's token, as clients take it.
func (d *demo) proxy() string { return "http://agent:" + d.token + "@" + d.ports.gateway() }

// agent runs a program as the agent would: with the gateway for a proxy, and
// with nothing else that could lead out.
func (d *demo) agent(ctx context.Context, env []string, program string, args ...string) (string, error) {
	c := exec.CommandContext(ctx, program, args...)
	c.Dir = d.dir
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		if upper := strings.ToUpper(name); !strings.HasSuffix(upper, "_PROXY") && !strings.HasPrefix(upper, "PIP_") {
			c.Env = append(c.Env, v)
		}
	}
	c.Env = append(c.Env, "HTTP_PROXY="+d.proxy(), "HTTPS_PROXY="+d.proxy(), "http_proxy="+d.proxy(), "https_proxy="+d.proxy())
	c.Env = append(c.Env, env...)
	out, err := c.CombinedOutput()
	return strings.ReplaceAll(strings.TrimSpace(string(out)), d.token, "TOKEN"), err
}

// upload publishes something, by what twine would send.
func (d *demo) upload(ctx context.Context) (command, said string, err error) {
	proxy, err := url.Parse(d.proxy())
	if err != nil {
		return "", "", err
	}
	at := d.ports.url("packages") + "/legacy/"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, at, strings.NewReader("a release"))
	if err != nil {
		return "", "", err
	}
	t := &http.Transport{Proxy: http.ProxyURL(proxy)}
	defer t.CloseIdleConnections()
	res, err := t.RoundTrip(req)
	if err != nil {
		return "", "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return "", "", err
	}
	if res.StatusCode != http.StatusOK {
		err = fmt.Errorf("the registry answers %d", res.StatusCode)
	}
	return "POST " + at, string(body), err
}
