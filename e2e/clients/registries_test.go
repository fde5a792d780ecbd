package clients

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// file is one of an archive.
type file struct{ name, text string }

func zipped(t testing.TB, files ...file) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, f := range files {
		w, err := z.Create(f.name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(f.text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func tarred(t testing.TB, files ...file) []byte {
	t.Helper()
	var b bytes.Buffer
	g := gzip.NewWriter(&b)
	w := tar.NewWriter(g)
	for _, f := range files {
		if err := w.WriteHeader(&tar.Header{Name: f.name, Mode: 0o644, Size: int64(len(f.text))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(f.text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// shelf is an index of packages: what stands at which path.
type shelf map[string][]byte

// on has the shelf served: what is large, and not what is about it, may stop
// half-way.
func (s shelf) on(site *site, large ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, ok := s[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", kind(r.URL.Path))
		for _, l := range large {
			if strings.HasSuffix(r.URL.Path, l) {
				site.send(w, r, raw)
				return
			}
		}
		_, _ = w.Write(raw) // who asked may have gone
	})
}

func kind(path string) string {
	if strings.HasPrefix(path, "/simple/") && strings.HasSuffix(path, "/") {
		return "text/html"
	}
	return "application/octet-stream"
}

// says is what every package of a name says when it is used.
func says(name string) string { return "hello, this is " + name }

// wheels is an index of Python packages (PEP 503) with wheels (PEP 427).
func (s *site) wheels(t testing.TB) http.Handler {
	t.Helper()
	out := shelf{}
	for _, name := range names {
		info := name + "-1.0.dist-info/"
		files := []file{
			{name + ".py", "print('" + says(name) + "')\n"},
			{info + "METADATA", "Metadata-Version: 2.1\nName: " + name + "\nVersion: 1.0\n"},
			{info + "WHEEL", "Wheel-Version: 1.0\nGenerator: hopgate\nRoot-Is-Purelib: true\nTag: py3-none-any\n"},
		}
		record := ""
		for _, f := range files {
			sum := sha256.Sum256([]byte(f.text))
			record += fmt.Sprintf("%s,sha256=%s,%d\n", f.name, base64.RawURLEncoding.EncodeToString(sum[:]), len(f.text))
		}
		wheel := name + "-1.0-py3-none-any.whl"
		out["/simple/"+name+"/"] = fmt.Appendf(nil, `<!DOCTYPE html><html><body><a href="/files/%s">%[1]s</a></body></html>`, wheel)
		out["/files/"+wheel] = zipped(t, append(files, file{info + "RECORD", record + info + "RECORD,,\n"})...)
	}
	return out.on(s, ".whl")
}

// tarballs is an index of npm.
func (s *site) tarballs(t testing.TB) http.Handler {
	t.Helper()
	out := shelf{}
	for _, name := range names {
		ball := tarred(t,
			file{"package/package.json", `{"name":"` + name + `","version":"1.0.0","main":"index.js"}`},
			file{"package/index.js", "module.exports = '" + says(name) + "'\n"})
		sum := sha512.Sum512(ball)
		at := "/" + name + "/-/" + name + "-1.0.0.tgz"
		out["/"+name] = object(t, map[string]any{
			"name": name, "dist-tags": map[string]any{"latest": "1.0.0"},
			"versions": map[string]any{"1.0.0": map[string]any{
				"name": name, "version": "1.0.0", "dist": map[string]any{
					"tarball": "https://npm.example.com" + at, "integrity": "sha512-" + base64.StdEncoding.EncodeToString(sum[:]),
				},
			}},
		})
		out[at] = ball
	}
	return out.on(s, ".tgz")
}

// modules is a proxy of Go modules (go help goproxy).
func (s *site) modules(t testing.TB) http.Handler {
	t.Helper()
	out := shelf{}
	for _, name := range names {
		module := "example.com/" + name
		info := object(t, map[string]any{"Version": "v1.0.0", "Time": "2026-01-02T03:04:05Z"})
		mod := "module " + module + "\n\ngo 1.21\n"
		out["/"+module+"/@latest"] = info
		out["/"+module+"/@v/list"] = []byte("v1.0.0\n")
		out["/"+module+"/@v/v1.0.0.info"] = info
		out["/"+module+"/@v/v1.0.0.mod"] = []byte(mod)
		out["/"+module+"/@v/v1.0.0.zip"] = zipped(t,
			file{module + "@v1.0.0/go.mod", mod}, file{module + "@v1.0.0/" + name + ".go", "// Package " + name + " is here.\npackage " + name + "\n"})
	}
	return out.on(s, ".zip")
}

// crates is a sparse index of Cargo, and its crates.
func (s *site) crates(t testing.TB) http.Handler {
	t.Helper()
	out := shelf{"/index/config.json": object(t, map[string]any{"dl": "https://cargo.example.com/crates"})}
	for _, name := range names {
		dir := name + "-1.0.0/"
		crate := tarred(t,
			file{dir + "Cargo.toml", "[package]\nname = \"" + name + "\"\nversion = \"1.0.0\"\nedition = \"2018\"\n"},
			file{dir + "src/lib.rs", "//! " + says(name) + "\n"})
		sum := sha256.Sum256(crate)
		out["/index/"+name[:2]+"/"+name[2:4]+"/"+name] = object(t, map[string]any{
			"name": name, "vers": "1.0.0", "deps": []any{}, "cksum": hex.EncodeToString(sum[:]), "features": map[string]any{}, "yanked": false,
		})
		out["/crates/"+name+"/1.0.0/download"] = crate
	}
	return out.on(s, "/download")
}

func object(t testing.TB, v map[string]any) []byte {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return append(raw, '\n')
}
