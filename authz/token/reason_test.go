package token_test

import (
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"strconv"
	"testing"

	"github.com/hopgate/hopgate/authz/denial"
	"github.com/hopgate/hopgate/authz/token"
)

// Every reason is a row of the denial table: without one, its denial would say
// nothing to the agent.
func TestEveryReasonIsADenial(t *testing.T) {
	t.Parallel()
	codes := denial.NewCodes()
	f, err := parser.ParseFile(gotoken.NewFileSet(), "reason.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	ast.Inspect(f, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if !ok {
			return true
		}
		word, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		n++
		code := token.Reason(word).Code()
		if got := codes.Get(code); got.Name != code {
			t.Errorf("%s is answered as %q", code, got.Name)
		}
		return true
	})
	if n != 15 {
		t.Errorf("%d reasons were looked at", n)
	}
}
