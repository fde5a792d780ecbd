package surface

import (
	"strings"

	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

// encodedSlash is one as canonical paths have it.
const encodedSlash = "%2F"

// Slashed reports whether the path holds encoded slashes, so that it is one
// path to a server that undoes them and another one to a server that does not.
func (a *Action) Slashed() bool {
	return a.Kind == v1alpha1.SurfaceHTTP && strings.Contains(a.Path, encodedSlash)
}

// UndonePath is the path to a server that undoes encoded slashes.
func (a *Action) UndonePath() string { return strings.ReplaceAll(a.Path, encodedSlash, "/") }
