package explain

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/authz/decide"
	"github.com/hopgate/hopgate/authz/denial"
	"github.com/hopgate/hopgate/authz/policy"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

const (
	fileHop = "0102030405060708090a0b0c0d0e0f10"
	ledHop  = "1112131415161718191a1b1c1d1e1f20"
)

// packagesFeed has a registry, and a rule on what may be fetched of it.
func packagesFeed(t *testing.T, names string) *feedv1.Snapshot {
	f := feed(t)
	f.Gateways[0].Egress.Backends = append(f.Gateways[0].Egress.Backends, feedv1.Backend{
		Ref: "XBackend/agents/oci", Hostname: "oci.example", Port: 443, Surface: v1alpha1.SurfacePackages, Provider: "oci",
		Mode: wire.ModeGuard, Cluster: "XBackend/agents/oci",
	})
	f.Registries = []feedv1.Registry{{Ref: "XBackend/agents/oci", Protocol: "oci", Hostname: "oci.example", Port: 443}}
	rules := fmt.Sprintf(`[{name: images, to: {type: Packages, packages: [{registry: {kind: XBackend, name: oci}, names: [%q]}]}, action: Allow}]`, names)
	f.Policies = append(f.Policies, policyOf(t, "packages", rules, v1alpha1.ModeEnforce, feedv1.PolicyTarget{Kind: "Gateway", Key: key("egress")}))
	return f
}

// recorded is an allow by the rule on packages, as the record has it.
func recorded(t *testing.T, hop, rest string) audit.Record {
	t.Helper()
	r, err := audit.Decode([]byte(`{"seq":1,"time":"2026-05-01T12:00:00.000000Z","boot_id":"x","kind":"begin","hop":"` + hop + `","txn":"t","domain":"agents/corp","subject":"bob",` +
		`"gateway":"agents/egress","listener":"proxy",` + rest + `,"verdict":"allow","level":"Gateway/agents/egress","policy":"agents/packages","rule":"images","expires":"2026-05-01T12:10:00.000000Z"}`))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestLed: what a redirect opened is explained by it, and where too little was
// recorded for that, this is said.
func TestLed(t *testing.T) {
	t.Parallel()
	file := recorded(t, fileHop, `"surface":"Packages","method":"artifact","name":"acme/app","host":"oci.example","port":443,"path":"/v2/acme/app/blobs/x"`)
	page := recorded(t, ledHop, `"surface":"HTTP","method":"GET","host":"api.example","port":80,"path":"/layer"`)
	tunnel := recorded(t, ledHop, `"surface":"Hosts","method":"CONNECT","host":"peers.example","port":443`)
	led := func(r audit.Record) audit.Record {
		r.Cause, r.CauseUntil = file.Hop, now().Add(60e9)
		return r
	}
	byHand := page
	byHand.Rule = "gone"
	denied := page
	denied.Kind = audit.KindDeny
	const by = "  by the redirect of hop " + fileHop + ", rule agents/packages/images,"
	for _, tc := range []struct {
		name    string
		names   string
		r       audit.Record
		missing bool
		verdict string
		code    string
		says    string
	}{
		{"a page", "acme/*", led(page), false, "allow", "", by},
		{"a tunnel", "acme/*", led(tunnel), false, "allow", "", by},
		{"until when", "acme/*", led(page), false, "allow", "", "led by   hop " + fileHop + "  until 2026-05-01 12:01:00Z"},
		{"the file is not allowed any more", "other/*", led(page), false, "deny", denial.NoRule, "led by   hop " + fileHop},
		{"the file is in another record", "acme/*", led(page), true, "unknown", "", "the redirect of hop " + fileHop + " opened it, and that hop's decision is not in the record"},
		{"an old record", "acme/*", page, false, "unknown", "", "a redirect of what agents/packages/images allows opened it"},
		{"an old record of a tunnel", "acme/*", tunnel, false, "unknown", "", "cannot be told"},
		{"a rule that is gone", "acme/*", byHand, false, "deny", denial.NoRule, "no rule allows this"},
		{"a denial", "acme/*", denied, false, "deny", denial.NoRule, "no rule allows this"},
		{"the file itself", "acme/*", file, false, "allow", "", "by       agents/packages/images"},
		{"the file itself, not allowed any more", "other/*", file, false, "deny", denial.NoRule, "no rule allows this"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			f := packagesFeed(t, tc.names)
			c := configOf(t, f)
			compiler, err := policy.New(policy.Config{Inspects: true})
			if err != nil {
				t.Fatal(err)
			}
			c.State, c.Policies = decide.NewState(1, f, compiler.Compile(f.Policies)), f.Policies
			e, err := c.ExplainRecord(&tc.r, func(id audit.HopID) (audit.Record, bool) { return file, id == file.Hop && !tc.missing })
			if err != nil {
				t.Fatal(err)
			}
			var b bytes.Buffer
			if err := e.WriteText(&b); err != nil {
				t.Fatal(err)
			}
			if e.Verdict != tc.verdict || e.Code != tc.code || !strings.Contains(b.String(), tc.says) {
				t.Errorf("%s %s, want %s %s with %q:\n%s", e.Verdict, e.Code, tc.verdict, tc.code, tc.says, b.String())
			}
		})
	}
}

// TestLedByWhatCannotBeRead: a cause that was not recorded whole is an error.
func TestLedByWhatCannotBeRead(t *testing.T) {
	t.Parallel()
	r := recorded(t, ledHop, `"surface":"HTTP","method":"GET","host":"api.example","port":80,"path":"/layer"`)
	r.Cause = audit.HopID{1}
	c := configOf(t, packagesFeed(t, "acme/*"))
	_, err := c.ExplainRecord(&r, func(audit.HopID) (audit.Record, bool) {
		return audit.Record{Kind: audit.KindBegin, Cut: []string{"name"}}, true
	})
	if err == nil || !strings.Contains(err.Error(), "whose redirect opened it") {
		t.Errorf("error %v", err)
	}
}
