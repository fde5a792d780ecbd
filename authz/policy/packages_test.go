package policy

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/hopgate/hopgate/authz/surface"
	"github.com/hopgate/hopgate/authz/surface/registry"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

const (
	pypi    = "XBackend/agents/pypi"
	pypiTwo = "XBackend/agents/pypi-two"
	day     = 24 * time.Hour
)

func packageTarget(backends ...string) wire.Target {
	t := proxyTarget()
	t.Surface, t.Provider, t.Backends = "Packages", "pypi", backends
	return t
}

func fetch(operation, name string, p surface.Package) *Question {
	return &Question{Peer: alice, Claims: claims(), Action: &surface.Action{
		Kind: v1alpha1.SurfacePackages, Method: operation, Name: name, Package: p, Host: "pypi.example", Port: 443, Path: "/simple/",
	}}
}

func aged(d time.Duration) surface.Package { return surface.Package{Aged: true, Age: d} }

func TestPackages(t *testing.T) {
	t.Parallel()
	const ours = `[{name: r, to: {type: Packages, packages: [{registry: {name: pypi}, names: [acme-*, requests]}]}, action: Allow}]`
	const old = `[{name: r, to: {type: Packages, packages: [{registry: {name: pypi}, minimumAge: 168h}]}, action: Allow}]`
	const mixed = `
- {name: ours, to: {type: Packages, packages: [{registry: {name: pypi}, names: [acme-*]}]}, action: Allow}
- {name: theirs, to: {type: Packages, packages: [{registry: {name: pypi}, minimumAge: 168h}]}, action: Allow}`
	const pinned = `[{name: r, to: {type: Packages, packages: [{registry: {name: pypi}, digestOnly: true}]}, action: Allow}]`
	const both = `[{name: r, to: {type: Packages, packages: [{registry: {name: pypi}, digestOnly: true, minimumAge: 24h}]}, action: Allow}]`
	const either = `[{name: r, to: {type: Packages, packages: [{registry: {name: pypi}, digestOnly: true}, {registry: {name: pypi}, minimumAge: 24h}]}, action: Allow}]`
	const denied = `
- {name: all, to: {type: Packages, packages: [{registry: {name: pypi}}]}, action: Allow}
- {name: evil, to: {type: Packages, packages: [{registry: {name: pypi}, names: ["evil*"]}]}, action: Deny}`
	const closed = `
- {name: all, to: {type: Packages, packages: [{registry: {name: pypi}}]}, action: Allow}
- {name: none, to: {type: Packages, packages: [{registry: {name: pypi}}]}, action: Deny}`
	const forOthers = `[{name: r, from: {agents: [{name: other}]}, to: {type: Packages, packages: [{registry: {name: pypi}, minimumAge: 24h}]}, action: Allow}]`
	const onSundays = `[{name: r, to: {type: Packages, packages: [{registry: {name: pypi}, minimumAge: 24h}]}, when: ['tctx.region == "us"'], action: Allow}]`
	const inEurope = `[{name: r, to: {type: Packages, packages: [{registry: {name: pypi}, minimumAge: 24h}]}, when: ['tctx.region == "eu"'], action: Allow}]`
	none := surface.Package{}
	for _, tc := range []struct {
		name, rules string
		q           *Question
		backends    []string
		want        string
	}{
		{"a listed name", ours, fetch(registry.Artifact, "requests", none), nil, "allow"},
		{"a listed namespace", ours, fetch(registry.Metadata, "acme-tools", none), nil, "allow"},
		{"another name", ours, fetch(registry.Artifact, "evil", none), nil, "deny no_rule"},
		{"what names no package", ours, fetch(registry.Index, "", none), nil, "allow"},
		{"no name where there must be one", ours, fetch(registry.Metadata, "", none), nil, "deny no_rule"},
		{"another registry", ours, fetch(registry.Artifact, "requests", none), []string{pypiTwo}, "deny no_rule"},
		{"two registries, one of them named", ours, fetch(registry.Artifact, "requests", none), []string{pypi, pypiTwo}, "deny no_rule"},
		{"old enough", old, fetch(registry.Artifact, "x", aged(7*day)), nil, "allow"},
		{"too new", old, fetch(registry.Artifact, "x", aged(7*day-time.Second)), nil, "deny release_too_new"},
		{"not looked up", old, fetch(registry.Artifact, "x", none), nil, "deny release_age_unknown"},
		{"metadata is of any age", old, fetch(registry.Metadata, "x", none), nil, "allow"},
		{"a rule that asks for no age", mixed, fetch(registry.Artifact, "acme-x", none), nil, "allow"},
		{"the rule that asks for one", mixed, fetch(registry.Artifact, "x", aged(day)), nil, "deny release_too_new"},
		{"a tag", pinned, fetch(registry.Artifact, "x", none), nil, "deny digest_required"},
		{"a digest", pinned, fetch(registry.Artifact, "x", surface.Package{Pinned: true}), nil, "allow"},
		{"a tag's metadata", pinned, fetch(registry.Metadata, "x", none), nil, "allow"},
		{"a tag, and nobody need look", both, fetch(registry.Artifact, "x", none), nil, "deny digest_required"},
		{"one of two entries could hold", either, fetch(registry.Artifact, "x", none), nil, "deny release_age_unknown"},
		{"one of two entries holds", either, fetch(registry.Artifact, "x", surface.Package{Pinned: true}), nil, "allow"},
		{"a name that is closed", denied, fetch(registry.Artifact, "evil-x", none), nil, "deny rule_denied"},
		{"another than the closed one", denied, fetch(registry.Artifact, "x", none), nil, "allow"},
		{"the index, where a name is closed", denied, fetch(registry.Index, "", none), nil, "allow"},
		{"the index, where all is closed", closed, fetch(registry.Index, "", none), nil, "deny rule_denied"},
		{"who is not meant is not told of ages", forOthers, fetch(registry.Artifact, "x", none), nil, "deny no_rule"},
		{"a condition that does not hold", onSundays, fetch(registry.Artifact, "x", none), nil, "deny no_rule"},
		{"a condition that holds", inEurope, fetch(registry.Artifact, "x", none), nil, "deny release_age_unknown"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if tc.backends == nil {
				tc.backends = []string{pypi}
			}
			l := compileAll(t, policyOf(t, "p", tc.rules)).Levels(packageTarget(tc.backends...))
			o := l.Decide(tc.q, nil)
			if diff := cmp.Diff(tc.want, strings.TrimSpace(o.Effect.String()+" "+o.Code)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			var tr Trace
			if traced := l.Decide(tc.q, &tr); traced.Code != o.Code || traced.Rule != o.Rule {
				t.Errorf("with a trace it is %s by %q, without %s by %q", traced.Code, traced.Rule, o.Code, o.Rule)
			}
		})
	}
}

// TestNamesThatCloseAreFolded: a Deny or an Ask closes every spelling that a
// registry takes for the name; an Allow opens none but the canonical one.
func TestNamesThatCloseAreFolded(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		protocol, name string
		closed, open   []string
	}{
		{"pypi", "Evil_Pkg", []string{"evil-pkg"}, []string{"evilpkg"}},
		{"pypi", "Evil..X__*", []string{"evil-x-tools"}, []string{"evil-y"}},
		{"cargo", "Evil", []string{"evil"}, []string{"evil2"}},
		{"cargo", "evil_crate", []string{"evil_crate", "evil-crate"}, []string{"evilcrate"}},
		{"cargo", "evil-*", []string{"evil_x", "evil-x_y"}, []string{"evil"}},
		{"npm", "jsonstream", []string{"JSONStream", "jsonstream"}, []string{"json-stream"}},
		{"npm", "@Acme/*", []string{"@acme/x"}, []string{"@acme2/x"}},
		{"hf", "models/acme/tiny", []string{"models/Acme/Tiny"}, []string{"datasets/acme/tiny"}},
		{"oci", "Library/Evil", []string{"library/evil"}, []string{"library/evil_"}},
		{"go", "github.com/Acme/x", []string{"github.com/Acme/x"}, []string{"github.com/acme/x"}},
	} {
		t.Run(tc.protocol+" "+tc.name, func(t *testing.T) {
			t.Parallel()
			for action, code := range map[string]string{"Deny": "rule_denied", "Ask": "approval_required"} {
				l := compileAll(t, policyOf(t, "p", `
- {name: all, to: {type: Packages, packages: [{registry: {name: pypi}}]}, action: Allow}
- {name: evil, to: {type: Packages, packages: [{registry: {name: pypi}, names: ["`+tc.name+`"]}]}, action: `+action+`}`))
				target := packageTarget(pypi)
				target.Provider = tc.protocol
				v := l.Levels(target)
				for _, name := range tc.closed {
					if o := v.Decide(fetch(registry.Artifact, name, surface.Package{}), nil); o.Code != code {
						t.Errorf("%s: %s gets %q, want %q", action, name, o.Code, code)
					}
				}
				for _, name := range tc.open {
					if o := v.Decide(fetch(registry.Artifact, name, surface.Package{}), nil); o.Code != "" {
						t.Errorf("%s: %s gets %q", action, name, o.Code)
					}
				}
			}
		})
	}
	target := packageTarget(pypi)
	target.Provider = "cargo"
	l := compileAll(t, policyOf(t, "p", `[{name: r, to: {type: Packages, packages: [{registry: {name: pypi}, names: [my_crate]}]}, action: Allow}]`)).Levels(target)
	for name, code := range map[string]string{"my_crate": "", "my-crate": "no_rule"} {
		if o := l.Decide(fetch(registry.Artifact, name, surface.Package{}), nil); o.Code != code {
			t.Errorf("Allow: %s gets %q, want %q", name, o.Code, code)
		}
	}
}

// A request that lacks something is told so whatever else denies it later by
// default, and never where a rule denies it.
func TestWhatIsLackingIsTold(t *testing.T) {
	t.Parallel()
	const rules = `
- {name: a, to: {type: Packages, packages: [{registry: {name: pypi}, digestOnly: true}]}, action: Allow}
- {name: b, to: {type: Packages, packages: [{registry: {name: pypi}, minimumAge: 24h}]}, action: Allow}`
	s := compileAll(t, policyOf(t, "p", rules))
	o := s.Levels(packageTarget(pypi)).Decide(fetch(registry.Artifact, "x", surface.Package{}), nil)
	if o.Code != CodeReleaseAgeUnknown || o.Rule != "b" {
		t.Errorf("%s by %s", o.Code, o.Rule)
	}
	o = s.Levels(packageTarget(pypi)).Decide(fetch(registry.Artifact, "x", aged(time.Hour)), nil)
	if o.Code != CodeDigestRequired && o.Code != CodeReleaseTooNew {
		t.Errorf("%s by %s", o.Code, o.Rule)
	}
}

func TestCheckPackages(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, rule, want string }{
		{"plain", `{name: r, to: {type: Packages, packages: [{registry: {name: pypi}, names: [a]}]}, action: Allow}`, ""},
		{"no registry", `{name: r, to: {type: Packages, packages: [{names: [a]}]}, action: Allow}`, "error spec.rules[0].to.packages[0].registry[0]"},
		{"a glob for a registry", `{name: r, to: {type: Packages, packages: [{registry: {name: "*"}}]}, action: Allow}`, "error spec.rules[0].to.packages[0].registry[0]"},
		{"an age on a Deny", `{name: r, to: {type: Packages, packages: [{registry: {name: pypi}, minimumAge: 1h}]}, action: Deny}`, "error spec.rules[0].to.packages[0]"},
		{"digests on an Ask", `{name: r, to: {type: Packages, packages: [{registry: {name: pypi}, digestOnly: true}]}, action: Ask}`, "error spec.rules[0].to.packages[0]"},
		{"an age of days", `{name: r, to: {type: Packages, packages: [{registry: {name: pypi}, minimumAge: 7d}]}, action: Allow}`, "error spec.rules[0].to.packages[0].minimumAge"},
		{"an age of nothing", `{name: r, to: {type: Packages, packages: [{registry: {name: pypi}, minimumAge: 0s}]}, action: Allow}`, "error spec.rules[0].to.packages[0].minimumAge"},
		{"a name that is none", `{name: r, to: {type: Packages, packages: [{registry: {name: pypi}, names: ["@a%2fb"]}]}, action: Allow}`, "warning spec.rules[0].to.packages[0].names[0]"},
		{"no names", `{name: r, to: {type: Packages, packages: [{registry: {name: pypi}, names: []}]}, action: Allow}`, "error spec.rules[0].to.packages[0].names"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			p := v1alpha1.AccessPolicy{}
			p.Namespace = "agents"
			p.Spec.Rules = make([]v1alpha1.AccessRule, 1)
			if err := yaml.UnmarshalStrict([]byte(tc.rule), &p.Spec.Rules[0]); err != nil {
				t.Fatal(err)
			}
			got := ""
			for _, problem := range newCompiler(t).CheckPolicy(&p) {
				got = problem.Severity.String() + " " + problem.Field
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
