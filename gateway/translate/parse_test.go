package translate

import (
	"strings"
	"testing"
	"time"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

func TestDuration(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in   string
		want time.Duration
		ok   bool
	}{
		{"1h30m", 90 * time.Minute, true},
		{"500ms", 500 * time.Millisecond, true},
		{"0s", 0, true},
		{"99999h99999h99999h99999h", 0, true},
		{"", 0, false},
		{"1", 0, false},
		{"-1s", 0, false},
		{"1.5s", 0, false},
		{"1d", 0, false},
		{"1us", 0, false},
		{"100000s", 0, false},
		{"1s1s1s1s1s", 0, false},
		{" 1s", 0, false},
	} {
		got, err := duration(gatewayv1.Duration(c.in))
		if (err == nil) != c.ok || c.ok && c.want != 0 && got != c.want {
			t.Errorf("duration(%q) = %s, %v", c.in, got, err)
		}
	}
}

func FuzzDuration(f *testing.F) {
	for _, s := range []string{"1h", "1h30m", "99999h99999h99999h99999h", "1ms", "-1s"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if d, err := duration(gatewayv1.Duration(s)); err == nil && (d < 0 || d > 4*99999*time.Hour) {
			t.Errorf("duration(%q) = %s", s, d)
		}
	})
}

func TestCheckJWKS(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		ok   bool
	}{
		"one key":       {jwks, true},
		"nothing":       {"", false},
		"no object":     {"[]", false},
		"no keys":       {"{}", false},
		"empty":         {`{"keys":[]}`, false},
		"two documents": {jwks + jwks, false},
		"a private key": {`{"keys":[{"kty":"OKP","x":"a"},{"kty":"OKP","d":"a"}]}`, false},
		"a secret":      {`{"keys":[{"kty":"oct","k":"a"}]}`, false},
		"keys of texts": {`{"keys":["a"]}`, false},
	} {
		if err := checkJWKS([]byte(c.text), "x"); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzJWKS(f *testing.F) {
	for _, s := range []string{jwks, "", "[]", `{"keys":[{"d":1}]}`, `{"keys":[{"k":null}]}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if err := checkJWKS([]byte(s), "x"); err != nil && len(s) > 16 && strings.Contains(err.Error(), s) {
			t.Errorf("the error has the content: %v", err)
		}
	})
}

// FuzzMatch: what is taken for a match is one that Envoy takes.
func FuzzMatch(f *testing.F) {
	f.Add("Exact", "/a", "GET", "x-a", "b", "Exact")
	f.Add("PathPrefix", "/a//b", "CONNECT", "host", "b\r\n", "RegularExpression")
	f.Add("Exact", "/\u212a", "GET", "\u212a", "b", "Exact")
	f.Add("RegularExpression", "(", "", ":path", "[", "RegularExpression")
	f.Fuzz(func(t *testing.T, kind, path, method, name, value, how string) {
		in := gatewayv1.HTTPRouteMatch{
			Path:    &gatewayv1.HTTPPathMatch{Type: (*gatewayv1.PathMatchType)(&kind), Value: &path},
			Method:  (*gatewayv1.HTTPMethod)(&method),
			Headers: []gatewayv1.HTTPHeaderMatch{{Type: (*gatewayv1.HeaderMatchType)(&how), Name: gatewayv1.HTTPHeaderName(name), Value: value}},
		}
		m, err := readMatch(&in)
		if err != nil {
			return
		}
		if problem := badMatch(m); problem != "" {
			t.Errorf("%+v: %s", m, problem)
		}
	})
}

// FuzzHeaderMod: what is taken is text, under a name that is the user's.
func FuzzHeaderMod(f *testing.F) {
	f.Add("X-A", "b")
	f.Add("Txn-Token", "b")
	f.Add("x-hop-id", "b\n")
	f.Add("\u212a", "b")
	f.Fuzz(func(t *testing.T, name, value string) {
		m, err := headerMod(&gatewayv1.HTTPHeaderFilter{
			Set:    []gatewayv1.HTTPHeader{{Name: gatewayv1.HTTPHeaderName(name), Value: value}},
			Remove: []string{name},
		})
		if err != nil {
			return
		}
		if problem := badMod(m); problem != "" {
			t.Errorf("%q: %q: %s", name, value, problem)
		}
	})
}
