package policy

import (
	"strings"
	"testing"

	"github.com/hopgate/hopgate/gateway/api/feedv1"
)

// TestInspect: a rule that asks for it is good where it can be done, and says
// what is missing where it cannot.
func TestInspect(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, to string
		cfg      Config
		want     string // of the one problem; empty: there is none
		severity Severity
	}{
		{"without a CA", "{type: Hosts, hosts: [{names: [a.example]}]}", Config{}, "hopgate ca init", Error},
		{"with one that is no good", "{type: Hosts, hosts: [{names: [a.example]}]}", Config{NoInspect: "it has expired"}, "it has expired", Error},
		{"with one", "{type: Hosts, hosts: [{names: [a.example]}]}", Config{Inspects: true}, "", 0},
		{"of what is no tunnel", "{type: HTTP, http: [{hosts: [a.example]}]}", Config{Inspects: true}, "type Hosts only", Warning},
	} {
		c, err := New(tc.cfg)
		if err != nil {
			t.Fatal(err)
		}
		set := c.Compile([]feedv1.Policy{policyOf(t, "p", "[{name: r, action: Allow, to: "+tc.to+", with: {tls: Inspect}}]")})
		ps := set.Problems()
		switch {
		case set.Inspects() != tc.cfg.Inspects:
			t.Errorf("%s: the set says %t", tc.name, set.Inspects())
		case tc.want == "" && len(ps) == 0:
		case len(ps) != 1 || ps[0].Severity != tc.severity || !strings.Contains(ps[0].Message, tc.want):
			t.Errorf("%s: %v", tc.name, ps)
		}
	}
}
