package explain

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

const queryRules = `
- {name: web, to: {type: Hosts, hosts: [{names: [api.example, "**.wild.example"]}]}, action: Allow}
- {name: near, from: {peers: [{type: Address, address: 10.1.2.0/24}]}, transaction: {type: None}, to: {type: Hosts, hosts: [{names: [near.example]}]}, action: Allow}
- {name: search, to: {type: Tools, tools: [{servers: [{name: github}], names: [search]}]}, action: Allow}
- {name: shut, to: {type: Hosts, hosts: [{names: [shut.wild.example]}]}, action: Deny}
`

// answering is a configuration that answers names.
func answering(t testing.TB) *feedv1.Snapshot {
	t.Helper()
	f := feed(t)
	f.Policies = []feedv1.Policy{policyOf(t, "names", queryRules, v1alpha1.ModeEnforce, feedv1.PolicyTarget{Kind: "Gateway", Key: key("egress")})}
	f.Gateways[0].Egress.DNS = &feedv1.DNS{
		Listen: netip.MustParseAddrPort("10.0.0.1:53"), Clients: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}, QueriesPerSecond: 50, NamesPerHour: 20,
	}
	return f
}

// askedFor is what is told of a query that is written in YAML.
func askedFor(t testing.TB, c *Config, text string) Explanation {
	t.Helper()
	h, err := ReadHop([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if !h.IsQuery() {
		t.Fatalf("%s is no query", text)
	}
	e, err := c.ExplainQuery(h)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestExplainQuery: of a query the verdict is told, the rule that lists the name
// or what would mend it, and all that is listed for who asks.
func TestExplainQuery(t *testing.T) {
	t.Parallel()
	everybody, nearby := []string{"**.wild.example", "api.example", "mcp.example"}, []string{"**.wild.example", "api.example", "mcp.example", "near.example"}
	for _, tc := range []struct {
		what, client, do string
		verdict, code    string
		by, says         string
		listed           []string
	}{
		{"listed", "10.1.9.9", "host: api.example", "allow", "", "agents/names/web", "when it is looked up", everybody},
		{"in any spelling", "10.1.9.9", "host: API.example., method: aaaa", "allow", "", "agents/names/web", "when it is looked up", everybody},
		{"by a glob", "10.1.9.9", "host: a.wild.example", "allow", "", "agents/names/web", "**.wild.example lists it: one client may ask for 20", everybody},
		{"a backend", "10.1.9.9", "host: mcp.example, method: HTTPS", "allow", "", "agents/names/search", "when it is looked up", everybody},
		{"by the address", "10.1.2.3", "host: near.example", "allow", "", "agents/names/near", "when it is looked up", nearby},
		{"by another address", "10.1.9.9", "host: near.example", "deny", "name_not_listed", "", "mend: name it in an Allow rule", everybody},
		{"not listed", "10.1.9.9", "host: evil.example", "deny", "name_not_listed", "", "mend: name it in an Allow rule", everybody},
		{"denied to everybody", "10.1.9.9", "host: shut.wild.example", "deny", "name_not_listed", "", "agents/names/shut denies it to everybody", everybody},
		{"another type", "10.1.9.9", "host: api.example, method: TXT", "deny", "query_refused", "", "mend: ask for A, AAAA or HTTPS", everybody},
		{"a type without a name", "10.1.9.9", "host: api.example, method: TYPE65280", "deny", "query_refused", "", "mend: ask for A", everybody},
		{"no name", "10.1.9.9", "host: a..b", "deny", "query_refused", "", "mend: ask for A", everybody},
		{"a private name", "10.1.9.9", "host: api.example.svc.cluster.local", "deny", "", "", "mend: name it", everybody},
		{"no client", "192.0.2.1", "host: api.example", "deny", "", "", "mend: name it in spec.egress.dns.clients", nil},
	} {
		t.Run(tc.what, func(t *testing.T) {
			t.Parallel()
			e := askedFor(t, configOf(t, answering(t)), "peer: "+tc.client+"\ndo: {surface: DNS, "+tc.do+"}")
			if e.Verdict != tc.verdict || e.Code != tc.code || e.By != tc.by || !slices.ContainsFunc(e.Notes, func(n string) bool { return strings.Contains(n, tc.says) }) {
				t.Errorf("told %+v", e)
			}
			if e.Verdict == "deny" && e.Text == "" {
				t.Errorf("no text: %+v", e)
			}
			if diff := cmp.Diff(tc.listed, e.Listed); diff != "" {
				t.Errorf("listed (-want +got):\n%s", diff)
			}
		})
	}
}

// TestExplainQueryOfNothing: what is closed as a whole says so.
func TestExplainQueryOfNothing(t *testing.T) {
	t.Parallel()
	const q = "peer: 10.1.9.9\ndo: {surface: DNS, host: api.example}"
	silent := answering(t)
	silent.Gateways[0].Egress.DNS = nil
	if e := askedFor(t, configOf(t, silent), q); e.Verdict != "deny" || !strings.Contains(e.Text, "answers no names") {
		t.Errorf("told %+v", e)
	}
	broken := answering(t)
	broken.Policies[0].Rejected = "its selector is broken"
	e := askedFor(t, configOf(t, broken), q)
	if e.Code != "name_not_listed" || len(e.Listed) != 0 || !strings.Contains(strings.Join(e.Notes, "\n"), "policy agents/names was not accepted, so that nothing is listed: its selector is broken") {
		t.Errorf("told %+v", e)
	}
}

func TestExplainQueryRefuses(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ what, text, want string }{
		{"nobody", "do: {surface: DNS, host: api.example}", `read peer: "" is no address`},
		{"a workload", "peer: spiffe://corp/a\ndo: {surface: DNS, host: api.example}", "is no address"},
		{"no type", "peer: 10.1.9.9\ndo: {surface: DNS, method: GET, host: api.example}", `read do.method: "GET" is no type of DNS`},
		{"another Gateway", "gateway: agents/none\npeer: 10.1.9.9\ndo: {surface: DNS, host: api.example}", `find gateway "agents/none"`},
	} {
		h, err := ReadHop([]byte(tc.text))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := configOf(t, answering(t)).ExplainQuery(h); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: error %v, want %s", tc.what, err, tc.want)
		}
	}
}

// TestExplainRefused: a refusal that was recorded is explained by its record.
// What is of the moment is told as it was.
func TestExplainRefused(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		what          string
		code, reason  string
		host          string
		verdict, want string
		says          string
	}{
		{"not listed", "name_not_listed", "why", "evil.example", "deny", "name_not_listed", "mend: name it in an Allow rule"},
		{"listed by now", "name_not_listed", "why", "api.example", "allow", "", "it was refused at 2026-05-01T12:00:00Z: name_not_listed: why"},
		{"too many", "too_many_names", "more than 20 names under **.wild.example in an hour", "z.wild.example", "deny", "too_many_names", "mend: write out the names"},
		{"cut off", "revoked", "order 1f cuts off 10.1.9.9", "api.example", "deny", "revoked", "hopgate lift ends it"},
		{"quarantined", "quarantined", "order Quarantine/x cuts off everybody", "evil.example", "deny", "quarantined", "hopgate lift ends it"},
		{"too often", "query_rate", "why", "api.example.", "deny", "query_rate", "queriesPerSecond"},
		{"led inside", "address_denied", "10.0.0.5 is private", "api.example", "deny", "address_denied", "spec.egress.insideRanges"},
		{"ours", "internal", "why", "api.example", "deny", "internal", "log of the gateway"},
	} {
		t.Run(tc.what, func(t *testing.T) {
			t.Parallel()
			r := &audit.Record{
				Kind: audit.KindDeny, Time: now(), Gateway: "agents/egress", Source: netip.MustParseAddrPort("10.1.9.9:4000"),
				Surface: "DNS", Method: "A", Host: tc.host, Code: tc.code, Reason: tc.reason,
			}
			e, err := configOf(t, answering(t)).ExplainRecord(r, nil)
			if err != nil {
				t.Fatal(err)
			}
			if e.Verdict != tc.verdict || e.Code != tc.want || !strings.Contains(strings.Join(e.Notes, "\n"), tc.says) || len(e.Listed) != 3 {
				t.Errorf("told %+v", e)
			}
			if tc.want != "" && tc.want != "name_not_listed" && e.Text != tc.reason {
				t.Errorf("text %q, want %q", e.Text, tc.reason)
			}
		})
	}
	cut := &audit.Record{Kind: audit.KindDeny, Surface: "DNS", Gateway: "agents/egress", Cut: []string{"host"}}
	if _, err := configOf(t, answering(t)).ExplainRecord(cut, nil); err == nil || !strings.Contains(err.Error(), "its host was too long") {
		t.Errorf("of what is not all there: %v", err)
	}
	nobody := &audit.Record{Kind: audit.KindDeny, Surface: "DNS", Gateway: "agents/none", Source: netip.MustParseAddrPort("10.1.9.9:4000")}
	if _, err := configOf(t, answering(t)).ExplainRecord(nobody, nil); !errors.Is(err, ErrUnknown) {
		t.Errorf("of a Gateway that is gone: %v", err)
	}
}

// TestExplainedQueryInText: all of it is shown, and no cursor is moved.
func TestExplainedQueryInText(t *testing.T) {
	t.Parallel()
	f := answering(t)
	for i := range 100 {
		f.Policies[0].Rules[0].To.Hosts[0].Names = append(f.Policies[0].Rules[0].To.Hosts[0].Names, fmt.Sprintf("n%d.example", i))
	}
	e, err := configOf(t, f).ExplainRecord(&audit.Record{
		Kind: audit.KindDeny, Time: now(), Gateway: "agents/egress", Source: netip.MustParseAddrPort("10.1.9.9:4000"),
		Surface: "DNS", Method: "A", Host: "evil.example", Code: "revoked", Reason: "order \x1b[2J\nverdict  allow",
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := e.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	plainText(t, b.String())
	for _, want := range []string{"verdict  deny  revoked: ", "\nnote     mend: ", "\nlisted\n  **.wild.example\n  api.example\n", "\n  and 53 more\n"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is not in\n%s", want, b.String())
		}
	}
	if raw, err := json.Marshal(e); err != nil || !bytes.Contains(raw, []byte(`"listed":["**.wild.example",`)) {
		t.Errorf("as JSON: %s, %v", raw, err)
	}
}
