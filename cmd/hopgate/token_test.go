package main

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/authz/token"
)

// fixedKey puts a key into a state folder that is the same each time.
func fixedKey(t *testing.T, state string) *token.Key {
	t.Helper()
	k, err := token.Generate(strings.NewReader(strings.Repeat("hopgate", 5)))
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(k.Private())
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(state, "local-key.pem"), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
	return k
}

// issued is when the tokens of these tests are.
func issued() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// fixedToken is the same each time.
func fixedToken(t *testing.T, k *token.Key, change func(*token.Params)) string {
	t.Helper()
	p := token.Params{
		Audience: "local", Subject: "alice", Txn: "txn-1", Agent: "researcher", Actors: []string{"planner"},
		Scopes: []string{"web.read", "web.write"}, Context: map[string]any{"region": "eu", "mark": "\u202egnp\x1b[2J"},
		IssuedAt: issued(), Lifetime: 10 * time.Minute,
	}
	if change != nil {
		change(&p)
	}
	s, err := k.Mint(p, strings.NewReader(strings.Repeat("r", 64)))
	if err != nil {
		t.Fatal(err)
	}
	return string(s)
}

// What sign makes is all that is on standard output, and inspect believes it.
func TestSignAndInspect(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := hopgate(t, dir, "token", "sign", "--subject", "alice", "--agent", "researcher", "--actor", "planner", "--actor", "boss",
		"--scope", "a", "--scope", "b", "--txn", "job-7", "--ttl", "5m", "--context", "region=eu", "--context", "limit:=5").want(t, 0)
	if !regexp.MustCompile(`^[\w-]+\.[\w-]+\.[\w-]+\n$`).MatchString(r.stdout) || r.stderr != "" {
		t.Fatalf("it said %q and %q", r.stdout, r.stderr)
	}
	got := call{args: []string{"token", "inspect", "-o", "json"}, dir: dir, stdin: r.stdout}.do(t).want(t, 0)
	var i struct {
		Claims   map[string]any
		Believed bool
		Domain   string `json:"trustDomain"`
	}
	if err := json.Unmarshal([]byte(got.stdout), &i); err != nil {
		t.Fatal(err)
	}
	if !i.Believed || i.Domain != "default/local" {
		t.Errorf("it is not believed, or of %q", i.Domain)
	}
	if life := i.Claims["exp"].(float64) - i.Claims["iat"].(float64); life != 300 {
		t.Errorf("it lives for %v s", life)
	}
	delete(i.Claims, "iat")
	delete(i.Claims, "exp")
	want := map[string]any{
		"aud": "local", "sub": "alice", "txn": "job-7", "scope": "a b", "req_wl": "hopgate-token-sign",
		"act":  map[string]any{"sub": "researcher", "act": map[string]any{"sub": "planner", "act": map[string]any{"sub": "boss"}}},
		"tctx": map[string]any{"region": "eu", "limit": 5.0},
	}
	if diff := cmp.Diff(want, i.Claims); diff != "" {
		t.Errorf("claims differ (-want +got):\n%s", diff)
	}
}

func TestSignAsJSON(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := hopgate(t, dir, "token", "sign", "--subject", "alice", "--ttl", "1h", "-o", "json").want(t, 0)
	var out struct {
		Token  string
		Claims struct{ Sub, Txn string }
	}
	if err := json.Unmarshal([]byte(r.stdout), &out); err != nil {
		t.Fatal(err)
	}
	if strings.Count(out.Token, ".") != 2 || out.Claims.Sub != "alice" || len(out.Claims.Txn) != 36 {
		t.Errorf("it is %+v", out)
	}
	if !strings.Contains(r.stderr, "--ttl is above 15m") {
		t.Errorf("a long life is not warned of: %q", r.stderr)
	}
	long := call{args: []string{"token", "inspect"}, dir: dir, stdin: out.Token}.do(t).want(t, 1)
	if !strings.Contains(long.stderr, "not believed: token_too_long") {
		t.Errorf("it said %s", long.stderr)
	}
}

// Two gateways or people that begin at once have one key.
func TestSignMakesTheKeyOnce(t *testing.T) {
	t.Parallel()
	state := filepath.Join(t.TempDir(), "deep", "state")
	first := hopgate(t, "", "token", "sign", "--subject", "a", "--state", state).want(t, 0).stdout
	hopgate(t, "", "token", "sign", "--subject", "b", "--state", state).want(t, 0)
	call{args: []string{"token", "inspect", "--state", state}, stdin: first}.do(t).want(t, 0)
}

func TestInspect(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	k := fixedKey(t, filepath.Join(dir, "state"))
	other, err := token.Generate(strings.NewReader(strings.Repeat("another", 5)))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "corp.yaml"), `apiVersion: hopgate.dev/v1alpha1
kind: TrustDomain
metadata: {name: corp}
spec:
  audience: corp.example
  issuer: https://tts.corp.example
  keySet: {type: File, file: keys.json}
  algorithms: [EdDSA]
  agentProfile: Actor
  binding: Peer
`)
	write(t, filepath.Join(dir, "keys.json"), string(k.JWKS()))
	corp := func(p *token.Params) {
		p.Audience, p.Issuer, p.Requester = "corp.example", "https://tts.corp.example", "spiffe://corp/ns/a/sa/b"
	}
	good := fixedToken(t, k, nil)
	for _, tc := range []struct {
		name, token string
		args        []string
		code        int
		says        string
	}{
		{"believed", good, nil, 0, ""},
		{"expired", good, []string{"--at", "2026-03-01T13:00:00Z"}, 1, "token_expired"},
		{"not-yet", good, []string{"--at", "2026-03-01T11:00:00Z"}, 1, "token_not_yet"},
		{"another-key", fixedToken(t, other, nil), nil, 1, "token_unknown_key"},
		{"another-signature", good[:len(good)-8] + "AAAAAAAA", nil, 1, "token_bad_signature"},
		{"another-domain", fixedToken(t, k, corp), nil, 1, "token_wrong_domain"},
		{"no-token", "garbage", nil, 1, "token_malformed"},
		{"of-files", fixedToken(t, k, corp), []string{"-f", "corp.yaml", "--peer", "spiffe://corp/ns/a/sa/b"}, 0, ""},
		{"of-another-peer", fixedToken(t, k, corp), []string{"-f", "corp.yaml", "--peer", "spiffe://corp/ns/a/sa/c"}, 1, "token_not_bound"},
		{"too-long", fixedToken(t, k, func(p *token.Params) { p.Lifetime = time.Hour }), nil, 1, "token_too_long"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			args := append([]string{"token", "inspect", "--state", "state", "--at", "2026-03-01T12:01:00Z"}, tc.args...)
			r := call{args: args, dir: dir, stdin: " " + tc.token + "\n"}.do(t).want(t, tc.code)
			golden(t, "inspect-"+tc.name+".txt", r.stdout)
			if !strings.Contains(r.stderr, tc.says) || (tc.says == "") != (r.stderr == "") {
				t.Errorf("standard error has %q, want %q", r.stderr, tc.says)
			}
			signature := tc.token[strings.LastIndex(tc.token, ".")+1:]
			if len(signature) > 20 && strings.Contains(r.stdout+r.stderr, signature) {
				t.Error("it shows the signature")
			}
		})
	}
}

// A token may come in three ways; what comes is the same.
func TestInspectReadsToken(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	good := fixedToken(t, fixedKey(t, filepath.Join(dir, "state")), nil)
	base := []string{"token", "inspect", "--state", "state", "--at", "2026-03-01T12:01:00Z", "-o", "json"}
	var first string
	for _, tc := range []struct {
		name string
		c    call
	}{
		{"standard input", call{args: base, stdin: good + "\n"}},
		{"standard input by its name", call{args: append(slices.Clip(base), "-"), stdin: good, env: []string{tokenVariable + "=x"}}},
		{"the variable", call{args: base, env: []string{tokenVariable + "=" + good}, stdin: "x"}},
		{"an argument", call{args: append(slices.Clip(base), good), env: []string{tokenVariable + "=x"}, stdin: "x"}},
	} {
		tc.c.dir = dir
		r := tc.c.do(t).want(t, 0)
		if first == "" {
			first = r.stdout
		}
		if r.stdout != first {
			t.Errorf("%s: it says something else:\n%s", tc.name, r.stdout)
		}
	}
	golden(t, "inspect.json", first)
}

func TestShowJSON(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, in, want string }{
		{"plain", `{"a":"b"}`, "{\n  \"a\": \"b\"\n}"},
		{"right to left", "\"\u202eabc\"", `"\u202eabc"`},
		{"beyond the first plane", `"😀"`, `"\ud83d\ude00"`},
		{"white space", "\t{ }\r\n\t", "{}"},
		{"delete", "\"\x7f\"", `"\u007f"`},
		{"no UTF-8", "\"\xff\"", `"\ufffd"`},
		{"escaped already", `"\u001b[2J"`, `"\u001b[2J"`},
	} {
		got, err := showJSON([]byte(tc.in))
		if err != nil || got != tc.want {
			t.Errorf("%s: %s, %v, want %s", tc.name, got, err, tc.want)
		}
		var a, b any
		if json.Unmarshal([]byte(tc.in), &a) != nil || json.Unmarshal([]byte(got), &b) != nil || !cmp.Equal(a, b) {
			t.Errorf("%s: it means something else now: %s", tc.name, got)
		}
	}
	if got, err := showJSON([]byte("{")); err == nil {
		t.Errorf("half of an object is shown as %s", got)
	}
}

// FuzzShowJSON: whatever is shown is plain ASCII and means the same.
func FuzzShowJSON(f *testing.F) {
	for _, s := range []string{`{"a":["b",1,null]}`, "\"\u202e\x7f\"", `"\ud800"`, "\"\xff\"", "{\"\u2028\":1}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		text, err := showJSON(raw)
		if err != nil {
			return
		}
		for _, r := range text {
			if r != '\n' && (r < ' ' || r > '~') {
				t.Fatalf("it shows %q", r)
			}
		}
		var a, b any
		if err := json.Unmarshal(raw, &a); err != nil {
			return // Indent lets pass what Unmarshal does not
		}
		if err := json.Unmarshal([]byte(text), &b); err != nil || !cmp.Equal(a, b) {
			t.Fatalf("%q became %q: %v", raw, text, err)
		}
	})
}
