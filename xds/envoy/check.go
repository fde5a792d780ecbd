package envoy

import (
	"fmt"
	"regexp"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/proto"
)

// Check says what Envoy would refuse of a message beyond its generated rules,
// or would take and fail by. It is asked before anything is sent: one such
// resource may take its siblings with it.
func Check(m proto.Message) error {
	t, ok := m.(*routev3.RouteConfiguration)
	if !ok {
		return nil
	}
	seen := map[string]bool{}
	for _, v := range t.GetVirtualHosts() {
		for _, d := range v.GetDomains() {
			if seen[d] {
				return fmt.Errorf("domain %q stands twice", d)
			}
			seen[d] = true
		}
		for _, r := range v.GetRoutes() {
			if err := checkRoute(r); err != nil {
				return fmt.Errorf("route %s: %w", r.GetName(), err)
			}
		}
	}
	return nil
}

func checkRoute(r *routev3.Route) error {
	m := r.GetMatch()
	if m.GetPathSpecifier() == nil {
		return fmt.Errorf("it matches no path")
	}
	exprs := []string{m.GetSafeRegex().GetRegex(), r.GetRoute().GetRegexRewrite().GetPattern().GetRegex()}
	for _, h := range m.GetHeaders() {
		exprs = append(exprs, h.GetStringMatch().GetSafeRegex().GetRegex())
	}
	for _, q := range m.GetQueryParameters() {
		exprs = append(exprs, q.GetStringMatch().GetSafeRegex().GetRegex())
	}
	for _, e := range exprs {
		if _, err := regexp.Compile(e); err != nil {
			return err
		}
	}
	return nil
}
