package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/authz/token"
	"github.com/hopgate/hopgate/cmd/hopgate/laptop"
	"github.com/hopgate/hopgate/internal/testenv"
	"github.com/hopgate/hopgate/internal/testgateway"
)

// registry is an XBackend of a protocol, with what else its annotations say.
func registry(name, port, protocol, rest string) string {
	return `
apiVersion: gateway.networking.x-k8s.io/v1alpha1
kind: XBackend
metadata: {name: ` + name + `, annotations: {hopgate.dev/app-protocol: hopgate.dev/` + protocol + rest + `}}
spec: {type: ExternalHostname, externalHostname: {hostname: ` + name + `.example}, port: {port: ` + port + `}}
---
`
}

const wholeCommit = "0123456789abcdef0123456789abcdef01234567"

// outlet is an index of one package that was released twice, its files, and
// images whose layers are elsewhere. URLs are by the names of hosts.
func outlet(all map[string]string, files string, now time.Time) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		led, ledTLS := all["cdn"]+"/layer?sig=a%2Fb", all["cdn-tls"]+"/layer?sig=1"
		switch {
		case r.URL.Path == "/simple/tool/" && strings.Contains(r.Header.Get("accept"), "json"):
			w.Header().Set("content-type", "application/vnd.pypi.simple.v1+json")
			fmt.Fprintf(w, `{"meta":{"api-version":"1.1"},"name":"tool","files":[
{"filename":"tool-1.0-py3-none-any.whl","url":"%[1]s/packages/tool-1.0-py3-none-any.whl","hashes":{},"upload-time":%[2]q},
{"filename":"tool-2.0-py3-none-any.whl","url":"%[1]s/packages/tool-2.0-py3-none-any.whl","hashes":{},"upload-time":%[3]q},
{"filename":"tool-3.0-py3-none-any.whl","url":"%[1]s/packages/tool-3.0-py3-none-any.whl","hashes":{}}]}`,
				all[files], now.Add(-30*24*time.Hour).Format(time.RFC3339), now.Add(-time.Hour).Format(time.RFC3339))
		case strings.HasPrefix(r.URL.Path, "/v2/acme/led/"):
			http.Redirect(w, r, led, http.StatusTemporaryRedirect)
		case strings.HasPrefix(r.URL.Path, "/v2/acme/led-tls/"):
			http.Redirect(w, r, ledTLS, http.StatusFound)
		case strings.Contains(r.URL.Path, "/resolve/main/"):
			name, file, _ := strings.Cut(r.URL.Path, "/resolve/main/")
			w.Header().Set("location", "/api/resolve-cache/models"+name+"/"+wholeCommit+"/"+file+"?"+url.QueryEscape(r.URL.Path)+"=&etag=%22"+wholeCommit+"%22")
			w.WriteHeader(http.StatusTemporaryRedirect)
		default:
			fmt.Fprintf(w, "%s %s", r.Method, r.URL.RequestURI())
		}
	}
}

// TestPackages: what may be fetched of registries, in plain requests to the
// proxy and in tunnels that are inspected.
func TestPackages(t *testing.T) {
	t.Parallel()
	l, all := newPackages(t)
	c := l.client(t, true, l.Token())
	ask := func(method, url string, body io.Reader) answer {
		req, err := http.NewRequestWithContext(t.Context(), method, url, body)
		if err != nil {
			t.Fatal(err)
		}
		return send(t, c, req)
	}
	digest := "sha256:" + hex.EncodeToString(make([]byte, sha256.Size))
	for _, tc := range []struct {
		name, method, url, body string
		status                  int
		code                    string
	}{
		{"the page of an approved package", "GET", all["index"] + "/simple/tool/", "", 200, ""},
		{"its old release, of the host of its files", "GET", all["files"] + "/packages/tool-1.0-py3-none-any.whl", "", 200, ""},
		{"its new release", "GET", all["files"] + "/packages/tool-2.0-py3-none-any.whl", "", 403, "release_too_new"},
		{"a release of no time", "GET", all["files"] + "/packages/tool-3.0-py3-none-any.whl", "", 403, "release_age_unknown"},
		{"a release that is not listed", "GET", all["files"] + "/packages/tool-4.0-py3-none-any.whl", "", 403, "release_age_unknown"},
		{"a file that is listed elsewhere", "GET", all["index"] + "/packages/tool-1.0-py3-none-any.whl", "", 403, "release_age_unknown"},
		{"metadata of a new release", "GET", all["files"] + "/packages/tool-2.0-py3-none-any.whl.metadata", "", 200, ""},
		{"another package", "GET", all["index"] + "/simple/evil/", "", 403, "no_rule"},
		{"another package's file", "GET", all["files"] + "/packages/evil-1.0-py3-none-any.whl", "", 403, "no_rule"},
		{"all names", "GET", all["index"] + "/simple/", "", 403, "registry_closed"},
		{"an upload", "POST", all["index"] + "/legacy/", "x", 403, "registry_closed"},
		{"a read with a body", "GET", all["index"] + "/simple/tool/", "x", 400, "body_unreadable"},
		{"a package of a scope", "GET", all["npm"] + "/@acme%2ftools", "", 200, ""},
		{"one of another scope", "GET", all["npm"] + "/@evil%2ftools", "", 403, "no_rule"},
		{"another encoded slash", "GET", all["npm"] + "/@acme%2f..%2fevil", "", 400, "bad_path"},
		{"a module", "GET", all["go"] + "/github.com/acme/%21tool/@v/v1.0.0.zip", "", 200, ""},
		{"an image by its digest", "GET", all["oci"] + "/v2/acme/app/blobs/" + digest, "", 200, ""},
		{"an image by a tag", "GET", all["oci"] + "/v2/acme/app/manifests/latest", "", 403, "digest_required"},
		{"a small file of a model, which the hub has in its cache", "GET", all["hub"] + "/acme/tiny/resolve/main/config.json", "", 200, ""},
		{"of another model", "GET", all["hub"] + "/evil/tiny/resolve/main/config.json", "", 403, "no_rule"},
		{"in the cache, of another model", "GET", all["hub"] + "/api/resolve-cache/models/evil/tiny/" + wholeCommit + "/config.json", "", 403, "no_rule"},
		{"in the cache, of a model that was renamed", "GET", all["hub"] + "/api/resolve-cache/models/acme/tiny/" + wholeCommit + "/config.json?%2Fevil%2Ftiny%2Fresolve%2Fmain%2Fconfig.json=", "", 400, "bad_path"},
		{"what else the hub has", "GET", all["hub"] + "/api/models/acme/tiny/xet-read-token/" + wholeCommit, "", 403, "registry_closed"},
		{"a registry that is not read in tunnels", "GET", strings.Replace(all["own"], "http:", "https:", 1) + "/x", "", 0, "surface_required"},
		{"the same, in a tunnel", "GET", all["tls"] + "/simple/tool/", "", 200, ""},
		{"the same, another package", "GET", all["tls"] + "/simple/evil/", "", 403, "no_rule"},
		{"the same, an upload", "POST", all["tls"] + "/legacy/", "x", 403, "registry_closed"},
		{"the same, its old release", "GET", all["tls"] + "/packages/tool-1.0-py3-none-any.whl", "", 200, ""},
		{"the same, its new release", "GET", all["tls"] + "/packages/tool-2.0-py3-none-any.whl", "", 403, "release_too_new"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var body io.Reader
			if tc.body != "" {
				body = strings.NewReader(tc.body)
			}
			if tc.status == 0 {
				l.refusedTunnel(t, strings.TrimSuffix(strings.TrimPrefix(tc.url, "https://"), "/x"), tc.code)
				return
			}
			a := ask(tc.method, tc.url, body)
			if said := `"code":"` + tc.code + `"`; a.status != tc.status || tc.code != "" && !strings.Contains(a.body, said) {
				t.Errorf("answer %d, want %d %q: %s", a.status, tc.status, tc.code, a.body)
			}
		})
	}
	l.Recorded(t, "a file of a package", func(r audit.Record) bool {
		return r.Kind == audit.KindBegin && r.Surface == "Packages" && r.Method == "artifact" && r.Name == "tool" && r.Rule == "python"
	})
	l.Recorded(t, "an upload that is closed", func(r audit.Record) bool {
		return r.Kind == audit.KindDeny && r.Code == "registry_closed" && r.Method == "publish"
	})
}

// plainNames are names of the hosts without TLS.
func plainNames() []string {
	return []string{"index", "files", "npm", "go", "oci", "hub", "own", "cdn"}
}

// TestPackagesElsewhere: where an answer of a registry leads to is open to who
// asked, in the same transaction, for exactly that, and to nobody else.
func TestPackagesElsewhere(t *testing.T) {
	t.Parallel()
	l, all := newPackages(t)
	clients := map[string]*http.Client{"who asked": l.client(t, true, l.Token()), "another transaction": l.client(t, true, l.Token(func(p *token.Params) { p.Txn = "txn-2" }))}
	for _, c := range clients {
		c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	ask := func(who, method, url string) string {
		req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := clients[who].Do(req)
		if err != nil {
			if strings.Contains(err.Error(), "Forbidden") {
				return "403" // of the tunnel
			}
			t.Fatal(err)
		}
		defer res.Body.Close()
		return strconv.Itoa(res.StatusCode)
	}
	digest := "sha256:" + hex.EncodeToString(make([]byte, sha256.Size))
	for _, tc := range []struct{ name, who, method, url, want string }{
		{"before", "who asked", "GET", all["cdn"] + "/layer?sig=a%2Fb", "403"},
		{"before, with TLS", "who asked", "GET", all["cdn-tls"] + "/layer?sig=1", "403"},
		{"a layer", "who asked", "GET", all["oci"] + "/v2/acme/led/blobs/" + digest, "307"},
		{"where it is", "who asked", "GET", all["cdn"] + "/layer?sig=a%2Fb", "200"},
		{"again", "who asked", "HEAD", all["cdn"] + "/layer?sig=a%2Fb", "200"},
		{"another query", "who asked", "GET", all["cdn"] + "/layer?sig=2", "403"},
		{"another path", "who asked", "GET", all["cdn"] + "/other?sig=a%2Fb", "403"},
		{"another method", "who asked", "POST", all["cdn"] + "/layer?sig=a%2Fb", "403"},
		{"somebody else", "another transaction", "GET", all["cdn"] + "/layer?sig=a%2Fb", "403"},
		{"TLS that nothing led to", "who asked", "GET", all["cdn-tls"] + "/layer?sig=1", "403"},
		{"a layer, with TLS", "who asked", "GET", all["oci"] + "/v2/acme/led-tls/blobs/" + digest, "302"},
		{"where it is, in a tunnel", "who asked", "GET", all["cdn-tls"] + "/layer?sig=1", "200"},
		{"what else is there", "who asked", "GET", all["cdn-tls"] + "/other", "403"},
		{"somebody else's tunnel", "another transaction", "GET", all["cdn-tls"] + "/layer?sig=1", "403"},
	} {
		if got := ask(tc.who, tc.method, tc.url); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
		}
	}
	var files []audit.HopID
	for _, surface := range []string{"HTTP", "Hosts"} {
		l.Recorded(t, "what a redirect opened, with its cause: "+surface, func(r audit.Record) bool {
			if r.Kind == audit.KindBegin && r.Surface == "Packages" {
				files = append(files, r.Hop)
			}
			return r.Kind == audit.KindBegin && r.Surface == surface && slices.Contains(files, r.Cause) && r.Rule == "images" && r.CauseUntil.After(r.Time)
		})
	}
}

// refusedTunnel holds that there is no tunnel, for that reason.
func (l *looking) refusedTunnel(t *testing.T, at, code string) {
	t.Helper()
	_, a := tunnel(t, l.Gateway, at, l.Token())
	a.want(t, 403, code)
}

// newPackages is a gateway with registries, and their URLs by name.
func newPackages(t *testing.T) (*looking, map[string]string) {
	t.Helper()
	w, now := newWorld(t), time.Now()
	all := map[string]string{}
	l := &looking{
		site: w.serve(t, "tls.example", now.Add(time.Hour), outlet(all, "tls", now)),
	}
	plain := newUpstream(t, outlet(all, "files", now))
	for _, name := range plainNames() {
		all[name] = "http://" + name + ".example:" + plain.port()
	}
	l.two = w.serve(t, "cdn-tls.example", now.Add(time.Hour), outlet(all, "tls", now))
	all["tls"], all["cdn-tls"] = "https://tls.example:"+l.site.port(), "https://cdn-tls.example:"+l.two.port()
	hosts := []string{"tls.example:" + l.site.port(), "cdn-tls.example:" + l.two.port()}
	for _, name := range plainNames() {
		hosts = append(hosts, name+".example:"+plain.port())
	}
	tls := strings.Replace(registry("tls", l.site.port(), "pypi", ""), "port: {port: "+l.site.port()+"}}",
		"port: {port: "+l.site.port()+"}, tls: {mode: ServerOnly, validation: {hostname: tls.example, wellKnownCACertificates: System}}}", 1)
	l.Gateway = testgateway.New(t, map[string]string{
		"gateway.yaml": testgateway.Listeners + config(egress("", hosts...)),
		"registries.yaml": registry("index", plain.port(), "pypi", ", hopgate.dev/registry-files: files") + registry("files", plain.port(), "pypi", "") +
			registry("hub", plain.port(), "hf", "") + registry("npm", plain.port(), "npm", "") + registry("go", plain.port(), "go", "") + registry("oci", plain.port(), "oci", "") +
			tls + backendOfTools(plain.port()),
		"policy.yaml": policy("packages",
			allow("python", "{type: Packages, packages: [{registry: {name: index}, names: [tool], minimumAge: 168h}]}"),
			allow("python-tls", "{type: Packages, packages: [{registry: {name: tls}, names: [tool], minimumAge: 168h}]}"),
			allow("node", `{type: Packages, packages: [{registry: {name: npm}, names: ["@acme/*"]}]}`),
			allow("go", `{type: Packages, packages: [{registry: {name: go}, names: ["github.com/acme/**"]}]}`),
			allow("models", `{type: Packages, packages: [{registry: {name: hub}, names: ["models/acme/*"]}]}`),
			allow("images", `{type: Packages, packages: [{registry: {name: oci}, names: ["acme/*"], digestOnly: true}]}`),
			`{name: tunnels, to: {type: Hosts, hosts: [{names: [tls.example, own.example], ports: [`+l.site.port()+`, `+plain.port()+`]}]}, action: Allow, with: {tls: Inspect}}`),
	})
	l.makeCA(t)
	l.Launch(func(c *laptop.Config) {
		c.Getenv = func(k string) string { return map[string]string{"SSL_CERT_FILE": w.file}[k] }
	})
	testenv.Wait(t, "the gateway to be ready", l.Ready)
	return l, all
}

// backendOfTools is a tool server, which no tunnel leads to.
func backendOfTools(port string) string {
	return `
apiVersion: gateway.networking.x-k8s.io/v1alpha1
kind: XBackend
metadata: {name: own}
spec: {type: ExternalHostname, externalHostname: {hostname: own.example}, port: {port: ` + port + `}, protocol: MCP}
---
`
}
