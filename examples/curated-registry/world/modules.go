package world

import (
	"fmt"
	"net/http"
	"strings"
)

// Modules is a proxy of Go modules that has every module, in one version.
func Modules() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		module, file, ok := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/@v/")
		if !ok || r.Method != http.MethodGet {
			http.NotFound(w, r)
			return
		}
		const version = "v1.0.0"
		mod := "module " + module + "\n"
		switch file {
		case "list":
			fmt.Fprintln(w, version)
		case version + ".info":
			fmt.Fprintf(w, `{"Version":%q,"Time":"2026-01-02T03:04:05Z"}`, version)
		case version + ".mod":
			fmt.Fprint(w, mod)
		case version + ".zip":
			root := module + "@" + version + "/"
			_, _ = w.Write(zipped([][2]string{{root + "go.mod", mod}, {root + "greet.go", "package greet\n"}})) // whoever asked may have left
		default:
			http.NotFound(w, r)
		}
	})
}
