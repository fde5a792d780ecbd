package egress_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/authz/surface/egress"
)

// reasons are all that refusal.go declares.
func reasons(t *testing.T) []egress.Reason {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "refusal.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var out []egress.Reason
	ast.Inspect(f, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(v.Names[0].Name, "Reason") {
			return true
		}
		s, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, egress.Reason(s))
		return true
	})
	return out
}

func TestRefusalsSpeak(t *testing.T) {
	t.Parallel()
	all := reasons(t)
	if len(all) < 25 {
		t.Fatalf("found %d reasons", len(all))
	}
	codes := map[string]egress.Reason{}
	texts := map[string]egress.Reason{}
	for _, r := range all {
		e := &egress.Refusal{Reason: r}
		if r == egress.ReasonClass {
			e.Class = egress.ClassPrivate
		}
		if e.Text() == "" || strings.ToLower(e.Text()[:1]) != e.Text()[:1] {
			t.Errorf("%s says %q", r, e.Text())
		}
		if other, twice := texts[e.Text()]; twice {
			t.Errorf("%s and %s say the same", r, other)
		}
		texts[e.Text()], codes[e.Code()] = r, r
		if !strings.Contains(e.Error(), string(r)) {
			t.Errorf("%s: error is %q", r, e.Error())
		}
	}
	for _, code := range []string{egress.CodeAuthority, egress.CodePath, egress.CodeName, egress.CodeAddress} {
		if codes[code] == "" {
			t.Errorf("no reason has code %s", code)
		}
	}
	if len(codes) != 4 {
		t.Errorf("codes are %v", codes)
	}
}
