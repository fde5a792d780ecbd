package testdocs

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

const wheelName = "hello-1.0-py3-none-any.whl"

// packages is an index of Python packages (PEP 503) with one package, hello.
func packages(t *testing.T) http.Handler {
	t.Helper()
	wheel := wheel(t)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, wheelName) {
			_, _ = w.Write(wheel) // who asked may have gone
			return
		}
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<!DOCTYPE html><html><body><a href="%s">%[1]s</a></body></html>`, wheelName)
	})
}

// wheel is a package of one module, in the binary distribution format of Python
// packages (PEP 427).
func wheel(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	record := ""
	add := func(name, text string) {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256([]byte(text))
		record += fmt.Sprintf("%s,sha256=%s,%d\n", name, base64.RawURLEncoding.EncodeToString(sum[:]), len(text))
	}
	add("hello.py", "print('hello')\n")
	add("hello-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: hello\nVersion: 1.0\n")
	add("hello-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: hopgate\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
	add("hello-1.0.dist-info/RECORD", record+"hello-1.0.dist-info/RECORD,,\n")
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
