package check

import (
	"strings"

	"github.com/hopgate/hopgate/authz/denial"
	"github.com/hopgate/hopgate/authz/surface/egress"
)

// headerPath is where Envoy has the path and query.
const headerPath = ":path"

// twofold reports whether a path holds an encoded slash or backslash. Envoy
// chooses routes by the path as it came, and a server of tools may undo them.
func twofold(path string) bool {
	path, _ = cutQuery(path)
	if !strings.Contains(path, "%") {
		return false
	}
	path = strings.ToLower(path)
	return strings.Contains(path, "%2f") || strings.Contains(path, "%5c")
}

// refused notes what was decided against w.
func (w *work) refused() bool {
	if w.verdict.Code == denial.BadPath {
		// That it can be read was seen before: no rule keeps its encoded slashes.
		return w.refuse(&egress.Refusal{Reason: egress.ReasonSlash})
	}
	return w.deny(w.verdict.Code)
}

// sent is the path and query that go on, where encoded slashes are kept: those
// are written in one way, and nothing else is touched, for what a route matched
// is still to be replaced by its length. false: as they came.
func (w *work) sent() (string, bool) {
	path, _ := cutQuery(w.req.Path)
	if !w.hop.Action.Slashed() || !strings.Contains(path, "%2f") {
		return "", false
	}
	return strings.ReplaceAll(path, "%2f", "%2F") + w.req.Path[len(path):], true
}
