package decide

import (
	"errors"
	"testing"

	"github.com/hopgate/hopgate/authz/denial"
	"github.com/hopgate/hopgate/authz/surface/egress"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

func TestReach(t *testing.T) {
	t.Parallel()
	p, warnings := egress.NewPlan(egress.PlanConfig{Egress: feedv1.Egress{
		Backends: []feedv1.Backend{{Ref: github, Hostname: "mcp.example", Port: 443, Surface: v1alpha1.SurfaceTools, Mode: wire.ModeGuard}},
	}})
	if len(warnings) != 0 {
		t.Fatal(warnings)
	}
	for _, tc := range []struct {
		name, at string
		backends []string
		code     string
		refused  bool
	}{
		{"anywhere", "a.example:443", nil, "", false},
		{"a surface as such", "mcp.example:443", []string{github}, "", false},
		{"a surface as anything", "mcp.example:443", nil, denial.SurfaceRequired, false},
		{"a surface as another", "mcp.example:443", []string{"XBackend/agents/other"}, denial.SurfaceRequired, false},
		{"a surface at another port", "mcp.example:80", nil, "", false},
		{"anywhere as a surface", "a.example:443", []string{github}, denial.NotReady, false},
		{"metadata", "169.254.169.254:80", nil, "", true},
		{"metadata as a surface", "169.254.169.254:80", []string{github}, "", true},
	} {
		d, err := egress.ParseAuthority(tc.at, 0)
		if err != nil {
			t.Fatal(err)
		}
		way, code, err := Reach(p, &Target{Target: wire.Target{Entry: wire.EntryProxy, Backends: tc.backends}}, d)
		var r *egress.Refusal
		if code != tc.code || errors.As(err, &r) != tc.refused || (code != "" || err != nil) && (way.Mode != "" || way.Backend != nil) {
			t.Errorf("%s: %+v, %q, %v", tc.name, way, code, err)
		}
	}
}
