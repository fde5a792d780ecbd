package rules

import (
	"go/ast"
	"go/token"
	"path"
	"strings"
	"testing"
)

const (
	maxFunction = 60
	maxFile     = 600
)

func TestSizes(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		if s.generated() {
			continue
		}
		if n := s.set.Position(s.file.End()).Line; n > maxFile {
			t.Errorf("%s has %d lines: split it by concern", s.path, n)
		}
		if s.test() {
			continue
		}
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok {
				if n := lines(s.set, f); n > maxFunction {
					t.Errorf("%s: %s has %d lines", s.path, f.Name.Name, n)
				}
			}
		}
	}
}

func lines(set *token.FileSet, n ast.Node) int {
	return set.Position(n.End()).Line - set.Position(n.Pos()).Line + 1
}

func TestPackagesSayWhatTheyAre(t *testing.T) {
	t.Parallel()
	docs := map[string]int{}
	for _, s := range sources(t) {
		if s.test() || s.generated() {
			continue
		}
		docs[s.dir()] += 0
		if s.file.Doc != nil && strings.HasPrefix(s.file.Doc.Text(), wantPrefix(s)) {
			docs[s.dir()]++
		}
	}
	for dir, n := range docs {
		if n != 1 {
			t.Errorf("%s has %d package comments, want one", dir, n)
		}
	}
}

func wantPrefix(s source) string {
	if s.file.Name.Name == "main" {
		return ""
	}
	return "Package " + s.file.Name.Name + " "
}

func TestNoGrabBags(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		for dir := s.dir(); dir != "."; dir = path.Dir(dir) {
			switch path.Base(dir) {
			case "util", "utils", "common", "helpers", "misc", "shared", "base":
				t.Errorf("%s: a folder is named by what it gives", dir)
			}
		}
	}
}

func TestNoInitAndNoState(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		if s.generated() || s.test() {
			continue
		}
		for _, d := range s.file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil && d.Name.Name == "init" {
					t.Errorf("%s has an init function", s.path)
				}
			case *ast.GenDecl:
				if d.Tok == token.VAR {
					checkVars(t, s, d)
				}
			}
		}
	}
}

// checkVars lets pass what cannot change or says nothing: errors, compile-time
// guards, and tables of constants are vars because Go has no other way.
func checkVars(t *testing.T, s source, d *ast.GenDecl) {
	if d.Doc != nil && strings.Contains(d.Doc.List[len(d.Doc.List)-1].Text, "go:embed") {
		return
	}
	for _, spec := range d.Specs {
		v := spec.(*ast.ValueSpec)
		for i, name := range v.Names {
			if name.Name == "_" || strings.HasPrefix(strings.ToLower(name.Name), "err") {
				continue
			}
			if i < len(v.Values) && constant(v.Values[i]) {
				continue
			}
			t.Errorf("%s: %s is package state", s.path, name.Name)
		}
	}
}

// constant reports whether a value is a literal of an array or of bytes.
func constant(e ast.Expr) bool {
	lit, ok := e.(*ast.CompositeLit)
	if !ok {
		return false
	}
	a, ok := lit.Type.(*ast.ArrayType)
	return ok && a.Len != nil
}

func TestTestsDoNotSleep(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		if !s.test() {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok && sel.Sel.Name == "Sleep" && !inSyncTest(s) {
				if x, ok := sel.X.(*ast.Ident); ok && x.Name == "time" {
					t.Errorf("%s: time.Sleep in a test: wait for a condition", s.set.Position(n.Pos()))
				}
			}
			return true
		})
	}
}

// inSyncTest lets sleep what sleeps in virtual time.
func inSyncTest(s source) bool {
	for _, imp := range s.file.Imports {
		if imp.Path.Value == `"testing/synctest"` {
			return true
		}
	}
	return false
}
