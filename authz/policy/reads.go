package policy

import (
	"slices"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// reads is what an expression or a rule reads of a Question.
type reads struct {
	// fields are names as rules write them, sorted: agent, args.repo,
	// tctx.region. args alone means all of it.
	fields []string
	// args are the names of single arguments; wholeArgs: all are read.
	args      []string
	wholeArgs bool
}

// readsOf walks a checked expression. A name that a loop binds anew is taken
// for the variable too: more is recorded than was read, never less.
func readsOf(a *ast.AST) reads {
	var r reads
	r.walk(ast.NavigateAST(a))
	r.sort()
	return r
}

func (r *reads) sort() {
	slices.Sort(r.fields)
	r.fields = slices.Compact(r.fields)
	slices.Sort(r.args)
	r.args = slices.Compact(r.args)
}

func (r *reads) walk(e ast.NavigableExpr) {
	if e.Kind() == ast.IdentKind {
		r.add(e.AsIdent(), path(e))
	}
	for _, child := range e.Children() {
		r.walk(child)
	}
}

func (r *reads) add(name string, members []string) {
	switch name {
	case varArgs:
		if len(members) == 0 {
			r.wholeArgs = true
			r.fields = append(r.fields, varArgs)
			return
		}
		r.args = append(r.args, members[0])
		r.fields = append(r.fields, varArgs+"."+members[0])
	case varTctx:
		r.fields = append(r.fields, strings.Join(append([]string{varTctx}, members...), "."))
	case varTool, varModel, varHost, varPort, varPath, varMethod, varSubject, varAgent, varPeer, varScopes, varTxn:
		r.fields = append(r.fields, name)
	}
}

// path is the names by which the expressions around e select from it: x and y
// for e.x["y"].
func path(e ast.NavigableExpr) []string {
	var names []string
	for {
		parent, ok := e.Parent()
		if !ok {
			return names
		}
		name, ok := selected(parent, e)
		if !ok {
			return names
		}
		names = append(names, name)
		e = parent
	}
}

// selected is the name of the member that parent selects from child.
func selected(parent, child ast.NavigableExpr) (string, bool) {
	switch parent.Kind() {
	case ast.SelectKind:
		return parent.AsSelect().FieldName(), true
	case ast.CallKind:
		call := parent.AsCall()
		args := call.Args()
		if call.FunctionName() != operators.Index || len(args) != 2 || args[0].ID() != child.ID() || args[1].Kind() != ast.LiteralKind {
			return "", false
		}
		name, ok := args[1].AsLiteral().(types.String)
		return string(name), ok
	}
	return "", false
}
