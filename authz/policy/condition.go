package policy

import (
	"errors"
	"fmt"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
)

// condition is one expression of when, compiled. It never changes.
type condition struct {
	text    string
	program cel.Program
	// cost is the most that it may cost, by estimate.
	cost uint64
	// constant is its value where it reads nothing that could change it.
	constant truth
	reads    reads
	// failed is why it does not compile, with the reason; empty: it does.
	failed string
	reason Reason
}

// Variables that expressions may read.
const (
	varArgs    = "args"
	varTool    = "tool"
	varModel   = "model"
	varHost    = "host"
	varPort    = "port"
	varPath    = "path"
	varMethod  = "method"
	varSubject = "subject"
	varAgent   = "agent"
	varPeer    = "peer"
	varScopes  = "scopes"
	varTctx    = "tctx"
	varTxn     = "txn"
)

// newEnv declares the variables. There is no clock and nothing that does I/O.
func newEnv() (*cel.Env, error) {
	object := cel.MapType(cel.StringType, cel.DynType)
	opts := []cel.EnvOption{
		cel.Variable(varArgs, object),
		cel.Variable(varTctx, object),
		cel.Variable(varScopes, cel.ListType(cel.StringType)),
		cel.Variable(varPort, cel.IntType),
	}
	for _, name := range []string{varTool, varModel, varHost, varPath, varMethod, varSubject, varAgent, varPeer, varTxn} {
		opts = append(opts, cel.Variable(name, cel.StringType))
	}
	return cel.NewEnv(opts...)
}

var (
	errPattern = errors.New("the expression of matches must be a literal: one that comes with the request could be made costly")
	errBool    = errors.New("it must give true or false: compare what it gives, with == true for instance")
)

// runtimeFactor is how much more than its estimate a program may cost when its
// cost is counted: the sizes in the estimate are a guess.
const runtimeFactor = 10

// compileCondition never fails: what is wrong is in the condition.
func compileCondition(env *cel.Env, text string, maxCost uint64) *condition {
	c := &condition{text: text, constant: unsure}
	checked, iss := env.Compile(text)
	if iss.Err() != nil {
		return c.fail(ReasonCondition, oneLine(iss.Err().Error()))
	}
	if checked.OutputType() != cel.BoolType {
		return c.fail(ReasonCondition, errBool.Error())
	}
	estimate, err := env.EstimateCost(checked, sizes{})
	if err != nil {
		return c.fail(ReasonCost, oneLine(err.Error()))
	}
	if c.cost = estimate.Max; c.cost > maxCost {
		return c.fail(ReasonCost, fmt.Sprintf("it may cost %d, and %d is the most for all of a rule's: shorten it, or loop over less", c.cost, maxCost))
	}
	c.reads = readsOf(checked.NativeRep())
	c.plan(env, checked, maxCost)
	return c
}

func (c *condition) fail(r Reason, why string) *condition {
	c.failed, c.reason = why, r
	return c
}

func (c *condition) plan(env *cel.Env, checked *cel.Ast, maxCost uint64) {
	opts := []cel.ProgramOption{strictOption(), cel.EvalOptions(cel.OptOptimize)}
	if growing(checked.NativeRep()) {
		opts = append(opts, cel.CostLimit(maxCost*runtimeFactor))
	}
	program, err := env.Program(checked, opts...)
	if err != nil {
		c.fail(ReasonCondition, oneLine(err.Error()))
		return
	}
	c.program = program
	// Without any variable: what still has a value has it always.
	c.constant, _ = c.eval(cel.NoVars())
}

// eval runs c; problem says why it is unsure, without any value in it.
func (c *condition) eval(vars cel.Activation) (t truth, problem string) {
	if c.program == nil {
		return unsure, "the expression does not compile"
	}
	out, _, err := c.program.Eval(vars)
	if err != nil {
		return unsure, celProblem(err)
	}
	b, ok := out.(types.Bool)
	if !ok {
		return unsure, "the expression gives neither true nor false"
	}
	return truthOf(bool(b)), ""
}

// celProblem words an error without the values that CEL puts in some.
func celProblem(err error) string {
	text := err.Error()
	for _, p := range []struct{ begins, says string }{
		{"no such key", "a member that it reads is not there"},
		{"no such attribute", "a value that it reads is not known here"},
		{"index out of bounds", "an element that it reads is not there"},
		{"no such overload", "a value is of another type"},
		{"got '", "a value is of another type"},
		{"type conversion", "a value is of another type"},
		{"unsupported", "a value is of another type"},
		{"operation cancelled", "it costs too much on these values"},
		{mixedTypes, mixedTypes},
		{longMatch, longMatch},
		{longJoin, longJoin},
	} {
		if strings.HasPrefix(text, p.begins) {
			return p.says
		}
	}
	return "the evaluation failed"
}

// growing reports whether the cost of a program grows by a large factor with
// what comes with the request: loops and regular expressions.
func growing(a *ast.AST) bool {
	found := false
	ast.PostOrderVisit(a.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		switch e.Kind() {
		case ast.ComprehensionKind:
			found = true
		case ast.CallKind:
			found = found || e.AsCall().FunctionName() == overloads.Matches
		}
	}))
	return found
}

// oneLine is the first of an error's lines, without the place in the source,
// which is the field.
func oneLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	s = strings.TrimPrefix(s, "ERROR: <input>:")
	return strings.TrimSpace(s)
}
