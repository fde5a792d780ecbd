package explain

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/authz/denial"
	"github.com/hopgate/hopgate/authz/surface"
)

// TestWords: headers, parameters of the query and another method are explained
// as they are written and as they were recorded; what was in doubt was recorded
// as not there, and is.
func TestWords(t *testing.T) {
	t.Parallel()
	c := configOf(t, feed(t))
	h, err := ReadHop([]byte("gateway: agents/egress\nlistener: proxy\ndo: {surface: HTTP, host: a.example, headers: {x-tenant: acme}, query: {project: p}, override: PUT}\n"))
	if err != nil {
		t.Fatal(err)
	}
	recorded, err := FromRecord(&audit.Record{
		Kind: audit.KindDeny, Level: "gateway", Code: denial.NoRule, Gateway: "agents/egress", Listener: "proxy", Surface: "HTTP", Method: "GET",
		Host: "a.example", Port: 80, Path: "/", Seen: []audit.Field{
			{Name: "headers.x-tenant", Value: []byte(`"acme"`)},
			{Name: "query.project", Value: []byte(`"p"`)},
			{Name: "query.other"},
			{Name: audit.FieldOverride, Value: []byte(`"PUT"`)},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, hop := range map[string]*Hop{"written": h, "recorded": recorded} {
		got, err := c.Resolve(hop)
		if err != nil {
			t.Fatal(err)
		}
		w := got.Action.Words
		said := []surface.Word{w.Header("x-tenant"), w.Parameter("project"), w.Header("other"), w.Parameter("other")}
		missing := surface.Word{Doubt: surface.DoubtMissing}
		if diff := cmp.Diff([]surface.Word{{Text: "acme"}, {Text: "p"}, missing, missing}, said); diff != "" || got.Action.Override != "PUT" {
			t.Errorf("%s: override %q, words (-want +got):\n%s", name, got.Action.Override, diff)
		}
	}
}
