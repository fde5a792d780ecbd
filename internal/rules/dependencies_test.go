package rules

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/internal/testenv"
)

// TestDependenciesHaveReasons wants a row in docs/dependencies.md for each
// direct requirement, and none for what is not required.
func TestDependenciesHaveReasons(t *testing.T) {
	t.Parallel()
	root := testenv.Root(t)
	page, err := os.ReadFile(filepath.Join(root, "docs", "dependencies.md"))
	if err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)`").FindAllStringSubmatch(string(page), -1) {
		named[m[1]] = true
	}
	for line := range strings.Lines(string(mod)) {
		f := strings.Fields(line)
		if len(f) == 2 && strings.HasPrefix(f[1], "v") {
			if !named[f[0]] {
				t.Errorf("docs/dependencies.md does not say why %s", f[0])
			}
			delete(named, f[0])
		}
	}
	for d := range named {
		t.Errorf("docs/dependencies.md names %s, which go.mod does not require", d)
	}
}
