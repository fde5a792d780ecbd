package token

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

// payloads are about the claims.
func payloads() []attack {
	return slices.Concat(required(), numbers(), names(), texts(), confirmations())
}

// required has every REQUIRED claim (draft-ietf-oauth-transaction-tokens-11
// section 9.2) missing, and of every other type.
func required() []attack {
	var out []attack
	for _, name := range []string{"iat", "exp", "aud", "txn", "sub", "scope", "req_wl"} {
		out = append(out, attack{name + " missing", ed().claims(drop(name)), ReasonMissingClaim})
		values := map[string]string{"null": `null`, "true": `true`, "an object": `{}`, "an empty list": `[]`, "a list of it twice": `["a","b"]`, "an empty text": `""`}
		switch name {
		case "iat", "exp":
			values["a text"] = fmt.Sprintf(`"%d"`, moment)
			values["a list of one"] = fmt.Sprintf(`[%d]`, moment)
		default:
			values["a number"] = "1"
			values["a list in a list"] = `[["a"]]`
		}
		if name != "aud" {
			values["a list of one text"] = `["corp.example"]`
		}
		for kind, v := range values {
			out = append(out, attack{name + " is " + kind, ed().claims(set(name, v)), ReasonMissingClaim})
		}
	}
	return append(out, attack{"everything missing", ed().token(ed().header(), `{}`), ReasonMissingClaim})
}

func numbers() []attack {
	var out []attack
	for _, name := range []string{"exp", "iat", "nbf"} {
		for kind, v := range map[string]string{
			"zero": "0", "minus zero": "-0", "negative": "-1", "a fraction": "1800000000.5", "a small fraction": "1e-9", "huge": "1e300",
			"beyond an int64": "9223372036854775808", "beyond the year 9999": "253402300800", "beyond a float64": "1e400",
			"a thousand digits": strings.Repeat("1", 1000), "hexadecimal": "0x10", "not a number": "NaN", "infinite": "Infinity", "padded with zeros": "01800000000",
		} {
			want := ReasonMissingClaim
			switch kind {
			case "beyond a float64", "a thousand digits", "hexadecimal", "not a number", "infinite", "padded with zeros":
				want = ReasonMalformed // no JSON, or none that all read alike
			}
			out = append(out, attack{name + " is " + kind, ed().claims(set(name, v)), want})
		}
	}
	return append(out,
		attack{"exp is 1e3", ed().claims(set("exp", "1e3")), ReasonExpired},
		attack{"times with an exponent or a point", ed().claims(set("exp", "1.8000003e9"), set("iat", "1799999940.0")), ""},
		attack{"exp is the last second of 9999", ed().claims(until(maxTime)), ReasonTooLong},
		attack{"exp is iat", ed().claims(from(moment), until(moment)), ReasonMissingClaim},
		attack{"exp is before iat", ed().claims(from(moment+3), until(moment+2)), ReasonMissingClaim},
		attack{"nbf a text", ed().claims(set("nbf", `"1"`)), ReasonMissingClaim},
		attack{"nbf null", ed().claims(set("nbf", `null`)), ReasonMissingClaim},
	)
}

// names are names of members that a reader could take for others.
func names() []attack {
	out := []attack{
		{"a name with a long s", ed().claims(add(`"\u017fub":"user:root"`)), ReasonMalformed},
		{"a name with a long s, not escaped", ed().claims(add("\"\u017fcope\":\"all\"")), ReasonMalformed},
		{"a name with a dotless i", ed().claims(add("\"\u0131ss\":\"x\"")), ""},
		{"a name that is longer", ed().claims(add(`"subject":"user:root"`, `"aud ":"x"`, `"expiry":1`)), ""},
		{"a name with a NUL", ed().claims(add(`"sub\u0000":"user:root"`)), ""},
		{"a long name", ed().claims(add(`"Subject_of_this_transaction":"x"`)), ""},
		{"an empty name", ed().claims(add(`"":"x"`)), ""},
		{"a duplicate in tctx", ed().claims(set("tctx", `{"a":1,"a":2}`)), ReasonMalformed},
		{"a duplicate deep in an unknown claim", ed().claims(set("x", `[{"y":{"a":1,"\u0061":2}}]`)), ReasonMalformed},
		{"a payload that is a list", ed().token(ed().header(), `[`+payload()+`]`), ReasonMalformed},
		{"a payload that is null", ed().token(ed().header(), `null`), ReasonMalformed},
		{"a payload that is no JSON", ed().token(ed().header(), `sub=user:root`), ReasonMalformed},
		{"a payload with a byte order mark", ed().token(ed().header(), "\xef\xbb\xbf"+payload()), ReasonMalformed},
		{"a payload of 16 levels", ed().claims(set("x", nested(15))), ""},
		{"a payload of 17 levels", ed().claims(set("x", nested(16))), ReasonMalformed},
	}
	for _, name := range claimNames {
		for _, odd := range []string{strings.ToUpper(name), strings.ToUpper(name[:1]) + name[1:]} {
			out = append(out, attack{"a member " + odd, ed().claims(add(`"` + odd + `":"x"`)), ReasonMalformed})
		}
	}
	for place, v := range map[string]string{
		"act": `{"sub":"a","SUB":"b"}`, "act, beyond ASCII": `{"sub":"a","\u017fub":"b"}`, "act, deep": `{"sub":"a","act":{"sub":"b","Act":{"sub":"c"}}}`, "act, iss": `{"sub":"a","ISS":"b"}`,
	} {
		out = append(out, attack{"other case in " + place, ed().claims(set("act", v)), ReasonMalformed})
	}
	return out
}

func texts() []attack {
	e := ed()
	var out []attack
	for _, name := range []string{"txn", "sub", "req_wl", "iss"} {
		out = append(out,
			attack{name + " of 1,024 bytes", e.claims(set(name, `"`+strings.Repeat("x", 1024)+`"`)), ""},
			attack{name + " of 1,025 bytes", e.claims(set(name, `"`+strings.Repeat("x", 1025)+`"`)), ReasonMissingClaim})
	}
	for form, want := range map[string]Reason{
		"a": "", "a b": "", "!": "", "~": "", "a:b/c?d#e&f": "", "a a": "",
		" a": ReasonMissingClaim, "a ": ReasonMissingClaim, "a  b": ReasonMissingClaim, " ": ReasonMissingClaim, `a\tb`: ReasonMissingClaim,
		`a\nb`: ReasonMissingClaim, `a\u0000b`: ReasonMissingClaim, "a\u00a0b": ReasonMissingClaim, "a\u2003b": ReasonMissingClaim, "é": ReasonMissingClaim,
		`a\"b`: ReasonMissingClaim, `a\\b`: ReasonMissingClaim, `a\u007fb`: ReasonMissingClaim,
	} {
		out = append(out, attack{"scope " + form, e.claims(set("scope", `"`+form+`"`)), want})
	}
	return append(out,
		attack{"aud is a list of one", e.claims(set("aud", `["corp.example"]`)), ""},
		attack{"aud is a list of another", e.claims(set("aud", `["other.example"]`)), ReasonWrongDomain},
		attack{"aud is a prefix", e.claims(set("aud", `"corp"`)), ReasonWrongDomain},
		attack{"aud is longer", e.claims(set("aud", `"corp.example.evil"`)), ReasonWrongDomain},
		attack{"aud in other case", e.claims(set("aud", `"Corp.Example"`)), ReasonWrongDomain},
		attack{"aud with a space", e.claims(set("aud", `"corp.example "`)), ReasonWrongDomain},
		attack{"aud with a NUL", e.claims(set("aud", `"corp.example\u0000"`)), ReasonWrongDomain},
		attack{"aud in escapes", e.claims(set("aud", `"\u0063orp.example"`)), ""},
		attack{"aud a list of the same twice", e.claims(set("aud", `["corp.example","corp.example"]`)), ReasonMissingClaim},
		attack{"iss a number", e.claims(set("iss", `1`)), ReasonMissingClaim},
		attack{"iss empty", e.claims(set("iss", `""`)), ReasonMissingClaim},
		attack{"iss null", e.claims(set("iss", `null`)), ReasonMissingClaim},
		attack{"tctx null", e.claims(set("tctx", `null`)), ReasonMissingClaim},
		attack{"tctx a list", e.claims(set("tctx", `[]`)), ReasonMissingClaim},
		attack{"tctx a text", e.claims(set("tctx", `"{}"`)), ReasonMissingClaim},
		attack{"rctx a text", e.claims(set("rctx", `"{}"`)), ReasonMissingClaim},
		attack{"rctx null", e.claims(set("rctx", `null`)), ReasonMissingClaim},
		attack{"jti of any kind", e.claims(set("jti", `7`)), ""},
	)
}

func confirmations() []attack {
	sum := strings.Repeat("A", 43)
	var out []attack
	for name, a := range map[string]struct {
		cnf  string
		want Reason
	}{
		"a text":                         {`"x"`, ReasonMissingClaim},
		"null":                           {`null`, ReasonMissingClaim},
		"a list":                         {`[]`, ReasonMissingClaim},
		"empty":                          {`{}`, ReasonMissingClaim},
		"a jkt":                          {`{"jkt":"` + sum + `"}`, ReasonNotBound},
		"a jwk":                          {`{"jwk":{"kty":"OKP"}}`, ReasonNotBound},
		"of a kind that nobody knows":    {`{"future":"x"}`, ReasonNotBound},
		"a thumbprint":                   {`{"x5t#S256":"` + sum + `"}`, ReasonNotBound},
		"a thumbprint and a jkt":         {`{"x5t#S256":"` + sum + `","jkt":"` + sum + `"}`, ReasonNotBound},
		"a thumbprint in other case":     {`{"X5T#s256":"` + sum + `"}`, ReasonNotBound},
		"a thumbprint, a number":         {`{"x5t#S256":1}`, ReasonMissingClaim},
		"a thumbprint, empty":            {`{"x5t#S256":""}`, ReasonMissingClaim},
		"a thumbprint, too short":        {`{"x5t#S256":"` + sum[1:] + `"}`, ReasonMissingClaim},
		"a thumbprint, too long":         {`{"x5t#S256":"` + sum + `A"}`, ReasonMissingClaim},
		"a thumbprint with padding":      {`{"x5t#S256":"` + sum[1:] + `="}`, ReasonMissingClaim},
		"a thumbprint with a line break": {`{"x5t#S256":"` + sum[1:] + `\n"}`, ReasonMissingClaim},
		"a thumbprint with bits behind":  {`{"x5t#S256":"` + sum[1:] + `B"}`, ReasonMissingClaim},
		"a thumbprint in hexadecimal":    {`{"x5t#S256":"` + strings.Repeat("a0", 32) + `"}`, ReasonMissingClaim},
	} {
		out = append(out, attack{"cnf is " + name, ed().claims(set("cnf", a.cnf)), a.want})
	}
	return out
}

func TestIssuer(t *testing.T) {
	t.Parallel()
	named := corp(func(d *feedv1.TrustDomain) { d.Issuer = "https://tts.corp.example" })
	for _, tt := range []struct {
		name, iss string
		want      Reason
	}{
		{"equal", `"https://tts.corp.example"`, ""},
		{"missing", "", ReasonWrongIssuer},
		{"another", `"https://tts.evil.example"`, ReasonWrongIssuer},
		{"with a slash behind", `"https://tts.corp.example/"`, ReasonWrongIssuer},
		{"in other case", `"https://TTS.corp.example"`, ReasonWrongIssuer},
		{"a prefix", `"https://tts.corp"`, ReasonWrongIssuer},
		{"a list", `["https://tts.corp.example"]`, ReasonMissingClaim},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := drop("iss")
			if tt.iss != "" {
				e = set("iss", tt.iss)
			}
			c := wants(t, named, ed().claims(e), tt.want)
			if c != nil && c.Issuer != named.Issuer {
				t.Errorf("issuer is %q", c.Issuer)
			}
		})
	}
}

func TestClaims(t *testing.T) {
	t.Parallel()
	raw := ed().claims(
		set("iss", `"https://tts"`), set("nbf", "1"), set("jti", `"j"`), set("rctx", `{"req_ip":"192.0.2.1"}`), set("unknown", `{"deep":[1]}`),
		set("tctx", `{"region":"eu","limit":5,"ratio":0.5,"big":1e30,"on":true,"none":null,"list":["a",{"b":-1.0}],"":"empty"}`),
		set("act", `{"sub":"summarizer","iss":"https://a","act":{"sub":"researcher"}}`), set("sub", `"\u0061lice \ud83d\ude00"`),
	)
	d := corp()
	c, leeway, code := verifier(t, d).Verify(t.Context(), now(), raw, listener(d), Peer{})
	if code != "" || leeway != 5*time.Second {
		t.Fatalf("code %q, leeway %s", code, leeway)
	}
	signed, _ := cutLast(raw)
	want := &Claims{
		Domain: d.Key, Audience: aud, Issuer: "https://tts", Subject: "alice 😀", Txn: txn, Requester: workload,
		Scopes: []string{"research.read", "web.read"}, IssuedAt: time.Unix(issuedAt, 0), ExpiresAt: time.Unix(expires, 0),
		Agent: "summarizer", Actors: []string{"summarizer", "researcher"}, KeyID: "ed", Hash: sha(signed), Rules: 1,
		Context: map[string]any{
			"region": "eu", "limit": int64(5), "ratio": 0.5, "big": 1e30, "on": true, "none": nil, "list": []any{"a", map[string]any{"b": int64(-1)}}, "": "empty",
		},
	}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Error(diff)
	}
	for scope, want := range map[string]bool{"web.read": true, "web": false, "web.read ": false, "": false, "WEB.READ": false} {
		if c.HasScope(scope) != want {
			t.Errorf("has %q: %v", scope, !want)
		}
	}
}

// A token without optional claims has none of what they say.
func TestFewestClaims(t *testing.T) {
	t.Parallel()
	c := wants(t, corp(), ed().claims(), "")
	if c.Issuer != "" || c.Agent != "" || c.Actors != nil || c.Context != nil {
		t.Errorf("claims: %+v", c)
	}
	if c := wants(t, corp(), ed().claims(set("tctx", `{}`)), ""); c.Context == nil || len(c.Context) != 0 {
		t.Errorf("an empty tctx is %#v", c.Context)
	}
}

func TestActors(t *testing.T) {
	t.Parallel()
	chain := func(depth int) string {
		return strings.Repeat(`{"sub":"a","act":`, depth-1) + `{"sub":"a"}` + strings.Repeat("}", depth-1)
	}
	for _, tt := range []struct {
		name, act string
		want      Reason
		actors    []string
	}{
		{"one", `{"sub":"a"}`, "", []string{"a"}},
		{"newest first", `{"sub":"c","act":{"sub":"b","act":{"sub":"a"}}}`, "", []string{"c", "b", "a"}},
		{"the same twice", `{"sub":"a","act":{"sub":"b","act":{"sub":"a"}}}`, "", []string{"a", "b", "a"}},
		{"unknown members", `{"sub":"a","sub_profile":"ai_agent","iss":1}`, "", []string{"a"}},
		{"15 deep", chain(15), "", slices.Repeat([]string{"a"}, 15)},
		{"16 deep", chain(16), ReasonMalformed, nil},
		{"a text", `"a"`, ReasonMissingClaim, nil},
		{"null", `null`, ReasonMissingClaim, nil},
		{"a list", `[{"sub":"a"}]`, ReasonMissingClaim, nil},
		{"empty", `{}`, ReasonMissingClaim, nil},
		{"sub a number", `{"sub":1}`, ReasonMissingClaim, nil},
		{"sub empty", `{"sub":""}`, ReasonMissingClaim, nil},
		{"sub null", `{"sub":null}`, ReasonMissingClaim, nil},
		{"sub too long", `{"sub":"` + strings.Repeat("a", 1025) + `"}`, ReasonMissingClaim, nil},
		{"the inner one a text", `{"sub":"a","act":"b"}`, ReasonMissingClaim, nil},
		{"the inner one null", `{"sub":"a","act":null}`, ReasonMissingClaim, nil},
		{"the inner one empty", `{"sub":"a","act":{}}`, ReasonMissingClaim, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := wants(t, corp(), ed().claims(set("act", tt.act), set("agentic_ctx", `{"current_actor":{"identity":{"workload_id":"x"}}}`)), tt.want)
			if c == nil {
				return
			}
			if diff := cmp.Diff(tt.actors, c.Actors); diff != "" || c.Agent != tt.actors[0] {
				t.Errorf("agent %q, actors:\n%s", c.Agent, diff)
			}
		})
	}
}

func TestAgenticContext(t *testing.T) {
	t.Parallel()
	d := corp(func(d *feedv1.TrustDomain) { d.AgentProfile = v1alpha1.AgentProfileAgenticContext })
	const act = `{"sub":"planner"}`
	current := func(name string) string { return `"current_actor":{"identity":{"workload_id":"` + name + `"}}` }
	for _, tt := range []struct {
		name, act, ctx string
		want           Reason
		actors         []string
	}{
		{"no context", act, "", "", []string{"planner"}},
		{"no context and no act", "", "", "", nil},
		{"empty metadata", act, `{"chain_metadata":{}}`, "", []string{"planner"}},
		{"an empty context", act, `{}`, "", []string{"planner"}},
		{"the form of a single agent", act, `{"prov":{"model_id":"m"},"posture":{"tee":true},"identity":{"workload_id":"w"}}`, "", []string{"planner"}},
		{"a current actor", act, `{` + current("w") + `}`, "", []string{"w", "planner"}},
		{"a current actor without act", "", `{` + current("w") + `}`, "", []string{"w"}},
		{"a current actor that is in act", act, `{` + current("planner") + `}`, "", []string{"planner"}},
		{"a path, newest first", act, `{` + current("w") + `,"chain_metadata":{"txn_path":["planner","x"],"hop_count":2}}`, "", []string{"w", "x", "planner"}},
		// Who handed a transaction over does not act in it.
		{"a path without a current actor", act, `{"chain_metadata":{"txn_path":["x","y"]}}`, "", []string{"planner", "y", "x"}},
		{"a path and nobody that acts", "", `{"chain_metadata":{"txn_path":["x"]}}`, ReasonMissingClaim, nil},
		{"a path of 32", act, `{` + current("w") + `,"chain_metadata":{"txn_path":["a"` + strings.Repeat(`,"a"`, 31) + `]}}`, "", []string{"w", "a", "planner"}},
		{"a path of 33", act, `{` + current("w") + `,"chain_metadata":{"txn_path":["a"` + strings.Repeat(`,"a"`, 32) + `]}}`, ReasonMissingClaim, nil},
		{"32 others", act, `{` + current("w") + `,"chain_metadata":{"txn_path":[` + many(32) + `]}}`, ReasonMissingClaim, nil},
		{"a context that is a text", act, `"x"`, ReasonMissingClaim, nil},
		{"a context that is null", act, `null`, ReasonMissingClaim, nil},
		{"a current actor that is a text", act, `{"current_actor":"w"}`, ReasonMissingClaim, nil},
		{"a current actor without identity", act, `{"current_actor":{}}`, ReasonMissingClaim, nil},
		{"an identity that is a text", act, `{"current_actor":{"identity":"w"}}`, ReasonMissingClaim, nil},
		{"an identity without a name", act, `{"current_actor":{"identity":{}}}`, ReasonMissingClaim, nil},
		{"a name that is a list", act, `{"current_actor":{"identity":{"workload_id":["w"]}}}`, ReasonMissingClaim, nil},
		{"an empty name", act, `{` + current("") + `}`, ReasonMissingClaim, nil},
		{"metadata that are a list", act, `{"chain_metadata":[]}`, ReasonMissingClaim, nil},
		{"a path that is a text", act, `{"chain_metadata":{"txn_path":"x"}}`, ReasonMissingClaim, nil},
		{"a path with a number", act, `{"chain_metadata":{"txn_path":["x",1]}}`, ReasonMissingClaim, nil},
		{"a path with an empty name", act, `{"chain_metadata":{"txn_path":[""]}}`, ReasonMissingClaim, nil},
		{"an act that cannot be read", `"planner"`, `{` + current("w") + `}`, ReasonMissingClaim, nil},
		{"current_actor in other case", act, `{"Current_Actor":{}}`, ReasonMalformed, nil},
		{"chain_metadata in other case", act, `{"CHAIN_METADATA":{}}`, ReasonMalformed, nil},
		{"identity in other case", act, `{"current_actor":{"identity":{"workload_id":"w"},"Identity":{"workload_id":"v"}}}`, ReasonMalformed, nil},
		{"workload_id with a Kelvin sign", act, `{"current_actor":{"identity":{"workload_id":"w","wor\u212aload_id":"v"}}}`, ReasonMalformed, nil},
		{"txn_path in other case", act, `{"chain_metadata":{"txn_path":[],"TXN_PATH":["x"]}}`, ReasonMalformed, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var edits []edit
			if tt.act != "" {
				edits = append(edits, set("act", tt.act))
			}
			if tt.ctx != "" {
				edits = append(edits, set("agentic_ctx", tt.ctx))
			}
			c := wants(t, d, ed().claims(edits...), tt.want)
			if c == nil {
				return
			}
			agent := ""
			if len(tt.actors) > 0 {
				agent = tt.actors[0]
			}
			if diff := cmp.Diff(tt.actors, c.Actors); diff != "" || c.Agent != agent {
				t.Errorf("agent %q, actors:\n%s", c.Agent, diff)
			}
		})
	}
}

func many(n int) string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprintf(`"a%d"`, i))
	}
	return strings.Join(out, ",")
}

// A feed may be newer than this guard: what says who the agent is, and is not
// known here, says nothing.
func TestUnknownAgentProfile(t *testing.T) {
	t.Parallel()
	for _, p := range []v1alpha1.AgentProfile{"", "actor", "Later"} {
		wants(t, corp(func(d *feedv1.TrustDomain) { d.AgentProfile = p }), ed().claims(), ReasonMissingClaim)
	}
}

// fold agrees with strings.EqualFold on every letter, so that no name is taken
// for a claim by a reader that does not look at case and passed over here.
func TestFoldKnowsEveryLetter(t *testing.T) {
	t.Parallel()
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if !utf8.ValidRune(r) {
			continue
		}
		folded := string(fold(nil, string(r)))
		for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
			if other < utf8.RuneSelf && folded != strings.ToLower(string(other)) {
				t.Errorf("%U can be taken for %q, and fold makes %q of it", r, other, folded)
			}
		}
		if r >= utf8.RuneSelf && folded != "" && !strings.EqualFold(folded, string(r)) {
			t.Errorf("nobody takes %U for %q", r, folded)
		}
	}
}
