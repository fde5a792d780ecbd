package policy

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

// words compiles headers and parameters of the query.
func (k *checker) words(at *field.Path, in *v1alpha1.HTTPMatch) []word {
	var out []word
	headers, query := at.Child("headers"), at.Child("query")
	given(k, headers, in.Headers)
	given(k, query, in.Query)
	seen := map[string]bool{}
	for i := range in.Headers {
		m := &in.Headers[i]
		k.headerName(headers.Index(i).Child("name"), m.Name)
		out = append(out, k.word(headers.Index(i), fieldHeaders, m, seen))
	}
	for i := range in.Query {
		m := &in.Query[i]
		k.parameterName(query.Index(i).Child("name"), m.Name)
		out = append(out, k.word(query.Index(i), fieldQuery, m, seen))
	}
	if len(in.Query) > 0 && !k.restricts && !readsOnly(in.Methods) {
		k.report(query, ReasonNoEffect, Warning, "a server may take a parameter from a form in the body too, which is not read: list the methods that have none, GET and HEAD, or know that this server does not")
	}
	return out
}

func readsOnly(methods []string) bool {
	for _, m := range methods {
		if m != "GET" && m != "HEAD" {
			return false
		}
	}
	return len(methods) > 0
}

func (k *checker) word(at *field.Path, root string, in *v1alpha1.WordMatch, seen map[string]bool) word {
	w := word{field: root + in.Name, kind: in.Type, folds: k.restricts}
	if seen[w.field] {
		k.invalid(at.Child("name"), "another entry has this name")
	}
	seen[w.field] = true
	values := at.Child("values")
	if len(in.Values) == 0 {
		k.invalid(values, "at least one value is needed")
	}
	list := in.Values
	for i, v := range in.Values {
		if v == "" || strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			k.invalid(values.Index(i), "a value has no control characters, and is not empty")
		}
		if lower := strings.ToLower(v); w.folds && lower != v {
			list = append(slices.Clip(list), lower)
		}
	}
	switch in.Type {
	case v1alpha1.WordExact:
		w.exact = sorted(list)
	case v1alpha1.WordGlob:
		w.globs = newPatterns(list, func(i int, err error) { k.invalid(values.Index(min(i, len(in.Values)-1)), "%v", err) })
	default:
		k.unknown(at.Child("type"), in.Type, v1alpha1.WordExact, v1alpha1.WordGlob)
	}
	return w
}

func (k *checker) headerName(at *field.Path, name string) {
	switch {
	case !plainName(name):
		k.invalid(at, "a header's name is 1 to 63 lower-case letters, digits and hyphens, with no hyphen at either end")
	case secretName(name):
		k.invalid(at, "this names a credential, and what rules read is recorded: a Credential puts one on")
	case ofTheHop(name):
		k.invalid(at, "this header is of the connection or of the gateway, and is not what the destination goes by: the host stands in hosts, the method in methods")
	}
}

// ofTheHop reports whether a header says something of the connection (RFC 9110
// section 7.6.1), or is one that proxies write or that the gateway judges
// otherwise.
func ofTheHop(name string) bool {
	switch name {
	case "connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "http2-settings", "expect",
		"host", "content-length", "via", "forwarded", "x-request-id", "x-real-ip",
		"x-http-method", "x-http-method-override", "x-method-override", "x-original-method", "x-original-uri", "x-original-url", "x-rewrite-url":
		return true
	}
	for _, prefix := range []string{wire.HeaderPrefix, "x-envoy-", "x-forwarded-"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

func (k *checker) parameterName(at *field.Path, name string) {
	switch {
	case name == "" || len(name) > 64 || strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~$") != "":
		k.invalid(at, "a parameter's name is 1 to 64 letters, digits and the signs -._~$")
	case strings.EqualFold(name, "_method"):
		k.invalid(at, "this is another method: the methods stand in methods")
	case secretName(name):
		k.invalid(at, "this names a credential, and what rules read is recorded: a Credential puts one on, in a header")
	}
}

// secretName reports whether what has this name is likely a secret.
func secretName(name string) bool {
	name = strings.NewReplacer("-", "", "_", "", ".", "").Replace(strings.ToLower(name))
	switch name {
	case "key", "sig", "auth", "code", "pwd", "jwt", "sid":
		return true
	}
	for _, part := range []string{"token", "secret", "passw", "apikey", "signature", "cookie", "authorization"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return false
}
