package decide

import (
	"testing"
	"time"

	"github.com/hopgate/hopgate/authz/denial"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

// TestEncodedSlashesNeedARule: nothing but a rule that keeps them lets a path
// with encoded slashes pass.
func TestEncodedSlashesNeedARule(t *testing.T) {
	t.Parallel()
	const kept = `- {name: kept, to: {type: HTTP, http: [{paths: ["/kept/*"], encodedSlashes: Keep}, {paths: ["/plain/**"]}]}, action: Allow}`
	for _, tc := range []struct {
		name, path, rules string
		unmatched         v1alpha1.Unmatched
		code              string // empty: allowed
	}{
		{"kept", "/kept/a%2Fb", kept, "", ""},
		{"not kept", "/plain/a%2Fb", kept, "", denial.BadPath},
		{"not listed", "/other/a%2Fb", kept, "", denial.NoRule},
		{"unmatched", "/kept/a%2Fb", "", "", denial.BadPath},
		{"unmatched allows", "/kept/a%2Fb", "", v1alpha1.UnmatchedAllow, denial.BadPath},
		{"unmatched allows, without them", "/kept/a", "", v1alpha1.UnmatchedAllow, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			f := feed(t, tc.rules)
			if tc.unmatched != "" {
				f.Gateways[0].Unmatched = tc.unmatched
			}
			h := get(t, f, "agents", tc.path)
			h.Claims = claims(time.Hour)
			if v := Decide(h, now(), nil); v.Code != tc.code || v.Allowed != (tc.code == "") {
				t.Errorf("allowed %v, code %q, want %q", v.Allowed, v.Code, tc.code)
			}
		})
	}
}

// TestARedirectKeepsNoSlashes: what an answer leads to is not kept because what
// led there was allowed.
func TestARedirectKeepsNoSlashes(t *testing.T) {
	t.Parallel()
	f := feed(t, rules)
	for path, allowed := range map[string]bool{"/blob/a": true, "/blob%2Fa": false} {
		h := get(t, f, "agents", path)
		h.Claims = claims(time.Hour)
		h.Cause = get(t, f, "agents", "/token")
		if v := Decide(h, now(), nil); v.Allowed != allowed {
			t.Errorf("%s: allowed %v, code %q", path, v.Allowed, v.Code)
		}
	}
}
