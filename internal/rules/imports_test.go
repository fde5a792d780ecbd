package rules

import (
	"strconv"
	"strings"
	"testing"
)

// flow says what a part of the tree may import of the module. The first
// entry that fits a folder counts.
var flow = []struct {
	from, why string
	to        []string
}{
	{"cmd/", "flags and wiring know everything", []string{"cmd/", "gateway/", "xds/", "authz/"}},
	{"gateway/api/", "the contract stands on nothing", []string{"gateway/api/"}},
	{"gateway/graph", "plain data", []string{"gateway/api/"}},
	{"gateway/", "what is wanted does not know how Envoy is told, nor whether it may", []string{"gateway/"}},
	{"xds/", "how Envoy is told knows the model alone", []string{"xds/", "gateway/graph", "gateway/api/"}},
	{"authz/strictjson", "a reader of JSON knows nothing else", nil},
	{"authz/", "whether it may does not know how Envoy is told, nor who wants what", []string{"authz/", "gateway/api/"}},
	{"examples/", "examples stand outside", []string{"examples/", "authz/token", "authz/audit", "internal/testenv"}},
	{"bench/", "what measures stands on what it measures, and on nothing of tests", []string{"bench/", "cmd/", "gateway/", "xds/", "authz/"}},
	{"internal/", "tests stand on everything", []string{"internal/", "cmd/", "gateway/", "xds/", "authz/"}},
	{"e2e/", "tests stand on everything", []string{"internal/", "cmd/", "gateway/", "xds/", "authz/", "examples/", "e2e/", "bench/h2", "bench/network", "bench/objects"}},
}

func TestImportsFlowOneWay(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		for _, imp := range s.file.Imports {
			p, err := strconv.Unquote(imp.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			to, ours := strings.CutPrefix(p, module+"/")
			if ours && !allowed(s, to) {
				t.Errorf("%s imports %s", s.path, to)
			}
		}
	}
}

func allowed(s source, to string) bool {
	if s.test() && (strings.HasPrefix(to, "internal/") || to == s.dir()) {
		return true
	}
	for _, f := range flow {
		if !strings.HasPrefix(s.dir()+"/", strings.TrimSuffix(f.from, "/")+"/") {
			continue
		}
		for _, ok := range f.to {
			if strings.HasPrefix(to+"/", strings.TrimSuffix(ok, "/")+"/") {
				return true
			}
		}
		return false
	}
	return false
}

// pure packages do no I/O: what they decide can be decided again anywhere.
var pure = []string{
	"gateway/api/", "gateway/graph", "gateway/translate", "xds/envoy", "authz/strictjson", "authz/surface",
	"authz/policy", "authz/decide", "authz/denial",
}

func TestPureCore(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		if s.test() || !isPure(s.dir()) {
			continue
		}
		for _, imp := range s.file.Imports {
			switch p, _ := strconv.Unquote(imp.Path.Value); p {
			case "os", "net", "net/http", "os/exec", "io/fs", "path/filepath", "log", "math/rand", "math/rand/v2", "crypto/rand":
				if p == "net/http" && strings.HasPrefix(s.dir(), "authz/") {
					continue // names of statuses and methods
				}
				t.Errorf("%s imports %s: this part of the tree does no I/O", s.path, p)
			}
		}
	}
}

func isPure(dir string) bool {
	for _, p := range pure {
		if strings.HasPrefix(dir+"/", strings.TrimSuffix(p, "/")+"/") {
			return true
		}
	}
	return false
}

// forbidden are imports and why not.
var forbidden = map[string]string{
	"github.com/stretchr/testify": "the standard testing package and go-cmp are enough",
	"github.com/pkg/errors":       "fmt.Errorf with %w",
	"io/ioutil":                   "os and io",
	"math/rand":                   "math/rand/v2, or crypto/rand where it matters",
	"encoding/gob":                "not a format for anything that is read again",
	"unsafe":                      "only where the hot path needs a view: authz/check, authz/strictjson, authz/token",
}

func TestForbiddenImports(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		for _, imp := range s.file.Imports {
			p, _ := strconv.Unquote(imp.Path.Value)
			why, no := forbidden[p]
			hot := s.dir() == "authz/check" || s.dir() == "authz/strictjson" || s.dir() == "authz/token"
			if no && (p != "unsafe" || !hot) && !s.generated() {
				t.Errorf("%s imports %s: %s", s.path, p, why)
			}
		}
	}
}
