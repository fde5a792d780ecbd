package policy

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

// forge is a GET of a path at forge.example.
func forge(path string) *Question { return request("GET", "forge.example", 80, path) }

func TestEncodedSlashes(t *testing.T) {
	t.Parallel()
	const (
		projects = `{name: projects, to: {type: HTTP, http: [{hosts: [forge.example], methods: [GET], paths: ["/projects/*", "/projects/*/files/**"], encodedSlashes: Keep}]}, action: Allow}`
		refusing = `{name: refusing, to: {type: HTTP, http: [{hosts: [forge.example], methods: [GET], paths: ["/public/**"]}]}, action: Allow}`
		said     = `{name: said, to: {type: HTTP, http: [{hosts: [forge.example], paths: ["/public/**"], encodedSlashes: Refuse}]}, action: Allow}`
		any      = `{name: any, to: {type: HTTP, http: [{encodedSlashes: Keep}]}, action: Allow}`
		one      = `{name: one, to: {type: HTTP, http: [{paths: ["/projects/acme%2Fsite"], encodedSlashes: Keep}]}, action: Allow}`
		noGroup  = `{name: no-group, to: {type: HTTP, http: [{paths: ["/projects/secret/**"]}]}, action: Deny}`
		noOne    = `{name: no-one, to: {type: HTTP, http: [{paths: ["/projects/secret%2Fplans"]}]}, action: Deny}`
		askOne   = `{name: ask-one, to: {type: HTTP, http: [{paths: ["/projects/secret/plans"]}]}, action: Ask}`
		noWhen   = `{name: no-when, to: {type: HTTP, http: [{}]}, when: ["path.startsWith('/projects/secret/')"], action: Deny}`
		when     = `{name: when, to: {type: HTTP, http: [{encodedSlashes: Keep}]}, when: ["!path.startsWith('/projects/secret/')"], action: Allow}`
		broken   = `{name: broken, to: {type: HTTP, http: [{}]}, when: ["path.startsWith('/projects/a/') && int(path) == 7"], action: Deny}`
		post     = `{name: post, to: {type: HTTP, http: [{methods: [POST]}]}, action: Allow}`
	)
	for _, tc := range []struct {
		name, path string
		rules      []string
		effect     Effect
		code, rule string
	}{
		{"kept", "/projects/acme%2Fsite", []string{projects}, Allow, "", "projects"},
		{"kept, several", "/projects/acme%2Fa%2Fb", []string{projects}, Allow, "", "projects"},
		{"kept, in the middle", "/projects/acme%2Fsite/files/a%2Fb", []string{projects}, Allow, "", "projects"},
		{"kept, by its name", "/projects/acme%2Fsite", []string{one}, Allow, "", "one"},
		{"kept, any path", "/projects/acme%2Fsite", []string{any}, Allow, "", "any"},
		{"the rule's own slash, encoded", "/projects%2Facme", []string{projects}, Deny, CodeNoRule, ""},
		{"another path", "/private/acme%2Fsite", []string{projects}, Deny, CodeNoRule, ""},
		{"without encoding it is two segments", "/projects/acme/site", []string{projects}, Deny, CodeNoRule, ""},
		{"another name", "/projects/acme%2Fother", []string{one}, Deny, CodeNoRule, ""},
		{"by its name, without encoding", "/projects/acme/site", []string{one}, Deny, CodeNoRule, ""},
		{"not kept", "/public/a%2Fb", []string{refusing}, Deny, CodeBadPath, "refusing"},
		{"not kept, by its word", "/public/a%2Fb", []string{said}, Deny, CodeBadPath, "said"},
		{"not kept, and needed for the rule", "/public%2Fa", []string{refusing}, Deny, CodeBadPath, "refusing"},
		{"not kept, another path", "/private%2Fa", []string{refusing}, Deny, CodeNoRule, ""},
		{"not kept, another method", "/public/a%2Fb", []string{post}, Deny, CodeNoRule, ""},
		{"without any", "/public/a", []string{refusing}, Allow, "", "refusing"},
		{"one keeps, another does not", "/public/a%2Fb", []string{refusing, any}, Allow, "", "any"},
		{"denied to who undoes it", "/projects/secret%2Fplans", []string{any, noGroup}, Deny, CodeRuleDenied, "no-group"},
		{"denied to who does not", "/projects/secret%2Fplans", []string{any, noOne}, Deny, CodeRuleDenied, "no-one"},
		{"denied, and not kept either", "/projects/secret%2Fplans", []string{noGroup}, Deny, CodeRuleDenied, "no-group"},
		{"a name that a deny does not mean", "/projects/secretly%2Fplans", []string{any, noGroup, noOne}, Allow, "", "any"},
		{"asked to who undoes it", "/projects/secret%2Fplans", []string{any, askOne}, Ask, CodeApprovalRequired, "ask-one"},
		{"denied by a condition to who undoes it", "/projects/secret%2Fplans", []string{any, noWhen}, Deny, CodeRuleDenied, "no-when"},
		{"a condition must hold to who undoes it", "/projects/secret%2Fplans", []string{when}, Deny, CodeNoRule, ""},
		{"a condition holds to both", "/projects/acme%2Fplans", []string{when}, Allow, "", "when"},
		{"a deny that cannot be judged by one", "/projects/a%2F8", []string{any, broken}, Deny, CodeRuleError, "broken"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := compileAll(t, policyOf(t, "p", "- "+strings.Join(tc.rules, "\n- ")))
			o := decideAll(t, s, proxyTarget(), forge(tc.path))
			if o.Effect != tc.effect || o.Code != tc.code || o.Rule != tc.rule {
				t.Errorf("%s %q by %q, want %s %q by %q", o.Effect, o.Code, o.Rule, tc.effect, tc.code, tc.rule)
			}
		})
	}
}

// TestEncodedSlashesOnEachLevel: every level that has rules must keep them.
func TestEncodedSlashesOnEachLevel(t *testing.T) {
	t.Parallel()
	gateway := policyOf(t, "gateway", `[{name: all, to: {type: HTTP, http: [{encodedSlashes: Keep}]}, action: Allow}]`)
	route := policyOf(t, "route", `[{name: all, to: {type: HTTP, http: [{}]}, action: Allow}]`)
	route.Targets[0] = routeTarget()
	target := toolTarget()
	target.Surface = "HTTP"
	if o := decideAll(t, compileAll(t, gateway), target, forge("/a%2Fb")); o.Effect != Allow {
		t.Errorf("by one level: %s %q", o.Effect, o.Code)
	}
	if o := decideAll(t, compileAll(t, gateway, route), target, forge("/a%2Fb")); o.Code != CodeBadPath || o.Policy.Name != "route" {
		t.Errorf("by two: %s %q by %s", o.Effect, o.Code, o.Policy)
	}
	route.Rules[0].To.HTTP[0].EncodedSlashes = v1alpha1.EncodedSlashesKeep
	if o := decideAll(t, compileAll(t, gateway, route), target, forge("/a%2Fb")); o.Effect != Allow {
		t.Errorf("by two that keep them: %s %q", o.Effect, o.Code)
	}
}

// TestEncodedSlashesAreFound by either reading among many rules.
func TestEncodedSlashesAreFound(t *testing.T) {
	t.Parallel()
	var rules []string
	for name := range strings.FieldsSeq("a b c d e f g h i j k l m n o p q r s t u v w x y z") {
		rules = append(rules,
			`{name: allow-`+name+`, to: {type: HTTP, http: [{hosts: [forge.example], paths: ["/`+name+`/*"], encodedSlashes: Keep}]}, action: Allow}`,
			`{name: deny-`+name+`, to: {type: HTTP, http: [{hosts: [forge.example], paths: ["/`+name+`/secret/**", "/`+name+`/x%2Fy"]}]}, action: Deny}`)
	}
	s := compileAll(t, policyOf(t, "p", "- "+strings.Join(rules, "\n- ")))
	for path, want := range map[string]string{
		"/k/a%2Fb": "allow-k", "/k/secret%2Fb": "deny-k", "/k%2Fsecret%2Fb": "deny-k", "/k/x%2Fy": "deny-k", "/k%2Fa": "",
	} {
		if o := decideAll(t, s, proxyTarget(), forge(path)); o.Rule != want {
			t.Errorf("%s: by %q, want %q", path, o.Rule, want)
		}
	}
}

// TestEncodedSlashesEscapeNoLimit: what a rule asks of what it allows, it asks
// of each path that is one of its own to who undoes encoded slashes.
func TestEncodedSlashesEscapeNoLimit(t *testing.T) {
	t.Parallel()
	s := compileAll(t, policyOf(t, "p", `
- {name: all, to: {type: HTTP, http: [{paths: ["/**"], encodedSlashes: Keep}]}, action: Allow}
- {name: small, transaction: {scopes: [research.read]}, to: {type: HTTP, http: [{paths: ["/up/**"]}]}, action: Allow, with: {audit: Durable, limits: {requestBytes: 10}}}
`))
	for path, want := range map[string]string{
		"/up/a": CodeLimitExceeded, "/up%2Fa": CodeLimitExceeded, "/up/a%2Fb": CodeLimitExceeded, "/other%2Fa": "",
	} {
		q := forge(path)
		q.Action.RequestBytes = 11
		if o := decideAll(t, s, proxyTarget(), q); o.Code != want {
			t.Errorf("%s: %q, want %q", path, o.Code, want)
		}
		q.Action.RequestBytes = 1
		o := decideAll(t, s, proxyTarget(), q)
		if durable := o.Duties.Audit == v1alpha1.AuditDurable; o.Effect != Allow || durable != (want != "") || slices.Contains(o.SeenNames(), varScopes) != durable {
			t.Errorf("%s, small: %s %q, recorded %s with %s", path, o.Effect, o.Code, o.Duties.Audit, o.SeenNames())
		}
	}
}

// TestEncodedSlashesOpenNothing: what may pass with encoded slashes is closed by
// no rule to who undoes them, and nothing passes where no rule keeps them.
func TestEncodedSlashesOpenNothing(t *testing.T) {
	allowed := 0
	inEachWorld(t, func(t *testing.T, r random, c *Compiler, policies []feedv1.Policy) {
		s := c.Compile(policies)
		plain := copyPolicies(policies)
		for i := range plain {
			for j := range plain[i].Rules {
				for k := range plain[i].Rules[j].To.HTTP {
					plain[i].Rules[j].To.HTTP[k].EncodedSlashes = ""
				}
			}
		}
		shut := c.Compile(plain)
		for range hops {
			target, q := r.target(), r.question()
			q.Action.Kind, q.Action.Path = v1alpha1.SurfaceHTTP, pick(r, "/a%2Fx", "/a/x%2Fb", "/a%2Fb", "/x%2Fb", "/a%2Fx%2Fb")
			if o := shut.Levels(target).Decide(q, nil); o.Effect == Allow {
				t.Errorf("%s is kept by %s of %s, which does not say so", q.Action.Path, o.Rule, o.Policy)
			}
			o := decideAll(t, s, target, q)
			if o.Effect != Allow {
				continue
			}
			allowed++
			undone := *q.Action
			undone.Path = q.Action.UndonePath()
			q.Action = &undone
			switch o := s.Levels(target).Decide(q, nil); o.Code {
			case "", CodeNoRule:
			default:
				t.Errorf("%s is allowed, and where slashes are undone %q by %s of %s", q.Action.Path, o.Code, o.Rule, o.Policy)
			}
		}
	})
	if !testing.Short() && allowed < 50 {
		t.Errorf("only %d hops were allowed", allowed)
	}
}

func TestEncodedSlashesTraced(t *testing.T) {
	t.Parallel()
	s := compileAll(t, policyOf(t, "p", `
- {name: refusing, to: {type: HTTP, http: [{paths: ["/a/**"]}]}, action: Allow}
- {name: shut, to: {type: HTTP, http: [{paths: ["/a/b/**"]}]}, action: Deny}
- {name: shut-when, to: {type: HTTP, http: [{}]}, when: ["path == '/a/b/c'"], action: Deny}
`))
	var tr Trace
	s.Levels(proxyTarget()).Decide(forge("/a/b%2Fc"), &tr)
	got := map[string][]Condition{}
	for _, r := range tr.Levels[0].Rules {
		for _, c := range r.Conditions {
			if strings.HasPrefix(c.Field, "paths") || strings.HasPrefix(c.Field, "when") || c.Field == "encodedSlashes" {
				got[r.Rule] = append(got[r.Rule], c)
			}
		}
	}
	want := map[string][]Condition{
		"refusing": {
			{Field: "paths", Expected: "/a/**", Actual: "/a/b%2Fc", Result: "yes"},
			{Field: "encodedSlashes", Expected: "Keep", Actual: "/a/b%2Fc", Result: "no"},
		},
		"shut":      {{Field: "paths", Expected: "/a/b/**", Actual: "/a/b/c", Result: "yes"}},
		"shut-when": {{Field: "when[0]", Expected: "path == '/a/b/c'", Actual: `yes; path = "/a/b/c"`, Result: "yes"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("conditions (-want +got):\n%s", diff)
	}
}

func TestEncodedSlashesChecked(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, rule string
		want       []string
	}{
		{"kept", `{name: r, to: {type: HTTP, http: [{paths: ["/a%2Fb"], encodedSlashes: Keep}]}, action: Allow}`, nil},
		{"refused", `{name: r, to: {type: HTTP, http: [{encodedSlashes: Refuse}]}, action: Allow}`, nil},
		{"another word", `{name: r, to: {type: HTTP, http: [{encodedSlashes: Decode}]}, action: Allow}`, []string{
			`error: spec.rules[0].to.http[0].encodedSlashes: "Decode" is not known here: it is one of Refuse, Keep (Invalid)`,
		}},
		{"a pattern that is refused", `{name: r, to: {type: HTTP, http: [{paths: ["/a%2Fb"]}]}, action: Allow}`, []string{
			`warning: spec.rules[0].to.http[0].paths[0]: a path with an encoded slash is refused: say encodedSlashes: Keep (NeverMatches)`,
		}},
		{"lower case", `{name: r, to: {type: HTTP, http: [{paths: ["/a%2fb"], encodedSlashes: Keep}]}, action: Allow}`, []string{
			`warning: spec.rules[0].to.http[0].paths[0]: an encoded slash is written %2F here (NeverMatches)`,
		}},
		{"a deny by a pattern", `{name: r, to: {type: HTTP, http: [{paths: ["/a%2Fb"]}]}, action: Deny}`, nil},
		{"a deny in lower case", `{name: r, to: {type: HTTP, http: [{paths: ["/a%2fb"]}]}, action: Deny}`, []string{
			`error: spec.rules[0].to.http[0].paths[0]: an encoded slash is written %2F here (NeverMatches)`,
		}},
		{"a deny that keeps", `{name: r, to: {type: HTTP, http: [{encodedSlashes: Keep}]}, action: Deny}`, []string{
			`warning: spec.rules[0].to.http[0].encodedSlashes: a Deny or Ask matches a path with encoded slashes by either reading (NoEffect)`,
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			p := policyOf(t, "p", "- "+tc.rule)
			var got []string
			for _, problem := range newCompiler(t).CheckPolicy(&v1alpha1.AccessPolicy{Spec: v1alpha1.AccessPolicySpec{Rules: p.Rules}}) {
				got = append(got, problem.String())
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}
