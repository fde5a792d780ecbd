package policy

import (
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

// problemsOf are those of one rule on HTTP, FIELD: SEVERITY.
func problemsOf(t *testing.T, rule string) []string {
	t.Helper()
	p := &v1alpha1.AccessPolicy{}
	p.Namespace = "agents"
	if err := yaml.UnmarshalStrict([]byte("["+rule+"]"), &p.Spec.Rules); err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, x := range newCompiler(t).CheckPolicy(p) {
		out = append(out, strings.TrimPrefix(x.Field, "spec.rules[0].")+": "+x.Severity.String())
	}
	return out
}

// TestWordsAreChecked: what can name a tenant, and what cannot.
func TestWordsAreChecked(t *testing.T) {
	t.Parallel()
	const name, value = "to.http[0].%s[0].name: error", "to.http[0].%s[0].values"
	for _, tc := range []struct {
		name, of, match string
		want            string
	}{
		{"a header", "headers", `{name: x-tenant, type: Exact, values: [acme]}`, ""},
		{"a header in upper case", "headers", `{name: X-Tenant, type: Exact, values: [acme]}`, name},
		{"a header with an underscore", "headers", `{name: x_tenant, type: Exact, values: [acme]}`, name},
		{"Host", "headers", `{name: host, type: Exact, values: [acme]}`, name},
		{"a header of the connection", "headers", `{name: transfer-encoding, type: Exact, values: [chunked]}`, name},
		{"a header of ours", "headers", `{name: x-hop-id, type: Exact, values: [a]}`, name},
		{"another method", "headers", `{name: x-http-method-override, type: Exact, values: [GET]}`, name},
		{"a credential", "headers", `{name: authorization, type: Exact, values: [a]}`, name},
		{"a key", "headers", `{name: x-api-key, type: Exact, values: [a]}`, name},
		{"a cookie", "headers", `{name: cookie, type: Exact, values: [a]}`, name},
		{"no values", "headers", `{name: x-tenant, type: Exact, values: []}`, value + ": error"},
		{"an empty value", "headers", `{name: x-tenant, type: Exact, values: [""]}`, value + "[0]: error"},
		{"a type that is not known", "headers", `{name: x-tenant, type: Prefix, values: [acme]}`, "to.http[0].%s[0].type: error"},
		{"a glob that is none", "headers", `{name: x-tenant, type: Glob, values: ["***"]}`, value + "[0]: error"},
		{"a parameter", "query", `{name: project.Id, type: Glob, values: ["acme-*"]}`, ""},
		{"a parameter with a bracket", "query", `{name: "project[]", type: Exact, values: [a]}`, name},
		{"a parameter that is a method", "query", `{name: _method, type: Exact, values: [GET]}`, name},
		{"a parameter that is a token", "query", `{name: access_token, type: Exact, values: [a]}`, name},
		{"a signature", "query", `{name: X-Amz-Signature, type: Exact, values: [a]}`, name},
		{"whose signature", "query", `{name: X-Amz-Credential, type: Glob, values: ["AKIA1/**"]}`, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got := problemsOf(t, `{name: r, to: {type: HTTP, http: [{methods: [GET], `+tc.of+`: [`+tc.match+`]}]}, action: Allow}`)
			var want []string
			if tc.want != "" {
				want = []string{strings.ReplaceAll(tc.want, "%s", tc.of)}
			}
			if !slices.Equal(got, want) {
				t.Errorf("problems %q, want %q", got, want)
			}
		})
	}
}

// TestQueriesBesideBodies: a form can say a parameter again.
func TestQueriesBesideBodies(t *testing.T) {
	t.Parallel()
	const query = `query: [{name: project, type: Exact, values: [acme]}]`
	for methods, want := range map[string]int{"methods: [GET, HEAD], ": 0, "methods: [GET, POST], ": 1, "": 1} {
		if got := problemsOf(t, `{name: r, to: {type: HTTP, http: [{`+methods+query+`}]}, action: Allow}`); len(got) != want {
			t.Errorf("%q: problems %q", methods, got)
		}
	}
	if got := problemsOf(t, `{name: r, to: {type: HTTP, http: [{`+query+`}]}, action: Deny}`); len(got) != 0 {
		t.Errorf("a Deny: %q", got)
	}
}

// TestBudgetsAreChecked.
func TestBudgetsAreChecked(t *testing.T) {
	t.Parallel()
	const at = "with.limits."
	for _, tc := range []struct{ limits, want string }{
		{"{uploadBytes: 1, distinctNames: 1, headBytes: 1, window: 1s}", ""},
		{"{uploadBytes: 1, window: 168h}", ""},
		{"{uploadBytes: 0}", at + "uploadBytes: error"},
		{"{distinctNames: 0}", at + "distinctNames: error"},
		{"{distinctNames: 10001}", at + "distinctNames: error"},
		{"{headBytes: 0}", at + "headBytes: error"},
		{"{uploadBytes: 1, window: 999ms}", at + "window: error"},
		{"{uploadBytes: 1, window: 169h}", at + "window: error"},
		{"{uploadBytes: 1, window: soon}", at + "window: error"},
		{"{requestBytes: 1, window: 1h}", at + "window: warning"},
	} {
		got := problemsOf(t, `{name: r, to: {type: HTTP, http: [{methods: [GET]}]}, action: Allow, with: {limits: `+tc.limits+`}}`)
		if strings.Join(got, " ") != tc.want {
			t.Errorf("%s: problems %q, want %q", tc.limits, got, tc.want)
		}
	}
	if got := problemsOf(t, `{name: r, to: {type: HTTP, http: [{}]}, action: Deny, with: {limits: {uploadBytes: 1}}}`); len(got) == 0 {
		t.Error("a Deny has a budget")
	}
}

// TestNamesThatAnybodyCanHave: one is warned of, and may write it all the same.
func TestNamesThatAnybodyCanHave(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]string{
		"*.s3.amazonaws.com": "warning", "**.github.io": "warning", "*.com": "error", "*.example.com": "", "acme.s3.amazonaws.com": "", "*.acme.github.io": "", "*.example": "",
	} {
		got := strings.Join(problemsOf(t, `{name: r, to: {type: HTTP, http: [{hosts: ["`+host+`"]}]}, action: Allow}`), " ")
		if want != "" {
			want = "to.http[0].hosts[0]: " + want
		}
		if got != want {
			t.Errorf("%s: %q, want %q", host, got, want)
		}
	}
}
