package policy

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

// usualToolMethod is what a rule on tools means when it names no method.
const usualToolMethod = "tools/call"

func (k *checker) tool(at *field.Path, in *v1alpha1.ToolMatch) toolEntry {
	given(k, at.Child("methods"), in.Methods)
	given(k, at.Child("names"), in.Names)
	methods := in.Methods
	if len(methods) == 0 {
		methods = []string{usualToolMethod}
	}
	for i, m := range in.Methods {
		k.toolMethod(at.Child("methods").Index(i), m)
	}
	t := toolEntry{
		servers:    k.backends(at.Child("servers"), in.Servers),
		methods:    sorted(methods),
		names:      k.patterns(at.Child("names"), in.Names, ""),
		args:       k.arguments(at.Child("arguments"), in.Arguments),
		onlyListed: k.otherArguments(at.Child("otherArguments"), in),
	}
	if len(in.Names) > 0 && !slices.ContainsFunc(methods, hasName) {
		k.never(at.Child("names"), "none of the methods has a name to compare")
	}
	if len(in.Arguments) > 0 && !slices.ContainsFunc(methods, hasArguments) {
		k.never(at.Child("arguments"), "none of the methods has arguments: those of tools/call and prompts/get are compared")
	}
	return t
}

func (k *checker) toolMethod(at *field.Path, m string) {
	switch {
	case m == "" || len(m) > 128:
		k.invalid(at, "a method has 1 to 128 bytes")
	case strings.Contains(m, "*"):
		k.invalid(at, "methods are exact: list each")
	case !slices.Contains(toolMethods(), m) && !strings.HasPrefix(m, "notifications/"):
		// A later revision may have it: so this does not reject, whatever the
		// action.
		k.report(at, ReasonNeverMatches, Warning, "%q is no method of MCP that is known here", m)
	}
}

// toolMethods are the methods of MCP, with the words for what has none.
func toolMethods() []string {
	return append([]string{
		"initialize", "ping", "server/discover", "subscriptions/listen", "logging/setLevel",
		"tools/list", "resources/list", "resources/templates/list", "prompts/list", "tasks/list",
		"GET", "DELETE", "response",
	}, namedMethods()...)
}

func namedMethods() []string {
	return []string{
		usualToolMethod, "prompts/get", "resources/read", "resources/subscribe", "resources/unsubscribe",
		"completion/complete", "tasks/get", "tasks/result", "tasks/cancel", "tasks/update",
	}
}

// hasName and hasArguments are true for methods that are not known: who can
// tell.
func hasName(m string) bool {
	return slices.Contains(namedMethods(), m) || !slices.Contains(toolMethods(), m)
}

func hasArguments(m string) bool {
	return m == usualToolMethod || m == "prompts/get" || !slices.Contains(toolMethods(), m)
}

// otherArguments reports whether an Allow matches only calls whose arguments
// are all listed.
func (k *checker) otherArguments(at *field.Path, in *v1alpha1.ToolMatch) bool {
	if in.OtherArguments != "" && k.restricts {
		k.noEffect(at, "it narrows an Allow only")
	}
	switch in.OtherArguments {
	case v1alpha1.OtherArgumentsAllow:
		return false
	case v1alpha1.OtherArgumentsDeny:
		return true
	case "":
		return len(in.Arguments) > 0
	}
	k.unknown(at, in.OtherArguments, v1alpha1.OtherArgumentsDeny, v1alpha1.OtherArgumentsAllow)
	return true
}

func (k *checker) arguments(at *field.Path, list []v1alpha1.ArgumentMatch) []argument {
	if list != nil && len(list) == 0 {
		k.invalid(at, "an empty list is lost on the way: write otherArguments: Deny to allow no arguments")
	}
	seen := map[string]bool{}
	var out []argument
	for i := range list {
		p := at.Index(i)
		if seen[list[i].Name] {
			k.invalid(p.Child("name"), "the argument is listed twice")
		}
		seen[list[i].Name] = true
		out = append(out, k.argument(p, &list[i]))
	}
	return out
}

func (k *checker) argument(at *field.Path, in *v1alpha1.ArgumentMatch) argument {
	a := argument{name: in.Name, field: varArgs + "." + in.Name, kind: in.Type}
	if in.Name == "" {
		k.invalid(at.Child("name"), "it is needed")
	}
	k.argumentFields(at, in)
	switch in.Type {
	case v1alpha1.ArgumentExact:
		a.values = newScalars(in.Values)
	case v1alpha1.ArgumentGlob:
		a.globs = k.patterns(at.Child("values"), in.Values, "")
	case v1alpha1.ArgumentRange:
		a.bounds = bounds{in.Minimum, in.Maximum}
		if in.Minimum != nil && in.Maximum != nil && *in.Minimum > *in.Maximum {
			k.never(at.Child("minimum"), "it is more than the maximum")
		}
	case v1alpha1.ArgumentPresent, v1alpha1.ArgumentAbsent:
	default:
		k.unknown(at.Child("type"), in.Type, v1alpha1.ArgumentExact, v1alpha1.ArgumentGlob, v1alpha1.ArgumentRange, v1alpha1.ArgumentPresent, v1alpha1.ArgumentAbsent)
	}
	return a
}

// argumentFields holds that an argument has what its type needs, and no more.
func (k *checker) argumentFields(at *field.Path, in *v1alpha1.ArgumentMatch) {
	list := in.Type == v1alpha1.ArgumentExact || in.Type == v1alpha1.ArgumentGlob
	if list && len(in.Values) == 0 {
		k.invalid(at.Child("values"), "type %s needs at least one", in.Type)
	}
	if !list && len(in.Values) > 0 {
		k.invalid(at.Child("values"), "they go with types Exact and Glob")
	}
	bounded := in.Minimum != nil || in.Maximum != nil
	if in.Type == v1alpha1.ArgumentRange && !bounded {
		k.invalid(at, "type Range needs minimum or maximum")
	}
	if in.Type != v1alpha1.ArgumentRange && bounded {
		k.invalid(at, "minimum and maximum go with type Range")
	}
}
