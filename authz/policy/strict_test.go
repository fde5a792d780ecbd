package policy

import (
	"testing"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/interpreter"
)

// fakeCall is a call of constants.
type fakeCall struct {
	interpreter.InterpretableV2
	function string
	args     []ref.Val
}

func (f fakeCall) ID() int64          { return 1 }
func (f fakeCall) Function() string   { return f.function }
func (f fakeCall) OverloadID() string { return "" }
func (f fakeCall) Args() []interpreter.InterpretableV2 {
	var out []interpreter.InterpretableV2
	for i, v := range f.args {
		out = append(out, interpreter.NewConstValue(int64(i+2), v))
	}
	return out
}

// The nodes give the same by either of the two ways to run one.
func TestStrictNodes(t *testing.T) {
	t.Parallel()
	list := func(values ...any) ref.Val { return types.DefaultTypeAdapter.NativeToValue(values) }
	text := types.String("a")
	tests := []struct {
		function string
		l, r     ref.Val
		want     string
	}{
		{"_==_", text, text, "true"},
		{"_==_", text, types.Int(1), mixedTypes},
		{"_==_", types.Int(1), types.Double(1), "true"},
		{"_!=_", text, types.String("b"), "true"},
		{"_!=_", types.NullValue, text, "true"},
		{"_==_", types.Bytes("a"), types.Bytes("a"), "true"},
		{"@in", text, list("a"), "true"},
		{"@in", text, list(1), mixedTypes},
		{"@in", text, list(), "false"},
		{"@in", text, text, mixedTypes},
		{"@in", text, types.DefaultTypeAdapter.NativeToValue(map[string]any{"a": 1}), "true"},
		{"_+_", types.Int(1), types.Int(2), "3"},
		{"_+_", text, text, "aa"},
		{"_+_", types.Bytes("a"), types.Bytes("b"), "ab"},
		{"_+_", types.True, types.True, "no such overload"},
		{"_+_", list("a"), text, "no such overload"},
		{"_+_", types.String(make([]byte, maxJoin)), text, longJoin},
		{"matches", text, types.String("^a$"), "true"},
		{"matches", types.Int(1), types.String("a"), "no such overload"},
		{"matches", types.String(make([]byte, maxMatchBytes+1)), types.String("a"), longMatch},
		{"_==_", types.NewErr("left"), text, "left"},
		{"_==_", text, types.NewErr("right"), "right"},
	}
	for _, tt := range tests {
		n, err := strict(fakeCall{function: tt.function, args: []ref.Val{tt.l, tt.r}})
		if err != nil {
			t.Errorf("%s: %v", tt.function, err)
			continue
		}
		if got := shownValue(n.Eval(cel.NoVars())); got != tt.want {
			t.Errorf("%s of %v and %v: got %s, want %s", tt.function, tt.l, tt.r, got, tt.want)
		}
	}
}

func shownValue(v ref.Val) string {
	if err, ok := v.(*types.Err); ok {
		return err.Error()
	}
	text, ok := v.ConvertToType(types.StringType).(types.String)
	if !ok {
		return "no text"
	}
	return string(text)
}

func TestStrictLeavesOthers(t *testing.T) {
	t.Parallel()
	call := fakeCall{function: "size", args: []ref.Val{types.String("a")}}
	if n, err := strict(call); err != nil || n.(fakeCall).function != "size" {
		t.Errorf("got %v, %v", n, err)
	}
	for _, bad := range [][]ref.Val{
		{types.String("a"), types.Int(1)},
		{types.String("a"), types.String("(")},
	} {
		if _, err := strict(fakeCall{function: "matches", args: bad}); err == nil {
			t.Errorf("matches of %v is planned", bad)
		}
	}
}
