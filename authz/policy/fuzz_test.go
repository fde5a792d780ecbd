package policy

import (
	"encoding/json"
	"testing"

	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

// FuzzCompile feeds any rules to the compiler. What CheckPolicy refuses is
// rejected, what it accepts is not, and nothing panics or differs by index.
func FuzzCompile(f *testing.F) {
	f.Add([]byte(`[{"name":"r","action":"Allow","to":{"type":"Tools","tools":[{"names":["a*"],"arguments":[{"name":"a","type":"Range","minimum":1}]}]},"when":["args.a == 1"]}]`))
	f.Add([]byte(`[{"name":"r","action":"Deny","to":{"type":"Hosts","hosts":[{"names":["*.example","10.0.0.0/8"],"ports":[443]}]}}]`))
	f.Add([]byte(`[{"name":"r","action":"Ask","from":{"agents":[{"name":"*"}],"peers":[{"type":"ServiceAccount","serviceAccount":{"name":"a"}}]},"transaction":{"type":"None","context":[{"path":"a.b","values":["1"]}]},"to":{"type":"HTTP","http":[{}]}}]`))
	f.Add([]byte(`[{"name":"r","action":"Allow","to":{"type":"Models","models":[{"names":["**"]}]},"with":{"stream":{"max":"1h"},"limits":{"outputTokens":1}}}]`))
	c, err := New(Config{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		p := feedv1.Policy{Key: feedv1.Key{Namespace: "agents", Name: "p"}, Targets: []feedv1.PolicyTarget{gatewayTarget()}}
		if json.Unmarshal(text, &p.Rules) != nil || len(p.Rules) > 8 {
			return
		}
		for i := range p.Rules {
			resolve(&p.Rules[i])
		}
		refused := checkRefuses(c, p.Rules)
		s := c.Compile([]feedv1.Policy{p})
		for _, q := range []*Question{
			call(t, "abc", `{"a":1,"b":["x"]}`), connect("a.example", 443), connect("10.1.2.3", 443), request("GET", "a.example", 80, "/a"), chat("m", 5),
			method(t, "ping", true),
		} {
			o := decideAll(t, s, toolTarget(), q)
			if (o.Code == CodePolicyRejected) != refused {
				t.Errorf("refused %v, and %v %v %s", refused, o.Effect, o.Code, o.Detail)
			}
			o.Seen(q, &Rendering{})
		}
	})
}

func checkRefuses(c *Compiler, rules []v1alpha1.AccessRule) bool {
	ap := &v1alpha1.AccessPolicy{Spec: v1alpha1.AccessPolicySpec{Rules: rules}}
	ap.Namespace = "agents"
	_, refused := firstError(c.CheckPolicy(ap))
	return refused
}

// FuzzArguments holds an Allow and a Deny of the same argument against each
// other: what the one matches the other denies.
func FuzzArguments(f *testing.F) {
	for _, s := range []string{`{"a":1}`, `{"a":["x"]}`, `{"a":null}`, `{"a":1e2,"b":[]}`, `{"a":100.00000000000000000001}`, `{}`} {
		f.Add(s)
	}
	c, err := New(Config{})
	if err != nil {
		f.Fatal(err)
	}
	sets := map[string][2]*Levels{}
	for _, argument := range []string{
		`{name: a, type: Exact, values: ["x", "1", "true"]}`, `{name: a, type: Glob, values: ["x*"]}`,
		`{name: a, type: Range, minimum: 1, maximum: 100}`, `{name: a, type: Present}`, `{name: a, type: Absent}`,
	} {
		rest := "to: {type: Tools, tools: [{arguments: [" + argument + "]}]}}"
		allow := policyOf(f, "p", "[{name: a, action: Allow, "+rest+"]")
		deny := policyOf(f, "p", "["+allowAll+", {name: d, action: Deny, "+rest+"]")
		sets[argument] = [2]*Levels{c.Compile([]feedv1.Policy{allow}).Levels(toolTarget()), c.Compile([]feedv1.Policy{deny}).Levels(toolTarget())}
	}
	f.Fuzz(func(t *testing.T, args string) {
		q := fuzzCall(args)
		if q == nil {
			return
		}
		for argument, l := range sets {
			if l[0].Decide(q, nil).Effect == Allow && l[1].Decide(q, nil).Effect == Allow {
				t.Errorf("%s: %s is matched by an Allow and not by a Deny", argument, args)
			}
		}
	})
}
