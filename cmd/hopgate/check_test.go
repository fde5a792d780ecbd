package main

import (
	"encoding/json"
	"strings"
	"testing"
)

const badRule = `apiVersion: hopgate.dev/v1alpha1
kind: AccessPolicy
metadata: {name: broken}
spec:
  rules:
  - name: one
    to:
      type: Hosts
      hosts: [{names: [example.com]}]
`

// What is wrong is told with its file, line and field, and check ends with 1.
func TestCheckNamesThePlace(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, text string
		says       []string
	}{
		{"an unknown field", badRule + "    action: Allow\n    actoin: Deny\n", []string{"objects.yaml:11:5", "spec.rules[0].actoin", "AccessPolicy/default/broken"}},
		{"a field that is missing", badRule, []string{"objects.yaml:6", "spec.rules[0]", "action"}},
		{"a value that is not known", badRule + "    action: Perhaps\n", []string{"objects.yaml", "spec.rules[0].action", "Perhaps"}},
		{"a kind that is not known", "apiVersion: hopgate.dev/v1alpha1\nkind: AccessPolice\nmetadata: {name: x}\n", []string{"objects.yaml:", "AccessPolice"}},
		{"no YAML", "apiVersion: hopgate.dev/v1alpha1\nkind: TrustDomain\nmetadata: {name: x}\nspec: [\n", []string{"objects.yaml:"}},
		{"an expression", badRule + "    action: Deny\n    when: [\"args.x == 1 +\"]\n", []string{"AccessPolicy/default/broken", "when[0]"}},
		{"a route to nothing", `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: lost}
spec:
  rules:
  - backendRefs: [{name: nowhere, port: 80}]
`, []string{"HTTPRoute/default/lost", "ResolvedRefs is not good: BackendNotFound", "objects.yaml:1"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, dir+"/objects.yaml", tc.text)
			r := hopgate(t, dir, "check", "-f", "objects.yaml").want(t, 1)
			for _, s := range tc.says {
				if !strings.Contains(r.stdout, s) {
					t.Errorf("no %q in:\n%s", s, r.stdout)
				}
			}
			if r.stderr != "" {
				t.Errorf("standard error has %s", r.stderr)
			}
			var asJSON struct {
				Good     bool
				Problems []string
				Objects  []struct {
					Object struct{ Kind string }
					File   string
				}
			}
			if err := json.Unmarshal([]byte(hopgate(t, dir, "check", "-f", "objects.yaml", "-o", "json").want(t, 1).stdout), &asJSON); err != nil {
				t.Fatal(err)
			}
			if asJSON.Good || len(asJSON.Objects) < 2 {
				t.Errorf("as JSON it is %+v", asJSON)
			}
			hopgate(t, dir, "check", "-f", "objects.yaml", "-o", "yaml").want(t, 1)
		})
	}
}

// What check prints as YAML says what was assumed, and can be read again.
func TestCheckYAMLCanBeRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir+"/in/policy.yaml", firstPolicy(t))
	out := hopgate(t, dir, "check", "-f", "in", "-o", "yaml").want(t, 0).stdout
	for _, s := range []string{"# assumed\n", "# in/policy.yaml:4, and what it attaches to was assumed\n", "targetRefs:", "type: Accepted"} {
		if !strings.Contains(out, s) {
			t.Errorf("no %q in:\n%s", s, out)
		}
	}
	write(t, dir+"/again.yaml", out)
	again := hopgate(t, dir, "check", "-f", "again.yaml").stdout
	if strings.Contains(again, "assumed") || strings.Contains(again, "error:") {
		t.Errorf("not all of it was written, or not so that it can be read:\n%s", again)
	}
}

// A path may have a comma, and files may be given one by one.
func TestCheckTakesPaths(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir+"/a,b.yaml", firstPolicy(t))
	write(t, dir+"/c/d.yaml", strings.Replace(firstPolicy(t), "name: first", "name: second", 1))
	r := hopgate(t, dir, "check", "-f", "a,b.yaml", "-f", "c").want(t, 0)
	if !strings.Contains(r.stdout, "a,b.yaml:4") || !strings.Contains(r.stdout, "c/d.yaml:4") {
		t.Errorf("it says\n%s", r.stdout)
	}
}
