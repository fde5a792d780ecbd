package testcorpus

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestCommittedRowsAreUnderstood: each field, and each clause of each sentence.
func TestCommittedRowsAreUnderstood(t *testing.T) {
	t.Parallel()
	for _, s := range Sets(t) {
		if !s.Committed {
			continue
		}
		if len(s.Rows) < 60 {
			t.Errorf("%s has %d rows", s.Name, len(s.Rows))
		}
		for i := range s.Rows {
			r := &s.Rows[i]
			if u := slices.Concat(r.Rules.Unknown, r.Setup.Unknown()); len(u) > 0 {
				t.Errorf("%s: nobody understands %q", r.ID, u)
			}
		}
	}
}

func TestExcusesAreOfRows(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, r := range Rows(t) {
		known[r.ID] = true
	}
	for k := range Excuses(t) {
		if id, _, _ := strings.Cut(k, " "); !known[id] {
			t.Errorf("there is no row %s", id)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	t.Parallel()
	const good = `{"id":"a","class":"c","client":"connect","target":"","sni":"","host":"","path":"","policy":"p","expect":"deny","why":"","source":""}`
	for name, text := range map[string]string{
		"no JSON": "x", "an unknown field": strings.Replace(good, `"why"`, `"reason"`, 1), "no id": strings.Replace(good, `"a"`, `""`, 1),
		"another verdict": strings.Replace(good, "deny", "maybe", 1), "another client": strings.Replace(good, "connect", "smtp", 1), "twice": good + "\n" + good,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if rows, err := Read(strings.NewReader(text)); err == nil {
				t.Errorf("read %+v", rows)
			}
		})
	}
}

// TestSetupIsReadFieldByField: what is unknown, or of another kind than is
// known, is noted, and the rest is read.
func TestSetupIsReadFieldByField(t *testing.T) {
	t.Parallel()
	var s Setup
	if err := json.Unmarshal([]byte(`{"method":"GET","odd":1,"ech":"outer","cname":["a","b"],"ttl":0,":authority":"a.example"}`), &s); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"cname", "ech", "odd"}, s.Unknown()); diff != "" {
		t.Errorf("unknown (-want +got):\n%s", diff)
	}
	if s.Method != "GET" || s.TTL == nil || s.PseudoAuthority != "a.example" || s.ECH || s.CNAME != nil {
		t.Errorf("read %+v", s)
	}
}

func TestSpared(t *testing.T) {
	t.Parallel()
	for assert, want := range map[string]string{
		"": "invalid IP", "bytes must not reach 203.0.113.66": "203.0.113.66", "it must not reach anybody": "invalid IP",
		"no connection to 127.0.0.1; one to the first answer will do": "127.0.0.1", "bytes must not reach 2001:db8::1.": "2001:db8::1",
	} {
		if got := (&Row{Setup: Setup{Assert: assert}}).Spared().String(); got != want {
			t.Errorf("%q spares %s, want %s", assert, got, want)
		}
	}
}

// TestSentences: each is understood, however it is put.
func TestSentences(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"allow host a.example ports 80 and 443", "allow host a.example on ports 80, 443 and 8443 only", "allow hosts a.example, b.example and c.example port 443",
		"allow any public host, any port", "allow any public IP literal port 443", "allow any public host or IP literal; deny hosts a.example and b.example",
		"allow any public host; deny host *.a.example port 25 (deny wins)", "default deny", "empty allow-list", "no TLS inspection; allow host a.example port 443",
		"transparent capture, SNI passthrough, allow SNI a.example and b.example", "transparent capture; allow http a.example:8080; deny path /admin on a.example",
		"pods may reach only the gateway and its resolver; DNS mediated by the gateway; allow host a.example",
		"TLS inspection on; allow GET,HEAD https://a.example/x/* only; and allow PUT https://a.example/y/*", "TLS inspection on; allow wss://a.example/ws",
		"TLS inspection on; allow gRPC method /pkg.Svc/Get on rpc.example", "TLS inspection on; allow GET https://a.example/x; body limit 64 KiB; 500 KB up per minute per agent",
		"TLS inspection on; allow GET,HEAD on a.example (layout) for packages left-pad and react; 12-hour minimum age",
		"TLS inspection on; allow GET https://a.example/x/*; large file redirects to b.example and c.example permitted, no credential",
		"allow any host in fd12:3456::/32 declared by the operator, port 443", "allow any public host; operator declared range 10.1.0.0/16 ports 80,443",
		"as before, operator declared NAT64 prefix 64:ff9b::/96 in use", "allow host a.example; SOCKS5 listener", "allow host a.example; ECH policy permissive",
	} {
		if r := ParseRules(s); len(r.Unknown) > 0 {
			t.Errorf("%s: nobody understands %q", s, r.Unknown)
		}
	}
}

func TestParseRules(t *testing.T) {
	t.Parallel()
	for sentence, want := range map[string]Rules{
		"allow host **.a.example (any depth) ports 80,443; deny host b.a.example": {
			Allow: []Grant{{Names: []string{"**.a.example"}, Ports: []uint16{80, 443}}}, Deny: []Grant{{Names: []string{"b.a.example"}}},
		},
		"TLS inspection on; allow GET,HEAD https://a.example:8443/x/* only": {
			Inspect: true, Allow: []Grant{{Names: []string{"a.example"}, Ports: []uint16{8443}, Secure: true, Methods: []string{"GET", "HEAD"}, Paths: []string{"/x/**"}}},
		},
		"TLS inspection on; allow POST https://a.example/up; 5 MB up per day per agent; 2-day minimum age": {
			Inspect: true, Allow: []Grant{{Names: []string{"a.example"}, Ports: []uint16{443}, Secure: true, Methods: []string{"POST"}, Paths: []string{"/up"}}},
			UploadBytes: 5 << 20, Window: "24h", MinimumAge: "48h",
		},
		"allow host A.Example. ports 80 and 443; deny hosts b.example, c.example port 25": {
			Allow: []Grant{{Names: []string{"a.example"}, Ports: []uint16{80, 443}}}, Deny: []Grant{{Names: []string{"b.example", "c.example"}, Ports: []uint16{25}}},
		},
		"TLS inspection on; allow GET,HEAD https://o.example/v2/lib/base/* by digest; token endpoint pull scope only": {
			Inspect: true, Allow: []Grant{
				{Names: []string{"o.example"}, Ports: []uint16{443}, Secure: true, Methods: []string{"GET", "HEAD"}, Paths: []string{"/v2/lib/base/manifests/sha256:*", "/v2/lib/base/blobs/sha256:*"}},
				{Names: []string{"o.example"}, Ports: []uint16{443}, Secure: true, Methods: []string{"GET"}, Paths: []string{"/token"}, Scope: "repository:lib/base:pull"},
			},
		},
		"TLS inspection on; allow MCP tools/call name list and Get on tools.example": {Inspect: true, Tools: []string{"list", "Get"}},
		"allow hosts a.example and b.example any port":                               {Allow: []Grant{{Names: []string{"a.example", "b.example"}}}},
		"forbid everything": {Unknown: []string{"forbid everything"}},
	} {
		if diff := cmp.Diff(want, ParseRules(sentence)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", sentence, diff)
		}
	}
}
