package policy

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

const page = "../../docs/policy.md"

func readPage(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// truthRows are the rows of the table in the page: three levels, verdict, code.
func truthRows(t *testing.T) [][5]string {
	t.Helper()
	_, rest, ok := strings.Cut(readPage(t), "<!-- truth table: begin -->\n")
	table, _, ok2 := strings.Cut(rest, "<!-- truth table: end -->")
	if !ok || !ok2 {
		t.Fatal("the page has no truth table")
	}
	var rows [][5]string
	for i, line := range strings.Split(strings.TrimSpace(table), "\n") {
		cells := strings.Split(strings.Trim(line, "|"), "|")
		if len(cells) != 5 {
			t.Fatalf("row %d has %d cells", i, len(cells))
		}
		if i < 2 {
			continue
		}
		var row [5]string
		for j, c := range cells {
			row[j] = strings.Trim(strings.TrimSpace(c), "`")
		}
		rows = append(rows, row)
	}
	return rows
}

// states gives the policies that a cell means.
func states(t *testing.T, cell string, at feedv1.PolicyTarget) []feedv1.Policy {
	t.Helper()
	var out []feedv1.Policy
	if cell == "-" {
		return nil
	}
	for i, word := range strings.Split(cell, ", ") {
		word, report := strings.CutPrefix(word, "report: ")
		p := feedv1.Policy{
			Key:     feedv1.Key{Namespace: "agents", Name: fmt.Sprintf("%s-%d", strings.ToLower(at.Kind), i)},
			Targets: []feedv1.PolicyTarget{at}, Mode: v1alpha1.ModeEnforce,
		}
		if report {
			p.Mode = v1alpha1.ModeReport
		}
		p.Rules = stateRules(t, word, &p)
		out = append(out, p)
	}
	return out
}

func stateRules(t *testing.T, word string, p *feedv1.Policy) []v1alpha1.AccessRule {
	t.Helper()
	r := v1alpha1.AccessRule{Name: "rule", To: v1alpha1.RuleTo{
		Type: v1alpha1.SurfaceTools, Tools: []v1alpha1.ToolMatch{{Names: []string{"tool"}}},
	}}
	word, unjudged := strings.CutSuffix(word, "?")
	if unjudged {
		r.When = []string{"args.missing == 1"}
	}
	switch word {
	case "empty":
		return nil
	case "rejected":
		p.Rejected = "for the test"
		return nil
	case "other":
		r.To.Tools[0].Names = []string{"another"}
		r.Action = v1alpha1.ActionAllow
	case "allow":
		r.Action = v1alpha1.ActionAllow
	case "deny":
		r.Action = v1alpha1.ActionDeny
	case "ask":
		r.Action = v1alpha1.ActionAsk
	default:
		t.Fatalf("the word %q is not known", word)
	}
	return []v1alpha1.AccessRule{r}
}

func TestTruthTable(t *testing.T) {
	t.Parallel()
	rows := truthRows(t)
	if len(rows) < 30 {
		t.Fatalf("only %d rows", len(rows))
	}
	for _, row := range rows {
		t.Run(strings.Join(row[:3], "|"), func(t *testing.T) {
			t.Parallel()
			var policies []feedv1.Policy
			policies = append(policies, states(t, row[0], gatewayTarget())...)
			policies = append(policies, states(t, row[1], routeTarget())...)
			policies = append(policies, states(t, row[2], backendTarget("github"))...)
			got := decideAll(t, compileAll(t, policies...), toolTarget(), call(t, "tool", "{}"))
			if got.Effect.String() != row[3] || got.Code != row[4] {
				t.Errorf("got %s %q, want %s %q", got.Effect, got.Code, row[3], row[4])
			}
		})
	}
}
