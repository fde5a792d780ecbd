package policy

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

func (k *checker) to(at *field.Path, in *v1alpha1.RuleTo) to {
	var x to
	k.oneSurface(at, in)
	switch in.Type {
	case v1alpha1.SurfaceTools:
		for i := range in.Tools {
			x.tools = append(x.tools, k.tool(at.Child("tools").Index(i), &in.Tools[i]))
		}
	case v1alpha1.SurfaceModels:
		for i := range in.Models {
			x.models = append(x.models, k.model(at.Child("models").Index(i), &in.Models[i]))
		}
	case v1alpha1.SurfaceHTTP:
		for i := range in.HTTP {
			x.http = append(x.http, k.http(at.Child("http").Index(i), &in.HTTP[i]))
		}
	case v1alpha1.SurfaceHosts:
		for i := range in.Hosts {
			x.hosts = append(x.hosts, k.hostEntry(at.Child("hosts").Index(i), &in.Hosts[i]))
		}
	case v1alpha1.SurfacePackages:
		for i := range in.Packages {
			x.packages = append(x.packages, k.packages(at.Child("packages").Index(i), &in.Packages[i]))
		}
	case v1alpha1.SurfaceAgents:
		k.report(at.Child("type"), ReasonNotAvailable, Error, "rules on %s are not available in this version", in.Type)
	default:
		k.unknown(at.Child("type"), in.Type, v1alpha1.SurfaceTools, v1alpha1.SurfaceModels, v1alpha1.SurfaceHTTP, v1alpha1.SurfaceHosts, v1alpha1.SurfacePackages)
	}
	return x
}

// oneSurface holds that the field named by the type is there, and only that.
func (k *checker) oneSurface(at *field.Path, in *v1alpha1.RuleTo) {
	for _, f := range []struct {
		name string
		kind v1alpha1.SurfaceType
		n    int
	}{
		{"tools", v1alpha1.SurfaceTools, len(in.Tools)},
		{"agents", v1alpha1.SurfaceAgents, len(in.Agents)},
		{"models", v1alpha1.SurfaceModels, len(in.Models)},
		{"http", v1alpha1.SurfaceHTTP, len(in.HTTP)},
		{"hosts", v1alpha1.SurfaceHosts, len(in.Hosts)},
		{"packages", v1alpha1.SurfacePackages, len(in.Packages)},
	} {
		switch {
		case f.kind == in.Type && f.n == 0:
			k.invalid(at.Child(f.name), "type %s needs at least one entry here", in.Type)
		case f.kind != in.Type && f.n > 0:
			k.invalid(at.Child(f.name), "it goes with type %s only", f.kind)
		}
	}
}

// backends are references as KIND/NAMESPACE/NAME, sorted; nil: any.
func (k *checker) backends(at *field.Path, list []v1alpha1.BackendReference) []string {
	given(k, at, list)
	var out []string
	for i, ref := range list {
		p := at.Index(i)
		if ref.Namespace == "" {
			ref.Namespace = k.namespace
		}
		if !objectName(ref.Name) || !objectName(ref.Namespace) {
			k.invalid(p, "a reference is to one object: its name and namespace hold no globs")
		}
		switch ref.Kind {
		case "XBackend", "Service":
		case "":
			if k.resolved {
				k.invalid(p.Child("kind"), "the reference was not resolved")
			}
		default:
			k.unknown(p.Child("kind"), ref.Kind, "XBackend", "Service")
		}
		out = append(out, ref.Kind+"/"+ref.Namespace+"/"+ref.Name)
	}
	slices.Sort(out)
	return out
}

func (k *checker) model(at *field.Path, in *v1alpha1.ModelMatch) modelEntry {
	given(k, at.Child("names"), in.Names)
	given(k, at.Child("operations"), in.Operations)
	operations := in.Operations
	if len(operations) == 0 {
		operations = []string{"chat", "completion", "response"}
	}
	for i, op := range in.Operations {
		if !slices.Contains(modelOperations(), op) {
			k.invalid(at.Child("operations").Index(i), "%q is no operation: they are %s", op, strings.Join(modelOperations(), ", "))
		}
	}
	return modelEntry{
		providers:  k.backends(at.Child("providers"), in.Providers),
		names:      k.patterns(at.Child("names"), in.Names, ""),
		operations: sorted(operations),
	}
}

// modelOperations are those that the Models surface tells apart.
func modelOperations() []string {
	return []string{"chat", "completion", "embedding", "response", "image", "audio", "moderation", "list", "count", "invoke", "other"}
}

func (k *checker) http(at *field.Path, in *v1alpha1.HTTPMatch) httpEntry {
	given(k, at.Child("methods"), in.Methods)
	given(k, at.Child("paths"), in.Paths)
	for i, m := range in.Methods {
		k.httpMethod(at.Child("methods").Index(i), m)
	}
	for i, p := range in.Paths {
		k.httpPath(at.Child("paths").Index(i), p)
	}
	h := httpEntry{
		ports: k.ports(at.Child("ports"), in.Ports),
		paths: k.patterns(at.Child("paths"), in.Paths, ""),
		hosts: k.hosts(at.Child("hosts"), in.Hosts),
		words: k.words(at, in),
		keeps: k.slashes(at, in),
	}
	if len(in.Methods) > 0 {
		h.methods = sorted(in.Methods)
	}
	return h
}

func (k *checker) httpMethod(at *field.Path, m string) {
	switch {
	case m == "CONNECT":
		k.never(at, "CONNECT is of type Hosts")
	case m == "" || len(m) > 32 || strings.Trim(m, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "":
		k.invalid(at, "a method is 1 to 32 capital letters")
	}
}

func (k *checker) httpPath(at *field.Path, p string) {
	switch {
	case p != "*" && !strings.HasPrefix(p, "/"):
		k.invalid(at, "a path begins with a slash")
	case strings.ContainsAny(p, "?#"):
		k.invalid(at, "a path is compared without its query and fragment")
	case strings.Contains(p+"/", "/../") || strings.Contains(p+"/", "/./") || strings.Contains(p, "//"):
		k.never(at, "a path with dot segments or empty ones is refused before rules see it")
	}
}

func (k *checker) hostEntry(at *field.Path, in *v1alpha1.HostMatch) hostEntry {
	if in.Names == nil {
		k.invalid(at.Child("names"), "at least one name is needed")
	}
	return hostEntry{
		names: k.hosts(at.Child("names"), in.Names),
		ports: k.ports(at.Child("ports"), in.Ports),
	}
}

func (k *checker) hosts(at *field.Path, list []string) *hosts {
	given(k, at, list)
	if len(list) == 0 {
		return nil
	}
	for i, text := range list {
		if !k.restricts && tooWide(text) {
			k.report(at.Index(i), ReasonTooWide, Error, "it opens everything below a public suffix: name the domain, or write * if every host is meant")
		}
		if !k.restricts && anybodys(text) {
			k.report(at.Index(i), ReasonTooWide, Warning, "anybody can have a name below this one: name those that are meant, or what is sent there may be somebody else's")
		}
		if k.restricts && strings.Contains(text, "/") {
			k.report(at.Index(i), ReasonNoEffect, Warning, "a range is compared with destinations that are written as addresses: a name that leads there is not stopped by it")
		}
	}
	return newHosts(list, func(i int, err error) { k.invalid(at.Index(i), "%v", err) })
}

func (k *checker) ports(at *field.Path, list []int32) ports {
	given(k, at, list)
	p := ports{open: k.restricts}
	for i, n := range list {
		if n < 1 || n > 65535 {
			k.invalid(at.Index(i), "a port is from 1 to 65535")
		}
		p.list = append(p.list, uint16(n))
	}
	return p
}

// sorted is a sorted copy; an empty one where there is nothing.
func sorted(list []string) []string {
	out := append(make([]string, 0, len(list)), list...)
	slices.Sort(out)
	return out
}
