package registry_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/authz/surface"
	"github.com/hopgate/hopgate/authz/surface/egress"
	"github.com/hopgate/hopgate/authz/surface/registry"
)

const (
	sha256 = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	commit = "0123456789abcdef0123456789abcdef01234567"
)

// reading is METHOD PATH, and what it is read as: OPERATION NAME VERSION, with a
// ! for what is pinned; or the reason why it is not read.
type reading struct{ request, want string }

func read(t *testing.T, protocol, root, request string) string {
	t.Helper()
	method, target, ok := strings.Cut(request, " ")
	if !ok {
		method, target = "GET", request
	}
	target = registry.OneSpelling(protocol, target)
	path, err := egress.CanonicalPath(target)
	if r, bad := errors.AsType[*egress.Refusal](err); bad {
		return string(r.Reason)
	}
	_, query, _ := strings.Cut(target, "?")
	r, err := registry.Read(registry.Input{Protocol: protocol, Method: method, Path: path, Query: query, Root: root})
	if u, bad := errors.AsType[*surface.Unreadable](err); bad {
		return string(u.Reason)
	}
	words := []string{r.Operation}
	for _, w := range []string{r.Name, r.Version} {
		if w != "" {
			words = append(words, w)
		}
	}
	if r.Pinned {
		words = append(words, "!")
	}
	return strings.Join(words, " ")
}

func readings(t *testing.T, protocol string, list []reading) {
	t.Helper()
	t.Parallel()
	for _, tc := range list {
		if diff := cmp.Diff(tc.want, read(t, protocol, "", tc.request)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.request, diff)
		}
	}
}

func TestPyPI(t *testing.T) {
	const packages = "/packages/9d/be/10918a2eac4ae9f02f6cfe6414b7a155ccd8f7f9d4380d62fd5b955065c3/"
	readings(t, registry.PyPI, []reading{
		{"/simple/requests/", "metadata requests"},
		{"/simple/requests", "metadata requests"},
		{"HEAD /simple/requests/", "metadata requests"},
		{"/simple/requests/?format=application%2Fvnd.pypi.simple.v1%2Bjson", "metadata requests"},
		{"/simple/requests/?format=a&format=b", "query"},
		{"/simple/requests/?x=1", "query"},
		{"/simple/Requests/", "other"},
		{"/simple/zope_interface/", "other"},
		{"/simple/zope.interface/", "other"},
		{"/simple/a--b/", "other"},
		{"/simple/-a/", "other"},
		{"/simple/a%2Db/", "metadata a-b"},
		{"/simple/a%20b/", "other"},
		{"/simple/", "search"},
		{"/simple", "search"},
		{"/search?q=x", "search"},
		{"/pypi/requests/json", "metadata requests"},
		{"/pypi/requests/2.31.0/json", "metadata requests 2.31.0"},
		{"/pypi/requests/x/json", "other"},
		{packages + "requests-2.31.0-py3-none-any.whl", "artifact requests 2.31.0"},
		{packages + "requests-2.31.0-py3-none-any.whl.metadata", "metadata requests 2.31.0"},
		{packages + "zope.interface-6.1-1-cp311-cp311-manylinux_2_5_x86_64.manylinux1_x86_64.whl", "artifact zope-interface 6.1"},
		{packages + "zope.interface-6.1-x-cp311-cp311-any.whl", "other"},
		{packages + "Foo__Bar-1.0.tar.gz", "artifact foo-bar 1.0"},
		{packages + "foo-bar-1.0.tar.gz", "artifact foo-bar 1.0"},
		{packages + "foo-1.0-2.tar.gz", "other"},
		{packages + "foo-2-bar-1.0.tar.gz", "other"},
		{packages + "2captcha-1.0.tar.gz", "artifact 2captcha 1.0"},
		{packages + "foo-1.0.zip", "artifact foo 1.0"},
		{packages + "foo-1.0.exe", "other"},
		{packages + "foo-1.0.tar.gz.asc", "other"},
		{packages + "foo-.tar.gz", "other"},
		{packages + "-1.0.tar.gz", "other"},
		{packages + ".whl", "other"},
		{packages + "x/y/foo-1.0.tar.gz", "other"},
		{packages + "foo-1.0.tar.gz/", "other"},
		{packages + "foo-1.0.tar.gz?sig=1", "query"},
		{"/simple/foo/foo-1.0.tar.gz", "artifact foo 1.0"},
		{"/simple/foo/bar-1.0.tar.gz", "other"},
		{"/simple/foo/foo-1.0.tar.gz/", "other"},
		{"/simple/../legacy/", "dot_segment"},
		{"/simple/..%2flegacy/", "encoded_delimiter"},
		{"/simple//requests/", "empty_segment"},
		{"POST /legacy/", "publish"},
		{"POST /", "publish"},
		{"DELETE /simple/requests/", "publish"},
		{"OPTIONS /simple/requests/", "other"},
		{"/account/login/", "login"},
		{"POST /_/oidc/mint-token", "publish"},
		{"/project/requests/", "other"},
		{"/", "other"},
	})
}

func TestNPM(t *testing.T) {
	readings(t, registry.NPM, []reading{
		{"/left-pad", "metadata left-pad"},
		{"/JSONStream", "metadata JSONStream"},
		{"/left-pad/latest", "metadata left-pad latest"},
		{"/left-pad/1.3.0", "metadata left-pad 1.3.0"},
		{"/left-pad/-/left-pad-1.3.0.tgz", "artifact left-pad 1.3.0"},
		{"/left-pad/-/left-pad-1.3.0-rc.1+b.tgz", "artifact left-pad 1.3.0-rc.1+b"},
		{"/left-pad/-/other-1.3.0.tgz", "other"},
		{"/left-pad/-/left-pad-x.tgz", "other"},
		{"/left-pad/-/left-pad-1.3.0.tar", "other"},
		{"/left-pad/-/x/left-pad-1.3.0.tgz", "other"},
		{"/@acme%2ftools", "metadata @acme/tools"},
		{"/@acme%2Ftools", "metadata @acme/tools"},
		{"/%40acme%2ftools", "metadata @acme/tools"},
		{"/@acme/tools", "metadata @acme/tools"},
		{"/@acme%2ftools/1.0.0", "metadata @acme/tools 1.0.0"},
		{"/@acme/tools/-/tools-1.0.0.tgz", "artifact @acme/tools 1.0.0"},
		{"/@acme/tools/-/@acme/tools-1.0.0.tgz", "artifact @acme/tools 1.0.0"},
		{"/@acme/tools/-/@evil/tools-1.0.0.tgz", "other"},
		{"/@acme%2f..%2fevil", "encoded_delimiter"},
		{"/@acme%2f%2fevil", "encoded_delimiter"},
		{"/acme%2ftools", "encoded_delimiter"},
		{"/@acme%252ftools", "double_encoding"},
		{"/@acme%5ctools", "encoded_delimiter"},
		{"/@acme", "other"},
		{"/@acme/", "other"},
		{"/@/tools", "other"},
		{"/.hidden", "other"},
		{"/left-pad?write=true", "query"},
		{"/left-pad/", "other"},
		{"/-/ping", "index"},
		{"/-/npm/v1/keys", "index"},
		{"/-/v1/search?text=x", "search"},
		{"/-/all", "search"},
		{"/-/whoami", "login"},
		{"/-/package/left-pad/dist-tags", "metadata left-pad"},
		{"/-/package/@acme%2ftools/dist-tags", "metadata @acme/tools"},
		{"/-/package/left-pad/collaborators", "other"},
		{"PUT /left-pad", "publish"},
		{"PUT /-/user/org.couchdb.user:me", "login"},
		{"POST /-/v1/login", "login"},
		{"POST /-/npm/v1/security/advisories/bulk", "other"},
		{"PUT /-/package/left-pad/dist-tags/latest", "publish"},
		{"/", "other"},
	})
}

func TestGo(t *testing.T) {
	readings(t, registry.Go, []reading{
		{"/golang.org/x/net/@v/list", "metadata golang.org/x/net"},
		{"/golang.org/x/net/@latest", "metadata golang.org/x/net"},
		{"/golang.org/x/net/@v/v0.1.0.info", "metadata golang.org/x/net v0.1.0"},
		{"/golang.org/x/net/@v/master.info", "metadata golang.org/x/net master"},
		{"/golang.org/x/net/@v/v0.1.0.mod", "metadata golang.org/x/net v0.1.0"},
		{"/golang.org/x/net/@v/v0.1.0.zip", "artifact golang.org/x/net v0.1.0"},
		{"/golang.org/x/net/@v/master.zip", "other"},
		{"/github.com/!burnt!sushi/toml/@v/v1.0.0.zip", "artifact github.com/BurntSushi/toml v1.0.0"},
		{"/github.com/%21burnt%21sushi/toml/@v/v1.0.0.zip", "artifact github.com/BurntSushi/toml v1.0.0"},
		{"/github.com/BurntSushi/toml/@v/v1.0.0.zip", "other"},
		{"/github.com/!!burnt/toml/@v/v1.0.0.zip", "other"},
		{"/github.com/burnt!/toml/@v/list", "other"},
		{"/github.com/a/b/@v/v2.0.0+incompatible.zip", "artifact github.com/a/b v2.0.0+incompatible"},
		{"/github.com/a/b/@v/v2.0.0%2Bincompatible.zip", "artifact github.com/a/b v2.0.0+incompatible"},
		{"/fmt/@v/list", "other"},
		{"/github.com/a/.b/@v/list", "other"},
		{"/github.com/a/b/@v/@v/list", "other"},
		{"/github.com/a/b/@v/", "other"},
		{"/@v/list", "other"},
		{"/github.com/a/b?go-get=1", "other"},
		{"/github.com/a/b/@v/list?x=1", "query"},
		{"/sumdb/sum.golang.org/supported", "index"},
		{"/sumdb/sum.golang.org/latest", "index"},
		{"/sumdb/sum.golang.org/tile/8/0/x001/234.p/5", "index"},
		{"/sumdb/sum.golang.org/tile/8/data/x001/x234/067", "index"},
		{"/sumdb/sum.golang.org/tile/8/0/data", "other"},
		{"/sumdb/sum.golang.org/tile/8/0", "other"},
		{"/sumdb/sum.golang.org/tile/8/0/mfrggzdfmztwq", "other"},
		{"/sumdb/sum.golang.org/tile/8/0/x001/x234/x567/x001/x234/x567/x001/x234/x567", "other"},
		{"/sumdb/sum.golang.org/lookup/github.com/!a/b@v1.0.0", "metadata github.com/A/b v1.0.0"},
		{"/sumdb/sum.golang.org/other", "other"},
		{"/sumdb/x", "other"},
		{"PUT /github.com/a/b/@v/v1.0.0.zip", "other"},
	})
}

func TestCargo(t *testing.T) {
	readings(t, registry.Cargo, []reading{
		{"/config.json", "index"},
		{"/1/a", "metadata a"},
		{"/2/ab", "metadata ab"},
		{"/3/a/abc", "metadata abc"},
		{"/se/rd/serde", "metadata serde"},
		{"/se/rd/serde_json", "metadata serde_json"},
		{"/se/rd/evil", "other"},
		{"/3/b/abc", "other"},
		{"/2/abc", "other"},
		{"/Se/rd/Serde", "other"},
		{"/api/v1/crates/serde/1.0.0/download", "artifact serde 1.0.0"},
		{"/api/v1/crates/Serde/1.0.0/download", "artifact serde 1.0.0"},
		{"/api/v1/crates/serde/1.0.0", "metadata serde 1.0.0"},
		{"/api/v1/crates/serde", "metadata serde"},
		{"/api/v1/crates/serde/owners", "other"},
		{"/api/v1/crates?q=x", "search"},
		{"/crates/serde/serde-1.0.0.crate", "artifact serde 1.0.0"},
		{"/crates/serde/evil-1.0.0.crate", "other"},
		{"/crates/serde/1.0.0/download", "artifact serde 1.0.0"},
		{"/crates/serde", "other"},
		{"PUT /api/v1/crates/new", "publish"},
		{"DELETE /api/v1/crates/serde/1.0.0/yank", "publish"},
		{"/me", "login"},
		{"/", "other"},
	})
}

func TestDebian(t *testing.T) {
	readings(t, registry.Debian, []reading{
		{"/dists/stable/InRelease", "index"},
		{"/dists/stable/main/binary-amd64/by-hash/SHA256/00ff", "index"},
		{"/dists/stable/main/i18n/Translation-en.xz", "index"},
		{"/dists/stable/Release.gpg", "index"},
		{"/dists/stable/main/binary-amd64/Packages", "index"},
		{"/dists/stable/main/binary-amd64/Packages.xz", "index"},
		{"/dists/stable/main/binary-amd64/Packages.diff/Index", "index"},
		{"/dists/stable/main/binary-amd64/Packages.diff/T-2026-01-01-0000.00-F-2025-12-31-0000.00.gz", "index"},
		{"/dists/stable/main/source/Sources.gz", "index"},
		{"/dists/stable/main/Contents-amd64.gz", "index"},
		{"/dists/stable/main/Contents-udeb-amd64.gz", "index"},
		{"/dists/stable/main/cnf/Commands-amd64.xz", "index"},
		{"/dists/stable/main/dep11/Components-amd64.yml.gz", "index"},
		{"/dists/stable/main/dep11/icons-64x64@2.tar.gz", "index"},
		{"/dists/stable/pool/stable/amd64/evil_1.0_amd64.deb", "other"},
		{"/dists/stable/pool/stable/amd64/Packages", "other"},
		{"/dists/stable/main/binary-amd64/evil_1.0_amd64.deb", "other"},
		{"/dists/stable/main/binary-amd64/Packages-1_1.0_amd64.deb", "other"},
		{"/dists/stable/main/binary-amd64/Packages.diff/evil_1.0_amd64.deb", "other"},
		{"/dists/stable/main/binary-amd64/by-hash/SHA256/evil_1.0_amd64.deb", "other"},
		{"/dists/stable/main/installer-amd64/current/images/netboot/mini.iso", "other"},
		{"/dists/stable/main/installer-amd64/current/images/Packages", "other"},
		{"/dists", "other"},
		{"/dists/stable/", "other"},
		{"/pool/main/o/openssl/libssl3_3.0.11-1~deb12u2_amd64.deb", "artifact openssl/libssl3 3.0.11-1~deb12u2"},
		{"/pool/main/libx/libxml2/libxml2_2.9.14+dfsg-1.3_amd64.deb", "artifact libxml2/libxml2 2.9.14+dfsg-1.3"},
		{"/pool/updates/main/o/openssl/openssl_3.0.11-1_amd64.deb", "artifact openssl/openssl 3.0.11-1"},
		{"/pool/main/o/openssl/openssl_3.0.11.orig.tar.gz", "artifact openssl/openssl 3.0.11"},
		{"/pool/main/o/openssl/openssl_3.0.11-1.dsc", "artifact openssl/openssl 3.0.11-1"},
		{"/pool/main/o/openssl/evil_1.dsc", "other"},
		{"/pool/main/e/openssl/openssl_3.0.11-1_amd64.deb", "other"},
		{"/pool/main/l/libxml2/libxml2_2.9.14_amd64.deb", "other"},
		{"/pool/main/o/openssl/openssl_x_amd64.deb", "other"},
		{"/pool/main/o/openssl/openssl_3_amd64_x.deb", "other"},
		{"/pool/main/o/openssl/", "other"},
		{"/evil.deb", "other"},
		{"POST /dists/stable/InRelease", "other"},
	})
}

func TestOCI(t *testing.T) {
	readings(t, registry.OCI, []reading{
		{"/v2/", "index"},
		{"/v2", "index"},
		{"/v2/_catalog", "search"},
		{"/v2/library/alpine/tags/list?n=10&last=a", "metadata library/alpine"},
		{"/v2/library/alpine/manifests/3.19", "artifact library/alpine 3.19"},
		{"HEAD /v2/library/alpine/manifests/3.19", "artifact library/alpine 3.19"},
		{"/v2/library/alpine/manifests/" + sha256, "artifact library/alpine !"},
		{"/v2/library/alpine/blobs/" + sha256, "artifact library/alpine !"},
		{"/v2/library/alpine/blobs/latest", "other"},
		{"/v2/library/alpine/referrers/" + sha256 + "?artifactType=x", "metadata library/alpine !"},
		{"/v2/library/alpine/manifests/sha256:abc", "other"},
		{"/v2/library/alpine/manifests/" + strings.ToUpper(sha256), "other"},
		{"/v2/library/alpine/manifests/3.19?ns=docker.io", "query"},
		{"/v2/alpine/manifests/latest", "artifact alpine latest"},
		{"/v2/Library/alpine/manifests/latest", "other"},
		{"/v2/a..b/manifests/latest", "other"},
		{"/v2/a___b/manifests/latest", "other"},
		{"/v2/a__b/c--d/manifests/latest", "artifact a__b/c--d latest"},
		{"/v2/a/manifests/b/manifests/latest", "other"},
		{"/v2/manifests/latest", "other"},
		{"/v2/library/alpine/manifests/-x", "other"},
		{"/v2/library/alpine/blobs/uploads/", "other"},
		{"POST /v2/library/alpine/blobs/uploads/", "publish"},
		{"PUT /v2/library/alpine/manifests/latest", "publish"},
		{"/token?service=x", "login"},
		{"/v2/token", "login"},
		{"/v1/search", "other"},
	})
}

func TestHuggingFace(t *testing.T) {
	readings(t, registry.HuggingFace, []reading{
		{"/acme/tiny/resolve/main/config.json", "artifact models/acme/tiny main"},
		{"HEAD /acme/tiny/resolve/main/onnx/model.onnx?download=true", "artifact models/acme/tiny main"},
		{"/acme/tiny/resolve/" + commit + "/config.json", "artifact models/acme/tiny " + commit + " !"},
		{"/gpt2/resolve/main/config.json", "artifact models/gpt2 main"},
		{"/datasets/acme/rows/resolve/main/data.parquet", "artifact datasets/acme/rows main"},
		{"/spaces/acme/app/raw/main/app.py", "artifact spaces/acme/app main"},
		{"/acme/tiny/resolve/refs%2Fpr%2F1/config.json", "encoded_delimiter"},
		{"/gpt2/resolve/resolve/main/evil.bin", "other"},
		{"/gpt2/raw/resolve/main/evil.bin", "other"},
		{"/api/models/gpt2/tree/tree/main", "other"},
		{"/acme/tiny/resolve/main/", "other"},
		{"/acme/tiny/blob/main/config.json", "other"},
		{"/acme/tiny/resolve/main/a%20b", "other"},
		{"/api/models/acme/tiny", "metadata models/acme/tiny"},
		{"/api/models/acme/tiny/revision/main?blobs=true", "metadata models/acme/tiny main"},
		{"/api/models/gpt2/revision/" + commit, "metadata models/gpt2 " + commit + " !"},
		{"/api/models/acme/tiny/tree/main/onnx?recursive=true&expand=false", "metadata models/acme/tiny main"},
		{"/api/datasets/acme/rows/parquet", "other"},
		{"/api/models?search=x", "search"},
		{"/api/whoami-v2", "login"},
		{"/api/models/acme/tiny?token=x", "query"},
		{"POST /api/repos/create", "publish"},
		{"POST /acme/tiny.git/info/lfs/objects/batch", "publish"},
		{"/acme/tiny.git/info/refs?service=git-upload-pack", "other"},
		{"/acme/tiny/../../api/whoami-v2", "dot_segment"},
	})
}

// TestHuggingFaceCache: the place that the hub leads to for small files is read as
// the file, of the repository that it names twice.
func TestHuggingFaceCache(t *testing.T) {
	const (
		at    = "/api/resolve-cache/models/acme/tiny/" + commit + "/onnx/config.json"
		asked = "%2Facme%2Ftiny%2Fresolve%2Fmain%2Fonnx%2Fconfig.json="
		etag  = "etag=%220123456789abcdef0123456789abcdef01234567%22"
		good  = "artifact models/acme/tiny " + commit + " !"
	)
	readings(t, registry.HuggingFace, []reading{
		{at + "?" + asked + "&" + etag, good},
		{"HEAD " + at + "?" + asked + "&" + etag, good},
		{at, good},
		{at + "?" + asked, good},
		{at + "?" + etag, good},
		{at + "?" + asked + "&" + etag + "&download=true", good},
		{at + "?/acme/tiny/resolve/main/onnx/config.json=&" + strings.ReplaceAll(etag, "%22", `"`), good},
		{at + "?%2Facme%2Ftiny%2Fresolve%2F" + commit + "%2Fonnx%2Fconfig.json=", good},
		{"/api/resolve-cache/models/gpt2/" + commit + "/config.json?%2Fgpt2%2Fresolve%2Fmain%2Fconfig.json=", "artifact models/gpt2 " + commit + " !"},
		{"/api/resolve-cache/datasets/acme/rows/" + commit + "/a.csv?%2Fdatasets%2Facme%2Frows%2Fresolve%2Fmain%2Fa.csv=", "artifact datasets/acme/rows " + commit + " !"},
		{"/api/resolve-cache/spaces/acme/app/" + commit + "/app.py?%2Fspaces%2Facme%2Fapp%2Fraw%2Fmain%2Fapp.py=", "artifact spaces/acme/app " + commit + " !"},
		{at + "?%2Fevil%2Ftiny%2Fresolve%2Fmain%2Fonnx%2Fconfig.json=", "query"},
		{at + "?%2Fdatasets%2Facme%2Ftiny%2Fresolve%2Fmain%2Fonnx%2Fconfig.json=", "query"},
		{at + "?%2Facme%2Ftiny%2Fresolve%2Fmain%2Fother.json=", "query"},
		{at + "?%2Facme%2Ftiny%2Fresolve%2Fmain%2F..%2Fonnx%2Fconfig.json=", "query"},
		{at + "?%2Facme%2Ftiny%2Fresolve%2Fmain%252Fonnx%2Fconfig.json=", "query"},
		{at + "?%2Facme%2Ftiny%2Fblob%2Fmain%2Fonnx%2Fconfig.json=", "query"},
		{at + "?%2Facme%2Ftiny%2Fresolve%2F%2Fonnx%2Fconfig.json=", "query"},
		{at + "?" + asked + "x", "query"},
		{at + "?" + asked + "&" + asked, "query"},
		{at + "?" + asked + "&" + strings.Replace(asked, "%2Fmain", "%2Fdev", 1), "query"},
		{at + "?" + etag + "&" + etag, "query"},
		{at + "?etag=%22secret%22", "query"},
		{at + "?et%61g=%22ab%22", "query"},
		{at + "?" + asked + ";" + etag, "query"},
		{at + "?token=x", "query"},
		{at + "?%2", "query"},
		{"/api/resolve-cache/models/acme/tiny/main/config.json", "other"},
		{"/api/resolve-cache/models/acme/" + commit + "/" + commit + "/config.json", "other"}, // of two repositories
		{"/api/resolve-cache/models/acme/tiny/" + strings.ToUpper(commit) + "/config.json", "other"},
		{"/api/resolve-cache/models/acme/tiny/" + commit, "other"},
		{"/api/resolve-cache/models/acme/tiny/" + commit + "/", "other"},
		{"/api/resolve-cache/models/acme/a/b/" + commit + "/config.json", "other"},
		{"/api/resolve-cache/buckets/acme/tiny/" + commit + "/config.json", "other"},
		{"/api/resolve-cache/acme/tiny/" + commit + "/config.json", "other"},
		{"/api/resolve-cache/models/resolve/" + commit + "/config.json", "other"},
		{"/api/resolve-cache", "other"},
		{"POST " + at, "publish"},
		{"/api/models/acme/tiny/xet-read-token/" + commit, "other"},
		{"/resolve-cache/models/acme/tiny/" + commit + "/config.json", "other"},
	})
}

func TestRoot(t *testing.T) {
	t.Parallel()
	const root = "/artifactory/api/pypi/curated"
	for _, tc := range []reading{
		{root + "/simple/requests/", "metadata requests"},
		{"/artifactory/api/pypi/other/simple/requests/", "other"},
		{"/simple/requests/", "other"},
		{root + "x/simple/requests/", "other"},
		{root, "other"},
		{"POST " + root + "/", "publish"},
		{"POST /x", "other"},
	} {
		if diff := cmp.Diff(tc.want, read(t, registry.PyPI, root, tc.request)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.request, diff)
		}
	}
}

func TestBody(t *testing.T) {
	t.Parallel()
	_, err := registry.Read(registry.Input{Protocol: registry.PyPI, Method: "GET", Path: "/simple/requests/", Body: true})
	if u, ok := errors.AsType[*surface.Unreadable](err); !ok || u.Reason != surface.ReasonBody {
		t.Errorf("a read with a body: %v", err)
	}
}

// FuzzRead: what is open names a package in one spelling, and what writes is
// never open.
func FuzzRead(f *testing.F) {
	for _, s := range []string{
		"/simple/requests/", "/@acme%2ftools", "/github.com/!a/b/@v/v1.0.0.zip", "/se/rd/serde", "/pool/main/o/openssl/openssl_3_amd64.deb",
		"/v2/library/alpine/manifests/3.19", "/acme/tiny/resolve/main/config.json", "/packages/foo-1.0.tar.gz", "/", "//", "/sumdb/sum.golang.org/lookup/a.b/c@v1",
		"/packages/a_B-1!2-py3-none-any.whl?x", "/api/models/a/b/tree/main/x", "/-/package/@a/b/dist-tags", "/a/-/a-1.tgz",
		"/api/resolve-cache/models/a/b/" + commit + "/c?%2Fa%2Fb%2Fresolve%2Fmain%2Fc=&etag=%22ab%22",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, target string) {
		for _, p := range registry.Protocols() {
			one := registry.OneSpelling(p, target)
			path, err := egress.CanonicalPath(one)
			if err != nil {
				continue
			}
			_, query, _ := strings.Cut(one, "?")
			in := registry.Input{Protocol: p, Method: "GET", Path: path, Query: query}
			r, err := registry.Read(in)
			if err == nil && registry.Open(r.Operation) {
				sound(t, p, target, &r)
			}
			in.Method = "PUT"
			if r, err := registry.Read(in); err != nil || registry.Open(r.Operation) {
				t.Errorf("%s: PUT %q is %+v, %v", p, target, r, err)
			}
		}
	})
}

func sound(t *testing.T, protocol, target string, r *registry.Request) {
	t.Helper()
	if (r.Operation == registry.Index) != (r.Name == "") {
		t.Errorf("%s: %q is %+v", protocol, target, r)
	}
	if r.Name != "" && (strings.ContainsAny(r.Name, "%?#; \\") || strings.Contains("/"+r.Name+"/", "/../") || strings.Contains("/"+r.Name+"/", "//")) {
		t.Errorf("%s: %q names %q", protocol, target, r.Name)
	}
	folds := protocol == registry.PyPI || protocol == registry.Cargo || protocol == registry.OCI || protocol == registry.Debian
	if folds && r.Name != strings.ToLower(r.Name) {
		t.Errorf("%s: %q names %q, which has two spellings", protocol, target, r.Name)
	}
}
