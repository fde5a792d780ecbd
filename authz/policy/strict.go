package policy

import (
	"fmt"
	"regexp"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/interpreter"
)

const (
	// maxMatchBytes is the longest text that a regular expression is run over.
	maxMatchBytes = 64 << 10
	// maxJoin is the most that + gives: bytes of a text, elements of a list.
	maxJoin = 64 << 10
)

const (
	mixedTypes = "values of different types are compared"
	longMatch  = "the text is too long for a regular expression"
	longJoin   = "what is put together is too long"
)

// strict makes what CEL takes for unequal an error where the types differ. In
// CEL ["x"] != "x" is true and "x" == ["x"] is false, so that a caller who
// sends another type would get around a Deny, or into an Allow. Comparing
// with the literal null stays as it is.
func strict(i interpreter.InterpretableV2) (interpreter.InterpretableV2, error) {
	call, ok := i.(interpreter.InterpretableCall)
	if !ok {
		return i, nil
	}
	n := node{call: call}
	switch call.Function() {
	case operators.Equals:
		return &comparison{node: n, want: types.True, null: n.asksForNull()}, nil
	case operators.NotEquals:
		return &comparison{node: n, want: types.False, null: n.asksForNull()}, nil
	case operators.In, operators.OldIn:
		return &membership{node: n}, nil
	case operators.Add:
		return &sum{node: n}, nil
	case overloads.Matches:
		return newBoundedMatch(n)
	}
	return i, nil
}

// node stands in for a call of two arguments.
type node struct{ call interpreter.InterpretableCall }

// ID is that of the call.
func (n node) ID() int64 { return n.call.ID() }

// asksForNull reports whether one of the operands is the literal null.
func (n node) asksForNull() bool {
	for _, arg := range n.call.Args() {
		if c, ok := arg.(interpreter.InterpretableConst); ok && c.Value() == types.NullValue {
			return true
		}
	}
	return false
}

// operands evaluates both; failed is an error or unknown among them, or nil.
func (n node) operands(f *interpreter.ExecutionFrame) (l, r, failed ref.Val) {
	args := n.call.Args()
	l = args[0].Exec(f)
	if types.IsUnknownOrError(l) {
		return nil, nil, l
	}
	r = args[1].Exec(f)
	if types.IsUnknownOrError(r) {
		return nil, nil, r
	}
	return l, r, nil
}

// charge counts the call where costs are counted.
func (n node) charge(f *interpreter.ExecutionFrame, l, r, result ref.Val) ref.Val {
	if t := f.CostTracker(); t != nil {
		t.EvalBinary(f, n.ID(), n.call, l, r, result)
	}
	return result
}

// comparison is == or !=.
type comparison struct {
	node
	// want is what equality must give for the comparison to be true.
	want types.Bool
	// null: the other operand may be of any type.
	null bool
}

// Exec implements interpreter.InterpretableV2.
func (c *comparison) Exec(f *interpreter.ExecutionFrame) ref.Val {
	l, r, failed := c.operands(f)
	if failed != nil {
		return failed
	}
	return c.charge(f, l, r, c.compare(l, r))
}

func (c *comparison) compare(l, r ref.Val) ref.Val {
	if !c.null && class(l) != class(r) {
		return types.NewErr(mixedTypes)
	}
	return types.Bool(types.Equal(l, r) == c.want)
}

// Eval implements interpreter.Interpretable.
func (c *comparison) Eval(a interpreter.Activation) ref.Val {
	return interpreter.EvalActivation(a, c.Exec)
}

// class is the type of v, all numbers being one.
func class(v ref.Val) string {
	switch v.(type) {
	case types.Int, types.Uint, types.Double:
		return "number"
	}
	return v.Type().TypeName()
}

// membership is in, of a list or of a map's keys.
type membership struct{ node }

// Exec implements interpreter.InterpretableV2.
func (m *membership) Exec(f *interpreter.ExecutionFrame) ref.Val {
	l, r, failed := m.operands(f)
	if failed != nil {
		return failed
	}
	return m.charge(f, l, r, m.find(l, r))
}

func (m *membership) find(want, in ref.Val) ref.Val {
	switch in := in.(type) {
	case traits.Mapper:
		if _, ok := want.(types.String); !ok {
			return types.NewErr(mixedTypes)
		}
		return in.Contains(want)
	case traits.Lister:
		return findInList(want, in)
	}
	return types.NewErr(mixedTypes)
}

// findInList is true when an element equals want; an error when none does and
// one could not be compared.
func findInList(want ref.Val, in traits.Lister) ref.Val {
	mixed := false
	for it := in.Iterator(); it.HasNext() == types.True; {
		e := it.Next()
		switch {
		case class(want) != class(e):
			mixed = true
		case types.Equal(want, e) == types.True:
			return types.True
		}
	}
	if mixed {
		return types.NewErr(mixedTypes)
	}
	return types.False
}

// Eval implements interpreter.Interpretable.
func (m *membership) Eval(a interpreter.Activation) ref.Val {
	return interpreter.EvalActivation(a, m.Exec)
}

// sum is +. CEL counts one for it where the types are not known beforehand,
// however long the texts are.
type sum struct{ node }

// Exec implements interpreter.InterpretableV2.
func (s *sum) Exec(f *interpreter.ExecutionFrame) ref.Val {
	l, r, failed := s.operands(f)
	if failed != nil {
		return failed
	}
	result := add(l, r)
	if t := f.CostTracker(); t != nil {
		t.EvalBinary(f, s.ID(), costed{s.call, joinOverload(l)}, l, r, result)
	}
	return result
}

// costed is a call whose cost is that of another overload.
type costed struct {
	interpreter.InterpretableCall
	overload string
}

// OverloadID implements interpreter.InterpretableCall.
func (c costed) OverloadID() string { return c.overload }

func joinOverload(l ref.Val) string {
	switch l.(type) {
	case types.String:
		return overloads.AddString
	case types.Bytes:
		return overloads.AddBytes
	case traits.Lister:
		return overloads.AddList
	}
	return overloads.AddInt64
}

func add(l, r ref.Val) ref.Val {
	a, ok := l.(traits.Adder)
	if !ok {
		return types.MaybeNoSuchOverloadErr(l)
	}
	if length(l)+length(r) > maxJoin {
		return types.NewErr(longJoin)
	}
	return a.Add(r)
}

// length is that of what has one.
func length(v ref.Val) int64 {
	switch v := v.(type) {
	case types.String:
		return int64(len(v))
	case types.Bytes:
		return int64(len(v))
	case traits.Lister:
		if n, ok := v.Size().(types.Int); ok {
			return int64(n)
		}
	}
	return 0
}

// Eval implements interpreter.Interpretable.
func (s *sum) Eval(a interpreter.Activation) ref.Val {
	return interpreter.EvalActivation(a, s.Exec)
}

// boundedMatch is matches with a constant expression and a text that is not
// too long.
type boundedMatch struct {
	node
	re *regexp.Regexp
}

func newBoundedMatch(n node) (interpreter.InterpretableV2, error) {
	args := n.call.Args()
	if len(args) != 2 {
		return n.call, nil
	}
	pattern, ok := args[1].(interpreter.InterpretableConst)
	if !ok {
		return nil, fmt.Errorf("plan matches: %w", errPattern)
	}
	text, ok := pattern.Value().(types.String)
	if !ok {
		return nil, fmt.Errorf("plan matches: %w", errPattern)
	}
	re, err := regexp.Compile(string(text))
	if err != nil {
		return nil, fmt.Errorf("plan matches: %w", err)
	}
	return &boundedMatch{node: n, re: re}, nil
}

// Exec implements interpreter.InterpretableV2.
func (m *boundedMatch) Exec(f *interpreter.ExecutionFrame) ref.Val {
	l, r, failed := m.operands(f)
	if failed != nil {
		return failed
	}
	text, ok := l.(types.String)
	switch {
	case !ok:
		return types.MaybeNoSuchOverloadErr(l)
	case len(text) > maxMatchBytes:
		return types.NewErr(longMatch)
	}
	return m.charge(f, l, r, types.Bool(m.re.MatchString(string(text))))
}

// Eval implements interpreter.Interpretable.
func (m *boundedMatch) Eval(a interpreter.Activation) ref.Val {
	return interpreter.EvalActivation(a, m.Exec)
}

// strictOption makes programs strict.
func strictOption() cel.ProgramOption { return cel.CustomDecoratorV2(strict) }
