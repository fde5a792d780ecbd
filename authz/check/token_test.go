package check

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/authz/denial"
	"github.com/hopgate/hopgate/authz/surface"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

func basic(userPass string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(userPass))
}

// TestTokenOf goes through what may stand in the two headers.
func TestTokenOf(t *testing.T) {
	t.Parallel()
	const (
		missing   = denial.TokenMissing
		malformed = denial.TokenMalformed
	)
	for _, tc := range []struct {
		name string
		own  []string // Txn-Token
		auth []string // Proxy-Authorization
		// raw and code at a proxy; at a route auth says nothing.
		raw, code string
	}{
		{name: "nothing", code: missing},
		{name: "own", own: []string{"a.b.c"}, raw: "a.b.c"},
		{name: "own, empty", own: []string{""}, raw: ""},
		{name: "own, joined by a comma", own: []string{"a.b.c, d.e.f"}, raw: "a.b.c, d.e.f"},
		{name: "own, twice", own: []string{"a.b.c", "a.b.c"}, code: malformed},
		{name: "own, twice, and a password", own: []string{"a.b.c", "a.b.c"}, auth: []string{basic("u:a.b.c")}, code: malformed},

		{name: "bearer", auth: []string{"Bearer a.b.c"}, raw: "a.b.c"},
		{name: "bearer in any case", auth: []string{"bEARER a.b.c"}, raw: "a.b.c"},
		{name: "bearer, two spaces", auth: []string{"Bearer  a.b.c"}, raw: " a.b.c"},
		{name: "bearer, joined by a comma", auth: []string{"Bearer a.b.c, Basic eA=="}, raw: "a.b.c, Basic eA=="},
		{name: "bearer, empty", auth: []string{"Bearer "}, code: missing},
		{name: "bearer, no space", auth: []string{"Bearer"}, code: missing},
		{name: "bearer, a tab", auth: []string{"Bearer\ta.b.c"}, code: missing},

		{name: "password", auth: []string{basic("agent:a.b.c")}, raw: "a.b.c"},
		{name: "password, scheme in any case", auth: []string{"bASIC" + basic("agent:a.b.c")[5:]}, raw: "a.b.c"},
		{name: "password, no user", auth: []string{basic(":a.b.c")}, raw: "a.b.c"},
		{name: "password with a colon", auth: []string{basic("agent:a:b")}, raw: "a:b"},
		{name: "empty password", auth: []string{basic("agent:")}, code: missing},
		{name: "no password", auth: []string{basic("a.b.c")}, code: missing},
		{name: "basic, empty", auth: []string{"Basic "}, code: missing},
		{name: "basic, no space", auth: []string{"Basic"}, code: missing},
		{name: "bad base64", auth: []string{"Basic !!!!"}, code: malformed},
		{name: "base64 without padding", auth: []string{strings.TrimRight(basic("u:ab"), "=")}, code: malformed},
		{name: "base64 with bits that say nothing", auth: []string{"Basic dTphYg=="[:len("Basic dTphY")] + "h=="}, code: malformed},
		{name: "base64 of URLs", auth: []string{"Basic dTp-fn5-"}, code: malformed},
		{name: "basic, joined by a comma", auth: []string{basic("u:a.b.c") + ", " + basic("u:d.e.f")}, code: malformed},

		{name: "another scheme", auth: []string{"Digest username=x"}, code: missing},
		{name: "empty", auth: []string{""}, code: missing},
		{name: "a token alone", auth: []string{"a.b.c"}, code: missing},
		{name: "huge", auth: []string{"Bearer " + strings.Repeat("x", maxAuthorization)}, code: malformed},
		{name: "huge, and another scheme", auth: []string{"Digest " + strings.Repeat("x", maxAuthorization)}, code: malformed},
		{name: "as long as it may be", auth: []string{"Bearer " + strings.Repeat("x", maxAuthorization-7)}, raw: strings.Repeat("x", maxAuthorization-7)},

		{name: "twice the same", auth: []string{"Bearer a.b.c", "Bearer a.b.c"}, code: malformed},
		{name: "twice, then none", auth: []string{"Bearer a.b.c", basic("agent:")}, code: malformed},
		{name: "twice another scheme", auth: []string{"Digest a", "Digest b"}, code: malformed},

		{name: "both, the same", own: []string{"a.b.c"}, auth: []string{basic("u:a.b.c")}, raw: "a.b.c"},
		{name: "both, and they differ", own: []string{"a.b.c"}, auth: []string{"Bearer d.e.f"}, code: malformed},
		{name: "both, own empty", own: []string{""}, auth: []string{"Bearer d.e.f"}, code: malformed},
		{name: "own, and an empty password", own: []string{"a.b.c"}, auth: []string{basic("agent:")}, raw: "a.b.c"},
		{name: "own, and another scheme", own: []string{"a.b.c"}, auth: []string{"Digest x"}, raw: "a.b.c"},
		{name: "own, and bad base64", own: []string{"a.b.c"}, auth: []string{"Basic !!!!"}, code: malformed},
		{name: "own, and another scheme twice", own: []string{"a.b.c"}, auth: []string{"Digest x", "Digest x"}, code: malformed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var r Request
			for _, v := range tc.own {
				r.Headers[HeaderTxnToken].Add(v)
			}
			for _, v := range tc.auth {
				r.Headers[HeaderProxyAuthorization].Add(v)
			}
			if raw, code := tokenOf(&r, wire.EntryProxy); raw != tc.raw || code != tc.code {
				t.Errorf("at a proxy: %.40q, %q, want %.40q, %q", raw, code, tc.raw, tc.code)
			}
			for _, entry := range []wire.Entry{wire.EntryRoute, wire.EntryInner, "other"} {
				wantRaw, wantCode := onRoute(tc.own)
				if raw, code := tokenOf(&r, entry); raw != wantRaw || code != wantCode {
					t.Errorf("at %s: %.40q, %q, want %.40q, %q", entry, raw, code, wantRaw, wantCode)
				}
			}
		})
	}
}

func onRoute(own []string) (raw, code string) {
	switch len(own) {
	case 0:
		return "", denial.TokenMissing
	case 1:
		return own[0], ""
	}
	return "", denial.TokenMalformed
}

// FuzzTokenOf: what is found was there, whole; two tokens are never one.
func FuzzTokenOf(f *testing.F) {
	f.Add("a.b.c", basic("u:a.b.c"), true, true)
	f.Add("a.b.c", "Bearer d.e.f", true, true)
	f.Add("", "Basic !!", false, true)
	f.Fuzz(func(t *testing.T, own, auth string, hasOwn, hasAuth bool) {
		var r Request
		if hasOwn {
			r.Headers[HeaderTxnToken] = surface.One(own)
		}
		if hasAuth {
			r.Headers[HeaderProxyAuthorization] = surface.One(auth)
		}
		raw, code := tokenOf(&r, wire.EntryProxy)
		if code != "" {
			if raw != "" || !slices.Contains([]string{denial.TokenMissing, denial.TokenMalformed}, code) {
				t.Fatalf("%q with code %q", raw, code)
			}
			return
		}
		pass, passCode := password(auth)
		inOwn, inAuth := hasOwn && own == raw, hasAuth && passCode == "" && pass == raw
		if !inOwn && !inAuth || hasOwn && !inOwn {
			t.Fatalf("%q is neither in %q nor in %q", raw, own, auth)
		}
		if hasAuth && passCode == "" && hasOwn && pass != own {
			t.Fatalf("%q was taken of two tokens, %q and %q", raw, own, pass)
		}
	})
}
