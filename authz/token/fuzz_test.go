package token

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/authz/token/jwks"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

// theirs are claims as a program reads them that uses golang-jwt, and through
// it encoding/json, which does not look at the case of names.
type theirs struct {
	Issuer    string           `json:"iss"`
	Subject   string           `json:"sub"`
	Audience  jwt.ClaimStrings `json:"aud"`
	ExpiresAt *jwt.NumericDate `json:"exp"`
	NotBefore *jwt.NumericDate `json:"nbf"`
	IssuedAt  *jwt.NumericDate `json:"iat"`
	Txn       string           `json:"txn"`
	Scope     string           `json:"scope"`
	Requester string           `json:"req_wl"`
	Act       *theirActor      `json:"act"`
	Context   map[string]any   `json:"tctx"`
	Agentic   json.RawMessage  `json:"agentic_ctx"` // read only where the profile says so
}

type theirAgentic struct {
	Current struct {
		Identity struct {
			Workload string `json:"workload_id"`
		} `json:"identity"`
	} `json:"current_actor"`
	Chain struct {
		Path []string `json:"txn_path"`
	} `json:"chain_metadata"`
}

type theirActor struct {
	Subject string      `json:"sub"`
	Act     *theirActor `json:"act"`
}

func (c *theirs) GetExpirationTime() (*jwt.NumericDate, error) { return c.ExpiresAt, nil }
func (c *theirs) GetIssuedAt() (*jwt.NumericDate, error)       { return c.IssuedAt, nil }
func (c *theirs) GetNotBefore() (*jwt.NumericDate, error)      { return c.NotBefore, nil }
func (c *theirs) GetIssuer() (string, error)                   { return c.Issuer, nil }
func (c *theirs) GetSubject() (string, error)                  { return c.Subject, nil }
func (c *theirs) GetAudience() (jwt.ClaimStrings, error)       { return c.Audience, nil }

// reading is what counts of claims, in one form for all readers.
type reading struct {
	Issuer, Subject, Audience, Txn, Scope, Requester string
	IssuedAt, ExpiresAt                              int64
	Actors                                           []string
	Context                                          any
}

func ours(c *Claims) reading {
	return reading{
		Issuer: c.Issuer, Subject: c.Subject, Audience: c.Audience, Txn: c.Txn, Scope: strings.Join(c.Scopes, " "), Requester: c.Requester,
		IssuedAt: c.IssuedAt.Unix(), ExpiresAt: c.ExpiresAt.Unix(), Actors: c.Actors, Context: floats(c.Context),
	}
}

func (c *theirs) reading(t testing.TB, p v1alpha1.AgentProfile) reading {
	if len(c.Audience) != 1 || c.IssuedAt == nil || c.ExpiresAt == nil {
		t.Fatalf("another reader finds %+v", c)
	}
	r := reading{
		Issuer: c.Issuer, Subject: c.Subject, Audience: c.Audience[0], Txn: c.Txn, Scope: c.Scope, Requester: c.Requester,
		IssuedAt: c.IssuedAt.Unix(), ExpiresAt: c.ExpiresAt.Unix(), Context: floats(c.Context),
	}
	for a := c.Act; a != nil; a = a.Act {
		r.Actors = append(r.Actors, a.Subject)
	}
	if p == v1alpha1.AgentProfileAgenticContext && c.Agentic != nil {
		var a theirAgentic
		if err := json.Unmarshal(c.Agentic, &a); err != nil {
			t.Fatalf("believed, and encoding/json cannot read it: %v", err)
		}
		r.Actors = a.actors(r.Actors)
	}
	return r
}

// actors puts the current actor first, and the path behind who acts.
func (a *theirAgentic) actors(act []string) []string {
	var all, out []string
	if name := a.Current.Identity.Workload; name != "" {
		all = append(all, name)
	} else if len(act) > 0 {
		all, act = append(all, act[0]), act[1:]
	}
	path := slices.Clone(a.Chain.Path)
	slices.Reverse(path)
	for _, n := range append(append(all, path...), act...) {
		if !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}

// floats makes every number a float64, and an empty object none.
func floats(v any) any {
	switch x := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, e := range x {
			out[k] = floats(e)
		}
		return out
	case []any:
		out := make([]any, len(x))
		for i, e := range x {
			out[i] = floats(e)
		}
		return out
	case int64:
		return float64(x)
	}
	return v
}

// sameToAll fails where another reader finds other claims in a payload than c.
func sameToAll(t testing.TB, payload []byte, c *Claims, p v1alpha1.AgentProfile) {
	t.Helper()
	want := ours(c)
	var s theirs
	if err := json.Unmarshal(payload, &s); err != nil {
		t.Fatalf("believed, and encoding/json cannot read it: %v", err)
	}
	got := s.reading(t, p)
	got.ExpiresAt = min(got.ExpiresAt, want.ExpiresAt) // the transaction's end may come first
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("a struct of encoding/json has other claims:\n%s", diff)
	}
	var m map[string]any
	if err := json.Unmarshal(payload, &m); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"sub": want.Subject, "txn": want.Txn, "scope": want.Scope, "req_wl": want.Requester} {
		if m[name] != want {
			t.Fatalf("a map of encoding/json has %s %q, not %q", name, m[name], want)
		}
	}
	if iat, ok := m["iat"].(float64); !ok || int64(iat) != want.IssuedAt {
		t.Fatalf("a map of encoding/json has iat %v, not %d", m["iat"], want.IssuedAt)
	}
}

// parts are headers and payloads of known attacks.
func parts(add func(header, payload string)) {
	for _, a := range attacks() {
		if p := strings.Split(a.raw, "."); len(p) == 3 && len(a.raw) <= MaxBytes {
			h, errH := base64.RawURLEncoding.DecodeString(p[0])
			b, errB := base64.RawURLEncoding.DecodeString(p[1])
			if errH == nil && errB == nil {
				add(string(h), string(b))
			}
		}
	}
	add(ed().header(), payload(set("iss", `"https://tts"`), set("tctx", `{"a":[1,2.5,{"b":null}]}`), set("act", `{"sub":"a","act":{"sub":"b"}}`),
		set("agentic_ctx", `{"current_actor":{"identity":{"workload_id":"w"}},"chain_metadata":{"txn_path":["b","a"]}}`)))
}

// What is believed, golang-jwt believes too and reads alike, and Inspect says
// the same of it.
func FuzzVerify(f *testing.F) {
	parts(func(h, p string) { f.Add(h, p) })
	d := corp()
	d.KeySet.JWKS = jwksOf("ed")
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"EdDSA"}), jwt.WithAudience(aud), jwt.WithExpirationRequired(), jwt.WithIssuedAt(),
		jwt.WithLeeway(d.Leeway), jwt.WithTimeFunc(now), jwt.WithStrictDecoding())
	key := func(*jwt.Token) (any, error) { return ed().private.Public().(ed25519.PublicKey), nil }
	f.Fuzz(func(t *testing.T, header, payload string) {
		raw := ed().token(header, payload)
		c, _, code := verifier(t, d).Verify(t.Context(), now(), raw, listener(d), Peer{})
		agrees(t, raw, d, Peer{}, code)
		if code != "" {
			if c != nil {
				t.Fatalf("claims come with %q", code)
			}
			return
		}
		var s theirs
		token, err := parser.ParseWithClaims(raw, &s, key)
		if err != nil || !token.Valid || token.Method != jwt.SigningMethodEdDSA {
			t.Fatalf("believed, and golang-jwt refuses it: %v", err)
		}
		if _, err := parser.Parse(raw, key); err != nil {
			t.Fatalf("believed, and golang-jwt refuses it as a map: %v", err)
		}
		sameToAll(t, []byte(payload), c, d.AgentProfile)
		if !c.ExpiresAt.After(now().Add(-d.Leeway)) || c.IssuedAt.After(now().Add(d.Leeway)) || c.Audience != aud {
			t.Fatalf("believed: %+v", c)
		}
	})
}

// agrees fails unless Inspect says what Verify said.
func agrees(t testing.TB, raw string, d feedv1.TrustDomain, p Peer, code string) {
	t.Helper()
	all := steps()
	i := Inspect(t.Context(), now(), raw, []feedv1.TrustDomain{d}, p, jwks.Config{})
	if i.Believed != (code == "") || i.Reason.Code() != code {
		t.Fatalf("Verify says %q, Inspect %q (believed %v) of %s", code, i.Reason.Code(), i.Believed, raw)
	}
	if i.Believed == slices.ContainsFunc(i.Checks, func(c Check) bool { return !c.OK }) || len(i.Checks) != len(all[:]) {
		t.Fatalf("believed %v with checks %+v", i.Believed, i.Checks)
	}
}

// FuzzClaims is FuzzVerify without the cost of a signature, and in both
// profiles.
func FuzzClaims(f *testing.F) {
	parts(func(_, p string) { f.Add([]byte(p), false); f.Add([]byte(p), true) })
	f.Fuzz(func(t *testing.T, payload []byte, agentic bool) {
		d := corp()
		if agentic {
			d.AgentProfile = v1alpha1.AgentProfileAgenticContext
		}
		a := attempt{now: now(), domain: &domain{TrustDomain: d}}
		a.compact.payload = bytes.Clone(payload)
		if a.readPayload(t.Context()) != nil || a.readClaims(t.Context()) != nil {
			if a.claims != nil {
				t.Fatal("claims of what was refused")
			}
			return
		}
		if got, rej := audience(a.body.Root()); rej != nil || got != aud {
			return // of no domain that is believed
		}
		c := a.claims
		sameToAll(t, payload, c, d.AgentProfile)
		if !slices.ContainsFunc([]string{c.Subject, c.Txn, c.Requester}, func(s string) bool { return s == "" || len(s) > maxName }) &&
			len(c.Actors) <= maxActors && len(c.Scopes) > 0 && (c.Agent == "") == (len(c.Actors) == 0) &&
			c.IssuedAt.Unix() > 0 && c.ExpiresAt.Before(time.Unix(maxTime+1, 0)) {
			return
		}
		t.Fatalf("claims beyond their bounds: %+v", c)
	})
}

// FuzzSplit holds the parts against a plainer answer, both ways.
func FuzzSplit(f *testing.F) {
	for _, a := range forms() {
		if len(a.raw) < 1<<10 { // longer ones are slow to make smaller
			f.Add(a.raw)
		}
	}
	for _, s := range []string{"a.b.c", "AA.AA.AA", "AB.AA.AA", "AA.AA", "AA.AA.AA.AA", "AA==.AA.AA", "A.A.A", "AA.AA.AA,AA.AA.AA", "-_.-_.-_"} {
		f.Add(s)
	}
	form := regexp.MustCompile(`^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$`)
	f.Fuzz(func(t *testing.T, raw string) {
		c, rej := split(raw)
		want := len(raw) <= MaxBytes && form.MatchString(raw) && !strings.HasSuffix(raw, "\n")
		for p := range strings.SplitSeq(raw, ".") {
			b, err := base64.RawURLEncoding.DecodeString(p)
			want = want && err == nil && b64(b) == p
		}
		if (rej == nil) != want {
			t.Fatalf("%q: %v", raw, rej)
		}
		if rej != nil {
			return
		}
		if b64(c.header)+"."+b64(c.payload) != c.signed || c.signed+"."+b64(c.signature) != raw {
			t.Fatalf("%q: %+v", raw, c)
		}
		if _, err := jwt.NewParser(jwt.WithStrictDecoding()).DecodeSegment(strings.Split(raw, ".")[2]); err != nil {
			t.Fatalf("golang-jwt cannot decode what is decoded here: %v", err)
		}
	})
}
