package explain

import (
	"testing"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/authz/denial"
)

// TestInspected: a request inside of an inspected tunnel is explained by the
// ports of those, as it is written and as it was recorded.
func TestInspected(t *testing.T) {
	t.Parallel()
	c := configOf(t, feed(t))
	h, err := c.Resolve(&Hop{Gateway: "agents/egress", Listener: "proxy", Do: Do{Surface: "HTTP", Host: "a.example", Path: "/", Inspected: true}})
	if err != nil || !h.Action.Inspected || h.Action.Port != 443 {
		t.Errorf("%+v, %v", h, err)
	}
	h, err = c.Resolve(&Hop{Gateway: "agents/egress", Listener: "proxy", Do: Do{Surface: "Hosts", Host: "a.example", Inspected: true}})
	if err != nil || h.Action.Inspected {
		t.Errorf("a tunnel is inside of itself: %+v, %v", h, err)
	}
	r := &audit.Record{
		Kind: audit.KindDeny, Level: "gateway", Code: denial.NoRule, Gateway: "agents/egress", Listener: "proxy", Surface: "HTTP", Method: "GET",
		Host: "a.example", Port: 443, Path: "/", Seen: []audit.Field{{Name: audit.FieldInspected, Value: []byte("true")}},
	}
	if got, err := FromRecord(r); err != nil || !got.Do.Inspected {
		t.Errorf("of a record: %+v, %v", got, err)
	}
}
