package rules

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/hopgate/hopgate/internal/testenv"
)

const module = "github.com/hopgate/hopgate"

// source is one Go file of the module.
type source struct {
	path string // from the root, with slashes
	file *ast.File
	set  *token.FileSet
}

func (s source) test() bool      { return strings.HasSuffix(s.path, "_test.go") }
func (s source) generated() bool { return ast.IsGenerated(s.file) }
func (s source) dir() string     { return path.Dir(s.path) }

// tree parses the module once.
var tree = sync.OnceValues(func() ([]source, error) {
	var t testing.B // testenv.Root wants one, and fails it on a defect of ours
	root := testenv.Root(&t)
	var out []source
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return skipDir(rel, d.Name())
		}
		if !strings.HasSuffix(p, ".go") {
			return nil
		}
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, p, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		out = append(out, source{path: filepath.ToSlash(rel), file: f, set: set})
		return nil
	})
	return out, err
})

// skipDir leaves out what is not of the module.
func skipDir(rel, name string) error {
	if name == "testdata" || (strings.HasPrefix(name, ".") && rel != ".") || rel == "bin" || rel == "tools" {
		return filepath.SkipDir
	}
	return nil
}

func sources(t *testing.T) []source {
	t.Helper()
	s, err := tree()
	if err != nil {
		t.Fatal(err)
	}
	return s
}
