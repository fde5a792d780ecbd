package envoy

import (
	"errors"
	"fmt"
	"regexp/syntax"
	"strings"

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
			// Envoy compares domains without case.
			d = strings.ToLower(d)
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
		return errors.New("it matches no path")
	}
	exprs := []string{m.GetSafeRegex().GetRegex(), r.GetRoute().GetRegexRewrite().GetPattern().GetRegex()}
	for _, h := range m.GetHeaders() {
		exprs = append(exprs, h.GetStringMatch().GetSafeRegex().GetRegex())
	}
	for _, q := range m.GetQueryParameters() {
		exprs = append(exprs, q.GetStringMatch().GetSafeRegex().GetRegex())
	}
	for _, e := range exprs {
		if err := checkRegex(e); err != nil {
			return err
		}
	}
	return nil
}

// checkRegex refuses what does not compile, and what Envoy would run on every
// request for too long. Envoy counts in bytes where this counts in characters,
// so that some that pass here are refused there: then by its answer.
func checkRegex(e string) error {
	if len(e) > maxRegexBytes {
		return fmt.Errorf("an expression of %d bytes, at most %d are taken", len(e), maxRegexBytes)
	}
	tree, err := syntax.Parse(e, syntax.Perl)
	if err != nil {
		return err
	}
	prog, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return err
	}
	if n := len(prog.Inst); n > maxRegexProgram {
		return fmt.Errorf("expression %q compiles to %d instructions, at most %d are taken", cut(e), n, maxRegexProgram)
	}
	return nil
}

// cut keeps a message readable.
func cut(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}
