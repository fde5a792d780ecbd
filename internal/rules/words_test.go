package rules

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/internal/testenv"
)

// TestTheProjectSpeaksOfItselfAlone finds paths of a machine, hosts of
// registries, and words that promise work instead of doing it.
func TestTheProjectSpeaksOfItselfAlone(t *testing.T) {
	t.Parallel()
	// Built of parts, so that this file is not found by its own expressions.
	registries := []string{"proxy.golang" + `\.org`, "pypi" + `\.org`, "python" + "hosted", "registry.npm" + "js", "crates" + `\.io`, "deb.deb" + "ian"}
	machine := []string{"/wo" + "rk/", "/home/[a-z]+/", "/ro" + "ot/", "/tmp/bash_" + "jobs"}
	promises := []string{`\bTO` + `DO\b`, `\bFIX` + `ME\b`, `\bXX` + `X\b`}
	bad := regexp.MustCompile(strings.Join(append(append(registries, machine...), promises...), "|"))
	root := testenv.Root(t)
	walk := func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if d.Name() == ".git" || rel == "bin" {
				return filepath.SkipDir
			}
			return nil
		}
		if filepath.Base(p) == "go.sum" {
			return nil
		}
		raw, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		if bytes.IndexByte(raw, 0) >= 0 {
			return nil
		}
		for i, line := range bytes.Split(raw, []byte("\n")) {
			if m := bad.Find(line); m != nil {
				t.Errorf("%s:%d says %q", rel, i+1, m)
			}
		}
		return nil
	}
	if err := filepath.WalkDir(root, walk); err != nil {
		t.Fatal(err)
	}
}
