package token

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/gateway/api/feedv1"
)

// fixed is randomness that is none.
func fixed() io.Reader {
	return bytes.NewReader([]byte("abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
}

func mintKey(t testing.TB) *Key {
	t.Helper()
	k, err := Generate(fixed())
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// local believes what k signs.
func local(k *Key) feedv1.TrustDomain {
	return corp(func(d *feedv1.TrustDomain) { d.KeySet.JWKS = k.JWKS() })
}

// params are those of a token that is made.
func params(change ...func(*Params)) Params {
	p := Params{
		Audience: aud, Subject: subject, Txn: txn, Requester: workload, Scopes: []string{"research.read"}, IssuedAt: now(), Lifetime: 5 * time.Minute,
	}
	for _, c := range change {
		c(&p)
	}
	return p
}

func TestMintedIsBelieved(t *testing.T) {
	t.Parallel()
	k := mintKey(t)
	d := local(k)
	for _, tt := range []struct {
		name  string
		edit  func(*Params)
		check func(*Claims) bool
	}{
		{"as it is", func(*Params) {}, func(c *Claims) bool {
			return c.Subject == subject && c.Requester == workload && c.Agent == "" && c.Actors == nil && c.Context == nil && c.Issuer == ""
		}},
		{"an issuer", func(p *Params) { p.Issuer = "https://tts" }, func(c *Claims) bool { return c.Issuer == "https://tts" }},
		{"no requester", func(p *Params) { p.Requester = "" }, func(c *Claims) bool { return c.Requester == DefaultRequester }},
		{"no scopes", func(p *Params) { p.Scopes = nil }, func(c *Claims) bool { return cmp.Equal(c.Scopes, []string{NoScope}) }},
		{"scopes", func(p *Params) { p.Scopes = []string{"b", "a", "b"} }, func(c *Claims) bool { return cmp.Equal(c.Scopes, []string{"b", "a", "b"}) }},
		{"an agent", func(p *Params) { p.Agent = "a" }, func(c *Claims) bool { return c.Agent == "a" && cmp.Equal(c.Actors, []string{"a"}) }},
		{"actors", func(p *Params) { p.Agent, p.Actors = "c", []string{"b", "a"} }, func(c *Claims) bool {
			return c.Agent == "c" && cmp.Equal(c.Actors, []string{"c", "b", "a"})
		}},
		{"as many actors as can be", func(p *Params) { p.Agent, p.Actors = "a", strings.Split(strings.Repeat("a", 14), "") }, func(c *Claims) bool { return len(c.Actors) == 15 }},
		{"a context", func(p *Params) {
			p.Context = map[string]any{"region": "eu", "n": 5, "f": 0.25, "list": []string{"<a&b>"}, "raw": json.RawMessage(`{"x":[true,null]}`)}
		}, func(c *Claims) bool {
			return cmp.Equal(c.Context, map[string]any{"region": "eu", "n": int64(5), "f": 0.25, "list": []any{"<a&b>"}, "raw": map[string]any{"x": []any{true, nil}}})
		}},
		{"an empty context", func(p *Params) { p.Context = map[string]any{} }, func(c *Claims) bool { return c.Context == nil }},
		{"names beyond ASCII", func(p *Params) { p.Subject, p.Agent = "用户:\u2028<é>\"\\", "\x00\x1b[2J" }, func(c *Claims) bool {
			return c.Subject == "用户:\u2028<é>\"\\" && c.Agent == "\x00\x1b[2J"
		}},
		{"names as long as can be", func(p *Params) { p.Subject = strings.Repeat("s", 1024) }, func(c *Claims) bool { return len(c.Subject) == 1024 }},
		{"a second", func(p *Params) { p.Lifetime = time.Second }, func(c *Claims) bool { return c.ExpiresAt.Sub(c.IssuedAt) == time.Second }},
		{"parts of a second", func(p *Params) {
			p.IssuedAt, p.Lifetime = now().Add(900*time.Millisecond), 1900*time.Millisecond
		}, func(c *Claims) bool {
			return c.IssuedAt.Equal(now()) && c.ExpiresAt.Sub(c.IssuedAt) == time.Second
		}},
		{"a txn made up", func(p *Params) { p.Txn = "" }, func(c *Claims) bool { return c.Txn == "61626364-6566-4768-a96a-6b6c6d6e6f70" }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			raw, err := k.Mint(params(tt.edit), fixed())
			if err != nil {
				t.Fatal(err)
			}
			c := wants(t, d, string(raw), "")
			if c == nil || !tt.check(c) || c.KeyID != k.ID() || c.Audience != aud {
				t.Errorf("claims: %+v", c)
			}
			again, err := k.Mint(params(tt.edit), fixed())
			if err != nil || raw != again {
				t.Errorf("another token of the same: %v", err)
			}
		})
	}
}

// What no verifier could believe is not made.
func TestNotMinted(t *testing.T) {
	t.Parallel()
	k := mintKey(t)
	deep := any("x")
	for range 15 {
		deep = []any{deep}
	}
	for _, tt := range []struct {
		name string
		edit func(*Params)
		want string
	}{
		{"no audience", func(p *Params) { p.Audience = "" }, "needs an audience"},
		{"no subject", func(p *Params) { p.Subject = "" }, "needs an audience and a subject"},
		{"no life", func(p *Params) { p.Lifetime = 0 }, "its life is 0s"},
		{"less than a second", func(p *Params) { p.Lifetime = time.Second - 1 }, "at least 1s"},
		{"a negative life", func(p *Params) { p.Lifetime = -time.Hour }, "at least 1s"},
		{"actors without an agent", func(p *Params) { p.Actors = []string{"a"} }, "no agent"},
		{"an actor without a name", func(p *Params) { p.Agent, p.Actors = "a", []string{""} }, "act.act.sub"},
		{"too many actors", func(p *Params) { p.Agent, p.Actors = "a", strings.Split(strings.Repeat("a", 15), "") }, "depth"},
		{"an empty scope", func(p *Params) { p.Scopes = []string{"a", ""} }, `scope "" is not one word`},
		{"a scope of two words", func(p *Params) { p.Scopes = []string{"a b"} }, `scope "a b" is not one word`},
		{"a scope with a tab", func(p *Params) { p.Scopes = []string{"a\tb"} }, "is not one word"},
		{"a scope beyond ASCII", func(p *Params) { p.Scopes = []string{"é"} }, "is not one word"},
		{"a subject that is too long", func(p *Params) { p.Subject = strings.Repeat("s", 1025) }, "sub is not a text of 1 to 1024 bytes"},
		{"a txn that is too long", func(p *Params) { p.Txn = strings.Repeat("s", 1025) }, "txn is not"},
		{"a requester that is too long", func(p *Params) { p.Requester = strings.Repeat("s", 1025) }, "req_wl is not"},
		{"a subject that is not UTF-8", func(p *Params) { p.Subject = "\xff" }, "not UTF-8"},
		{"two halves of a letter", func(p *Params) { p.Subject, p.Txn = "a\xc3", "\xa9" }, "not UTF-8"},
		{"an agent that is not UTF-8", func(p *Params) { p.Agent = "\xc3" }, "not UTF-8"},
		{"a context that is too deep", func(p *Params) { p.Context = map[string]any{"x": deep} }, "depth"},
		{"a context that is no JSON", func(p *Params) { p.Context = map[string]any{"x": func() {}} }, "unsupported type"},
		{"a context with a name twice", func(p *Params) { p.Context = map[string]any{"x": json.RawMessage(`{"a":1,"a":2}`)} }, "duplicate_key"},
		{"too much context", func(p *Params) { p.Context = map[string]any{"x": strings.Repeat("x", MaxBytes)} }, "none is believed above 8192"},
		{"before 1970", func(p *Params) { p.IssuedAt = time.Time{} }, "iat is not"},
		{"behind the year 9999", func(p *Params) { p.IssuedAt = time.Unix(maxTime, 0) }, "exp is not"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			raw, err := k.Mint(params(tt.edit), fixed())
			if err == nil || raw != "" || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("%q, %v, want %q", raw, err, tt.want)
			}
			hides(t, k, err.Error())
		})
	}
}

func TestMintWithoutRandomness(t *testing.T) {
	t.Parallel()
	k := mintKey(t)
	broken := errors.New("broken")
	for name, r := range map[string]io.Reader{"broken": iotest.ErrReader(broken), "short": strings.NewReader("abc")} {
		raw, err := k.Mint(params(func(p *Params) { p.Txn = "" }), r)
		if raw != "" || err == nil || name == "broken" && !errors.Is(err, broken) {
			t.Errorf("%s: %q, %v", name, raw, err)
		}
		if _, err := k.Mint(params(), r); err != nil {
			t.Errorf("%s, with a txn given: %v", name, err)
		}
	}
}

// A txn that is made up is a random UUID (RFC 9562 section 5.4), and another
// each time.
func TestTxnIsMadeUp(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	r := fixed()
	one, errOne := newTxn(r)
	two, errTwo := newTxn(r)
	if err := errors.Join(errOne, errTwo); err != nil || one == two || !form.MatchString(one) || !form.MatchString(two) {
		t.Errorf("%q, %q, %v", one, two, err)
	}
}

// hides fails where text has the private half of a key.
func hides(t testing.TB, k *Key, text string) {
	t.Helper()
	seed := k.Private().Seed()
	for _, form := range []string{
		string(seed), hex.EncodeToString(seed), base64.StdEncoding.EncodeToString(seed), b64(seed), strings.Trim(fmt.Sprint(seed), "[]"),
	} {
		if strings.Contains(strings.ToLower(text), strings.ToLower(form)) {
			t.Errorf("the key is shown in %q", text)
		}
	}
}
