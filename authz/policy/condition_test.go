package policy

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestConditionRefused(t *testing.T) {
	t.Parallel()
	env := newCompiler(t).env
	tests := []struct {
		name, text string
		reason     Reason
		says       string
	}{
		{"syntax", "args.x ==", ReasonCondition, "Syntax error"},
		{"unknown variable", "arg.x == 1", ReasonCondition, "undeclared reference"},
		{"unknown function", "now() > 1", ReasonCondition, "undeclared reference"},
		{"type", "port == 'x'", ReasonCondition, "no matching overload"},
		{"text", "agent", ReasonCondition, "must give true or false"},
		{"unknown type", "args.flag", ReasonCondition, "must give true or false"},
		{"pattern of the request", "args.a.matches(args.b)", ReasonCondition, "must be a literal"},
		{"bad pattern", "args.a.matches('(')", ReasonCondition, "error parsing regexp"},
		{"nested loops", "args.a.all(x, args.b.all(y, x != y))", ReasonCost, "may cost"},
		{"deep loops", "args.a.all(x, args.a.all(y, args.a.all(z, x + y == z)))", ReasonCost, "may cost"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := compileCondition(env, tt.text, defaultMaxCost)
			if c.reason != tt.reason || !strings.Contains(c.failed, tt.says) {
				t.Errorf("got %q %q, want %q with %q", c.reason, c.failed, tt.reason, tt.says)
			}
			if got, _ := c.eval(newActivation(call(t, "x", "{}"))); got != unsure {
				t.Errorf("and it is %v", got)
			}
			if strings.Contains(c.failed, "\n") {
				t.Errorf("more than one line: %q", c.failed)
			}
		})
	}
}

// evalText compiles and runs an expression on a call.
func evalText(t *testing.T, text, args string) (truth, string) {
	t.Helper()
	c := compileCondition(newCompiler(t).env, text, defaultMaxCost)
	if c.failed != "" {
		t.Fatalf("%s: %s", text, c.failed)
	}
	act := newActivation(call(t, "search", args))
	if problem := act.prepare(&c.reads); problem != "" {
		return unsure, problem
	}
	return c.eval(act)
}

func TestConditionValues(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text, args string
		want       truth
		says       string
	}{
		{"args.a == 1", `{"a":1}`, yes, ""},
		{"args.a == 1", `{"a":1.0}`, yes, ""},
		{"args.a > 100", `{"a":1e300}`, yes, ""},
		{"args.a > 100", `{"a":9223372036854775808}`, yes, ""},
		{"args.a > 100", `{}`, unsure, "a member that it reads is not there"},
		{"args.a > 100", ``, unsure, "a member that it reads is not there"},
		{"args.a > 100", `{"a":null}`, unsure, "a value is of another type"},
		{"args.a > 100", `{"a":"500"}`, unsure, "a value is of another type"},
		{"args.a > 100", `{"a":[500]}`, unsure, "a value is of another type"},
		{"has(args.a) && args.a > 1", `{}`, no, ""},
		{"args.a[3] == 1", `{"a":[1]}`, unsure, "an element that it reads is not there"},
		{"args.a / 0 == 1", `{"a":1}`, unsure, "the evaluation failed"},
		{"int(args.a) == 1", `{"a":"secret"}`, unsure, "a value is of another type"},
		{"args.a.b.c == 'x'", `{"a":{"b":{"c":"x"}}}`, yes, ""},
		{`args["a"].startsWith("x")`, `{"a":"xy"}`, yes, ""},
		{"size(args) == 2", `{"a":1,"b":2}`, yes, ""},
		{"'a' in args", `{"a":1}`, yes, ""},
		{"args.a in args", `{"a":1}`, unsure, mixedTypes},
		{"args.a + 1 == 3", `{"a":2}`, yes, ""},
		{"args.a + 'b' == 'ab'", `{"a":"a"}`, yes, ""},
		{"args.a + 'b' == 'ab'", `{"a":1}`, unsure, "a value is of another type"},
		{"args.a + 1 > 0", `{"a":9223372036854775807}`, unsure, "the evaluation failed"},
		{"size(args.a + [1]) == 2", `{"a":[1]}`, yes, ""},
		{"args.all(k, k in ['a', 'b'])", `{"a":1,"c":2}`, no, ""},
		{"tool == 'search' && method == 'tools/call' && port == 8080", ``, yes, ""},
		{"agent == 'researcher' && subject == 'bob' && txn == 't-1'", ``, yes, ""},
		{"'research.read' in scopes && !('admin' in scopes)", ``, yes, ""},
		{"tctx.region == 'eu' && tctx.level == 3 && tctx.deep.er", ``, yes, ""},
		{"'a' in tctx.tags", ``, yes, ""},
		{"tctx.nothing == 'x'", ``, unsure, "a member that it reads is not there"},
		{"peer.startsWith('spiffe://corp/')", ``, yes, ""},
		{"model == 'x'", ``, unsure, "a value that it reads is not known here"},
		{"args.a.matches('^[a-z]+$')", `{"a":"abc"}`, yes, ""},
		{"args.a.matches('^[a-z]+$')", `{"a":5}`, unsure, "a value is of another type"},
	}
	for _, tt := range tests {
		t.Run(tt.text+tt.args, func(t *testing.T) {
			t.Parallel()
			got, says := evalText(t, tt.text, tt.args)
			if got != tt.want || says != tt.says {
				t.Errorf("got %v %q, want %v %q", got, says, tt.want, tt.says)
			}
		})
	}
}

// Comparing what is of different types is an error: false would let a Deny go
// by, and true an Allow.
func TestConditionStrict(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text, args string
		want       truth
	}{
		{"args.a == 'x'", `{"a":"x"}`, yes},
		{"args.a == 'x'", `{"a":["x"]}`, unsure},
		{"args.a == 'x'", `{"a":{"x":1}}`, unsure},
		{"args.a == 500", `{"a":"500"}`, unsure},
		{"args.a != 'x'", `{"a":["x"]}`, unsure},
		{"args.a != 500", `{"a":"500"}`, unsure},
		{"args.a != true", `{"a":"true"}`, unsure},
		{"args.a == true", `{"a":1}`, unsure},
		{"args.a == 1.5", `{"a":1.5}`, yes},
		{"args.a == 1", `{"a":1.5}`, no},
		{"args.a == null", `{"a":null}`, yes},
		{"args.a == null", `{"a":"x"}`, no},
		{"args.a != null", `{"a":["x"]}`, yes},
		{"args.a == 'x'", `{"a":null}`, unsure},
		{"args.a != 'x'", `{"a":null}`, unsure},
		{"null != args.a", `{"a":[1]}`, yes},
		{"args.a == args.b", `{"a":null,"b":1}`, unsure},
		{"args.a == args.b", `{"a":null,"b":null}`, yes},
		{"args.a in ['x']", `{"a":null}`, unsure},
		{"args.a in ['x', null]", `{"a":null}`, yes},
		{"args.a in ['x', 'y']", `{"a":"y"}`, yes},
		{"args.a in ['x', 'y']", `{"a":"z"}`, no},
		{"args.a in ['x', 'y']", `{"a":["x"]}`, unsure},
		{"!(args.a in ['x', 'y'])", `{"a":["x"]}`, unsure},
		{"'x' in args.a", `{"a":["y",["x"]]}`, unsure},
		{"'x' in args.a", `{"a":["y",["x"],"x"]}`, yes},
		{"'x' in args.a", `{"a":"x"}`, unsure},
		{"'x' in args.a", `{"a":{"x":1}}`, yes},
		{"args.a in [1, 2]", `{"a":2.0}`, yes},
		{"args.a in []", `{"a":2}`, no},
		{"args.a.exists(v, v == 'x')", `{"a":[1,"x"]}`, yes},
		{"args.a.exists(v, v == 'x')", `{"a":[1,"y"]}`, unsure},
		{"args.a.all(v, v != 'x')", `{"a":[["x"]]}`, unsure},
		{"args.a == 'x' || tool == 'search'", `{"a":1}`, yes},
		{"args.a == 'x' && tool == 'other'", `{"a":1}`, no},
	}
	for _, tt := range tests {
		t.Run(tt.text+tt.args, func(t *testing.T) {
			t.Parallel()
			got, says := evalText(t, tt.text, tt.args)
			if got != tt.want {
				t.Errorf("got %v %q, want %v", got, says, tt.want)
			}
		})
	}
}

func TestConditionWithoutToken(t *testing.T) {
	t.Parallel()
	env := newCompiler(t).env
	for _, text := range []string{
		"agent != 'x'", "subject != 'x'", "txn != 'x'", "!('x' in scopes)", "!has(tctx.x)", "size(scopes) == 0",
		"peer != 'x'", "tool != 'x'", "host != 'x'", "port != 1", "path != 'x'",
	} {
		c := compileCondition(env, text, defaultMaxCost)
		q := connect("", 0)
		q.Peer, q.Claims = "", nil
		if got, _ := c.eval(newActivation(q)); got != unsure {
			t.Errorf("%s is %v", text, got)
		}
	}
}

// What is known of nobody is not an empty name.
func TestConditionUnnamed(t *testing.T) {
	t.Parallel()
	c := compileCondition(newCompiler(t).env, "agent != 'x'", defaultMaxCost)
	q := connect("a.example", 443)
	q.Claims.Agent = ""
	if got, _ := c.eval(newActivation(q)); got != unsure {
		t.Errorf("a token without an agent: %v", got)
	}
}

func TestConditionHuge(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 100<<10)
	list := "[" + strings.Repeat("1,", 50<<10) + "1]"
	many := `{"a":1`
	for i := range maxMembers {
		many += fmt.Sprintf(`,"m%d":1`, i)
	}
	many += "}"
	tests := []struct {
		name, text, args string
		want             truth
	}{
		{"long text is measured", "size(args.a) > 1000", `{"a":"` + long + `"}`, yes},
		{"long text is not matched", "args.a.matches('^a+$')", `{"a":"` + long + `"}`, unsure},
		{"long list", "size(args.a) > 1", `{"a":` + list + `}`, unsure},
		{"long list beside", "args.b == 1", `{"a":` + list + `,"b":1}`, yes},
		{"long loop", "args.a.all(x, x == 1 || x == 2 || x == 3)", `{"a":[` + strings.Repeat("3,", 30000) + `3]}`, unsure},
		{"joined texts", "args.a + args.a + args.a + args.a != 'x'", `{"a":"` + long + `"}`, unsure},
		{"joined in a loop", "args.l.map(x, args.a + x).size() > 0", `{"a":"` + long[:60<<10] + `","l":["` + strings.Repeat(`a","`, 200) + `a"]}`, unsure},
		{"many arguments", "size(args) > 1", many, unsure},
		{"many arguments, one read", "args.a == 1", many, yes},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got, says := evalText(t, tt.text, tt.args); got != tt.want {
				t.Errorf("got %v %q, want %v", got, says, tt.want)
			}
		})
	}
}

func TestConditionConstant(t *testing.T) {
	t.Parallel()
	env := newCompiler(t).env
	for text, want := range map[string]truth{
		"false": no, "true": yes, "1 > 2": no, "args.a == 1 && false": no, "args.a == 1 || true": yes,
		"[1, 2].all(x, x > 5)": no, "args.a == 1": unsure, "has(args.a)": unsure, "1 / 0 == 1": unsure,
	} {
		if got := compileCondition(env, text, defaultMaxCost).constant; got != want {
			t.Errorf("%s: got %v, want %v", text, got, want)
		}
	}
}

func TestReads(t *testing.T) {
	t.Parallel()
	env := newCompiler(t).env
	tests := []struct {
		text  string
		want  []string
		args  []string
		whole bool
	}{
		{"args.a == 1 && args.b.c == 2", []string{"args.a", "args.b"}, []string{"a", "b"}, false},
		{`args["a b"] == 1`, []string{"args.a b"}, []string{"a b"}, false},
		{"has(args.a)", []string{"args.a"}, []string{"a"}, false},
		{"size(args) > 1", []string{"args"}, nil, true},
		{"args[tool] == 1", []string{"args", "tool"}, nil, true},
		{"tctx.a.b == 1 && tctx['c'] == 2", []string{"tctx.a.b", "tctx.c"}, nil, false},
		{"args.l.exists(x, x.y == agent)", []string{"agent", "args.l"}, []string{"l"}, false},
		{"size(tctx) > 0 || 'x' in scopes || peer == txn", []string{"peer", "scopes", "tctx", "txn"}, nil, false},
		{"true", nil, nil, false},
	}
	for _, tt := range tests {
		c := compileCondition(env, tt.text, defaultMaxCost)
		got := c.reads
		if diff := cmp.Diff(tt.want, got.fields); diff != "" || !slices.Equal(tt.args, got.args) || got.wholeArgs != tt.whole {
			t.Errorf("%s: %v whole=%v\n%s", tt.text, got.args, got.wholeArgs, diff)
		}
	}
}

// An expression that reads all arguments sees all, also after one that read
// only some.
func TestWholeArgsAfterSome(t *testing.T) {
	t.Parallel()
	env := newCompiler(t).env
	act := newActivation(call(t, "x", `{"a":1,"b":2}`))
	for _, text := range []string{"args.a == 1", "size(args) == 2", "args.b == 2", "!has(args.c)"} {
		c := compileCondition(env, text, defaultMaxCost)
		if problem := act.prepare(&c.reads); problem != "" {
			t.Fatal(problem)
		}
		if got, says := c.eval(act); got != yes {
			t.Errorf("%s: %v %s", text, got, says)
		}
	}
}

// Errors that reach records hold nothing of what the request says.
func TestConditionErrorsHoldNoValues(t *testing.T) {
	t.Parallel()
	const secret = "hunter2"
	for _, text := range []string{
		"timestamp(args.a) > timestamp('2020-01-01T00:00:00Z')", "duration(args.a) > duration('1s')", "int(args.a) == 1",
		"args[args.a] == 1", "args.a.b == 1", "bool(args.a)", "double(args.a) > 1.0",
	} {
		got, says := evalText(t, text, `{"a":"`+secret+`"}`)
		if got != unsure || says == "" || strings.Contains(says, secret) {
			t.Errorf("%s: %v %q", text, got, says)
		}
	}
}

func FuzzCondition(f *testing.F) {
	for _, s := range []string{
		"args.a == 1", "args.l.all(x, x.startsWith('a'))", "size(args) < 3 || tool in ['a']", "tctx.a.b[0] > 1.5",
		"args.a.matches('^a+$')", "{'a': 1}.a == args.b ? true : false", "type(args.a) == string",
	} {
		f.Add(s, `{"a":"x","l":["a"]}`)
	}
	c, err := New(Config{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text, args string) {
		if len(text) > maxExpression {
			return
		}
		cond := compileCondition(c.env, text, defaultMaxCost)
		if (cond.failed == "") != (cond.program != nil) {
			t.Fatalf("%q: failed %q with a program %v", text, cond.failed, cond.program != nil)
		}
		q := fuzzCall(args)
		if q == nil {
			return
		}
		act := newActivation(q)
		if act.prepare(&cond.reads) == "" {
			first, _ := cond.eval(act)
			again, _ := cond.eval(act)
			if first != again {
				t.Errorf("%q is %v and then %v", text, first, again)
			}
			if cond.constant != unsure && cond.constant != first {
				t.Errorf("%q is always %v, and %v", text, cond.constant, first)
			}
		}
	})
}
