package world

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// release is one of a Python package.
type release struct {
	name, version string
	age           time.Duration
}

func (r release) file() string { return r.name + "-" + r.version + "-py3-none-any.whl" }

// releases are those that there are.
func releases() []release {
	const day = 24 * time.Hour
	return []release{{"greeting", "1.0", 30 * day}, {"greeting", "2.0", time.Hour}, {"surprise", "1.0", 30 * day}}
}

// Packages is a Python index (PEP 503, 691, 700) with a few wheels. Releases are
// as old as they are at now.
func Packages(now time.Time) http.Handler {
	m := http.NewServeMux()
	m.HandleFunc("GET /simple/{name}/{$}", func(w http.ResponseWriter, r *http.Request) { page(w, r, now) })
	m.HandleFunc("GET /packages/{file}", func(w http.ResponseWriter, r *http.Request) {
		for _, x := range releases() {
			if x.file() == r.PathValue("file") {
				_, _ = w.Write(wheel(x)) // whoever asked may have left
				return
			}
		}
		http.NotFound(w, r)
	})
	// Whoever gets as far as this has published something.
	m.HandleFunc("POST /legacy/", func(http.ResponseWriter, *http.Request) {})
	return m
}

// listed is a file on a package's page.
type listed struct {
	Filename string            `json:"filename"`
	URL      string            `json:"url"`
	Hashes   map[string]string `json:"hashes"`
	Uploaded time.Time         `json:"upload-time"`
}

func page(w http.ResponseWriter, r *http.Request, now time.Time) {
	var files []listed
	for _, x := range releases() {
		if x.name == r.PathValue("name") {
			sum := sha256.Sum256(wheel(x))
			files = append(files, listed{x.file(), "/packages/" + x.file(), map[string]string{"sha256": hex.EncodeToString(sum[:])}, now.Add(-x.age).UTC()})
		}
	}
	if !strings.Contains(r.Header.Get("Accept"), "application/vnd.pypi.simple.v1+json") {
		w.Header().Set("Content-Type", "text/html")
		for _, f := range files {
			fmt.Fprintf(w, "<a href=%q>%s</a>\n", f.URL+"#sha256="+f.Hashes["sha256"], f.Filename)
		}
		return
	}
	w.Header().Set("Content-Type", "application/vnd.pypi.simple.v1+json")
	body := map[string]any{"meta": map[string]string{"api-version": "1.1"}, "name": r.PathValue("name"), "versions": versions(files), "files": files}
	_ = json.NewEncoder(w).Encode(body) // whoever asked may have left
}

func versions(files []listed) []string {
	out := []string{}
	for _, f := range files {
		out = append(out, strings.Split(f.Filename, "-")[1])
	}
	return out
}

// wheel is a release as a file (PEP 427), the same each time.
func wheel(x release) []byte {
	info := x.name + "-" + x.version + ".dist-info/"
	return zipped([][2]string{
		{x.name + ".py", fmt.Sprintf("VERSION = %q\n", x.version)},
		{info + "METADATA", "Metadata-Version: 2.1\nName: " + x.name + "\nVersion: " + x.version + "\n"},
		{info + "WHEEL", "Wheel-Version: 1.0\nGenerator: example\nRoot-Is-Purelib: true\nTag: py3-none-any\n"},
		{info + "RECORD", x.name + ".py,,\n" + info + "METADATA,,\n" + info + "WHEEL,,\n" + info + "RECORD,,\n"},
	})
}

// zipped is an archive of files: names and what is in them.
func zipped(files [][2]string) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, f := range files {
		// A buffer takes everything.
		w, _ := z.Create(f[0])
		_, _ = w.Write([]byte(f[1]))
	}
	_ = z.Close()
	return b.Bytes()
}
