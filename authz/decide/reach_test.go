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
		Backends: []feedv1.Backend{
			{Ref: github, Hostname: "mcp.example", Port: 443, Surface: v1alpha1.SurfaceTools, Mode: wire.ModeGuard, Cluster: github},
			{Ref: "XBackend/agents/refused", Hostname: "refused.example", Port: 443, Mode: wire.ModeGuard, Cluster: "c", Rejected: "it has no CA"},
			{Ref: "XBackend/agents/bare", Hostname: "bare.example", Port: 443},
			{Ref: "XBackend/agents/modeless", Hostname: "modeless.example", Port: 443, Cluster: "c"},
		},
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
		{"refused, as anything", "refused.example:443", nil, denial.SurfaceRequired, false},
		{"refused, as it was", "refused.example:443", []string{"XBackend/agents/refused"}, denial.NotReady, false},
		{"refused, at another port", "refused.example:80", nil, "", false},
		{"without all, as anything", "bare.example:443", nil, denial.SurfaceRequired, false},
		{"without all, as such", "bare.example:443", []string{"XBackend/agents/bare"}, denial.NotReady, false},
		{"without a mode, as such", "modeless.example:443", []string{"XBackend/agents/modeless"}, denial.NotReady, false},
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
