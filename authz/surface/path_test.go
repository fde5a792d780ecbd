package surface

import (
	"testing"

	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

func TestUndonePath(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		in      Action
		slashed bool
		want    string
	}{
		{"none", Action{Kind: v1alpha1.SurfaceHTTP, Path: "/a/b"}, false, "/a/b"},
		{"one", Action{Kind: v1alpha1.SurfaceHTTP, Path: "/a%2Fb"}, true, "/a/b"},
		{"two", Action{Kind: v1alpha1.SurfaceHTTP, Path: "/a%2Fb%2Fc/d"}, true, "/a/b/c/d"},
		{"other encoding", Action{Kind: v1alpha1.SurfaceHTTP, Path: "/a%20b"}, false, "/a%20b"},
		{"another surface", Action{Kind: v1alpha1.SurfaceTools, Path: "/a%2Fb"}, false, "/a/b"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if got := tc.in.UndonePath(); got != tc.want || tc.in.Slashed() != tc.slashed {
				t.Errorf("UndonePath = %q, Slashed %v, want %q, %v", got, tc.in.Slashed(), tc.want, tc.slashed)
			}
		})
	}
}
