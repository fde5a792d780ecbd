package translate

import (
	"fmt"
	"strings"
	"time"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// duration reads a Gateway API Duration (GEP-2257): at most four parts, each of
// at most five digits and a unit from hours to milliseconds.
func duration(d gatewayv1.Duration) (time.Duration, error) {
	rest, parts := string(d), 0
	for ; rest != "" && parts < 4; parts++ {
		after := strings.TrimLeft(rest, digits)
		if n := len(rest) - len(after); n < 1 || n > 5 {
			break
		}
		if rest = withoutUnit(after); rest == after {
			break
		}
	}
	v, err := time.ParseDuration(string(d))
	if rest != "" || parts == 0 || err != nil {
		return 0, fmt.Errorf("%s is no duration such as 1h30m or 500ms", quote(string(d)))
	}
	return v, nil
}

// withoutUnit cuts a unit off; s itself: there is none.
func withoutUnit(s string) string {
	for _, unit := range []string{"ms", "h", "m", "s"} {
		if rest, ok := strings.CutPrefix(s, unit); ok {
			return rest
		}
	}
	return s
}
