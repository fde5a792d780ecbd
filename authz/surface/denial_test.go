package surface_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/authz/surface"
)

func TestDenialMembers(t *testing.T) {
	t.Parallel()
	full := surface.Denial{
		Code: "no_rule", Status: 403, Text: "not here", Reason: "x", RequestID: "ab", Retry: "never", Policy: "ns/p", Rule: "r\"1",
	}
	for _, tc := range []struct {
		in   surface.Denial
		want map[string]string
	}{
		{full, map[string]string{"code": "no_rule", "reason": "x", "request_id": "ab", "retry": "never", "policy": "ns/p", "rule": "r\"1"}},
		{surface.Denial{}, map[string]string{"code": ""}},
	} {
		var got map[string]string
		if err := json.Unmarshal([]byte("{"+string(tc.in.AppendMembers(nil))+"}"), &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("members (-want +got):\n%s", diff)
		}
	}
	if got := string(full.AppendStatus(nil)); got != "403" {
		t.Errorf("AppendStatus = %s", got)
	}
}
