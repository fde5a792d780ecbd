package explain

import (
	"github.com/hopgate/hopgate/authz/denial"
	"github.com/hopgate/hopgate/authz/surface/egress"
)

// slashText is what rules have against a path that can be read; empty: nothing.
func slashText(code string) string {
	if code != denial.BadPath {
		return ""
	}
	return (&egress.Refusal{Reason: egress.ReasonSlash}).Text()
}
