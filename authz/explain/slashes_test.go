package explain

import (
	"strings"
	"testing"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/authz/denial"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

// TestEncodedSlashes: a path is explained as it was written, and as it was
// recorded; what cannot be kept is refused as a gateway refuses it.
func TestEncodedSlashes(t *testing.T) {
	t.Parallel()
	f := feed(t)
	for i := range f.Policies {
		for j := range f.Policies[i].Rules {
			for k := range f.Policies[i].Rules[j].To.HTTP {
				f.Policies[i].Rules[j].To.HTTP[k].EncodedSlashes = v1alpha1.EncodedSlashesKeep
			}
		}
	}
	c := configOf(t, f)
	e := told(t, c, `{token: {subject: bob}, do: {surface: HTTP, host: api.example, path: "/public/group%2fproject"}}`)
	if e.Verdict != "allow" || !strings.HasSuffix(e.By, "/pages") {
		t.Errorf("%+v", e)
	}
	e = told(t, c, `{token: {subject: bob}, do: {surface: HTTP, host: api.example, path: "/public%2Fa"}}`)
	if e.Code != denial.NoRule {
		t.Errorf("%+v", e)
	}
	h, err := FromRecord(&audit.Record{
		Kind: audit.KindBegin, Level: "Gateway/agents/egress", Gateway: "agents/egress", Listener: "proxy", Surface: "HTTP", Method: "GET",
		Host: "api.example", Port: 80, Path: "/public/group%2Fproject",
	})
	if err != nil {
		t.Fatal(err)
	}
	hop, err := c.Resolve(h)
	if err != nil || hop.Action.Path != "/public/group%2Fproject" {
		t.Errorf("recorded: %+v, %v", hop, err)
	}
	h.Do.Path = "/public/..%2fadmin"
	if _, err := c.Resolve(h); err == nil || !strings.Contains(err.Error(), "dot segments") {
		t.Errorf("dots: %v", err)
	}
}
