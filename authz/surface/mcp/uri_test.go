package mcp_test

import (
	"net/url"
	"testing"

	"github.com/hopgate/hopgate/authz/surface/mcp"
)

func TestURIs(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]bool{
		"file:///a/b.txt":               true,
		"file:///":                      true,
		"file://server/share":           true,
		"file:///a%20b":                 true,
		"file:///...":                   true,
		"file:///a/..b":                 true,
		"https://example.com":           true,
		"https://example.com/a?b=../c":  true,
		"https://example.com:8443/a":    true,
		"http://[2001:db8::1]:8080/":    true,
		"github://ACME/Widgets/main":    true,
		"note:a b":                      true,
		"urn:isbn:0451450523":           true,
		"docs://x//y":                   true,
		"db+pg://h/%E6%97%A5":           true,
		"notes://büro":                  true,
		"test://static/{id}":            true,
		"repo://acme%2Fwidgets/x":       true,
		"":                              false,
		"relative/path":                 false,
		"/etc/passwd":                   false,
		":x":                            false,
		"1a:x":                          false,
		"FILE:///etc/passwd":            false,
		"file:/etc/passwd":              false,
		"file:etc/passwd":               false,
		"file://localhost/etc/passwd":   false,
		"file:////etc/passwd":           false,
		"file:///etc//passwd":           false,
		"file://":                       false,
		"file:///a/../etc/passwd":       false,
		"file:///a/./b":                 false,
		"file:///a/..":                  false,
		"file:///..":                    false,
		"file:///a/%2e%2e/b":            false,
		"file:///a/%2E%2E/b":            false,
		"file:///a%2F..%2Fb":            false,
		"file:///a%5C..%5Cb":            false,
		"file:///a\\..\\b":              false,
		"file:///%65tc/passwd":          false,
		"file:///a%2fb":                 false,
		"file:///a%":                    false,
		"file:///a%2":                   false,
		"file:///a%zz":                  false,
		"file:///a%00":                  false,
		"file:///a%0A":                  false,
		"file:///a\x00":                 false,
		"file:///.\t./b":                false,
		" file:///a":                    false,
		"file:///a ":                    false,
		"docs://x/../y":                 false,
		"urn:..":                        false,
		"https://Example.com/":          false,
		"https://example.com:443/":      false,
		"https://example.com:0443/":     false,
		"https://example.com:/":         false,
		"https://example.com:x/":        false,
		"http://[::1]:80/":              false,
		"http://:8080/":                 false,
		"https://user@example.com/":     false,
		"https://ex%61mple.com/":        false,
		"https://exämple.com/":          false,
		"https:///path":                 false,
		"https:example.com":             false,
		"https://example.com/a//b":      false,
		"https://example.com/\u007fabc": false,
	} {
		if got := mcp.PlainURI(uri); got != want {
			t.Errorf("plainURI(%q) = %v", uri, got)
		}
	}
}

// An accepted URI's path is what net/url makes of it too.
func FuzzURI(f *testing.F) {
	for _, s := range []string{"file:///a/b", "https://e.com:8/x?y#z", "x:y", "file:///a/../b", "a://b/%2F", "http://[::1]/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !mcp.PlainURI(s) {
			return
		}
		u, err := url.Parse(s)
		if err != nil {
			t.Skip("net/url refuses it")
		}
		if u.Path == "" {
			return
		}
		if clean := u.JoinPath().EscapedPath(); u.Scheme == "file" && clean != u.EscapedPath() {
			t.Errorf("%q: path %q is rewritten to %q", s, u.EscapedPath(), clean)
		}
	})
}
