package explain

import (
	"fmt"
	"io"
	"strings"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/authz/decide"
	"github.com/hopgate/hopgate/authz/denial"
	"github.com/hopgate/hopgate/authz/policy"
)

// Explanation is a verdict and how it came about.
type Explanation struct {
	Verdict string `json:"verdict"`
	Code    string `json:"code,omitempty"`
	Text    string `json:"text,omitempty"`
	// Life is how long the hop may last, when it is allowed.
	Life  string       `json:"life,omitempty"`
	Level string       `json:"level,omitempty"`
	By    string       `json:"by,omitempty"`
	Trace policy.Trace `json:"trace"`
}

// Explain decides h and tells why.
func (c *Config) Explain(h *decide.Hop) Explanation {
	var tr policy.Trace
	v := decide.Decide(h, c.Now, &tr)
	e := Explanation{Verdict: "allow", Level: v.Outcome.Level, Trace: tr}
	if v.Outcome.Policy.Name != "" {
		e.By = v.Outcome.Policy.String() + "/" + v.Outcome.Rule
	}
	if v.Allowed {
		e.Life = v.Life.String()
		return e
	}
	code := denial.NewCodes().Get(v.Code)
	e.Verdict, e.Code, e.Text = "deny", code.Name, code.Text
	if v.Outcome.Effect == policy.Ask {
		e.Verdict = "ask"
	}
	if v.Outcome.Detail != "" {
		e.Text += ": " + v.Outcome.Detail
	}
	return e
}

// WriteText writes e for a person.
func (e *Explanation) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "verdict  %s", e.Verdict)
	if e.Code != "" {
		fmt.Fprintf(&b, "  %s: %s", e.Code, e.Text)
	}
	if e.Life != "" {
		fmt.Fprintf(&b, "  for at most %s", e.Life)
	}
	b.WriteByte('\n')
	if e.By != "" {
		fmt.Fprintf(&b, "by       %s  on %s\n", e.By, e.Level)
	}
	for _, l := range e.Trace.Levels {
		e.level(&b, l)
	}
	lines(&b, "duties", e.Trace.Duties)
	for _, n := range e.Trace.NearMisses {
		fmt.Fprintf(&b, "\nwould allow it: %s/%s, if\n", n.Policy, n.Rule)
		for _, c := range n.Missing {
			condition(&b, "  ", c)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (e *Explanation) level(b *strings.Builder, l policy.LevelTrace) {
	fmt.Fprintf(b, "\nlevel %s: ", l.Level)
	switch {
	case !l.Enforcing:
		b.WriteString("neutral, it has no policy that counts\n")
	case l.Code != "":
		fmt.Fprintf(b, "%s (%s)\n", l.Effect, l.Code)
	default:
		fmt.Fprintf(b, "%s\n", l.Effect)
	}
	for _, r := range l.Rules {
		rule(b, r)
	}
	if l.Omitted > 0 {
		fmt.Fprintf(b, "  and %d more rules\n", l.Omitted)
	}
}

func rule(b *strings.Builder, r policy.RuleTrace) {
	fmt.Fprintf(b, "  %-5s %s %s/%s", r.Result, r.Action, r.Policy, r.Rule)
	if r.As != "" {
		fmt.Fprintf(b, "  (%s)", r.As)
	}
	if r.Report {
		b.WriteString("  (report only)")
	}
	b.WriteByte('\n')
	for _, c := range r.Conditions {
		condition(b, "    ", c)
	}
}

// condition shows values as they are in records: an agent's words move no
// cursor.
func condition(b *strings.Builder, indent string, c policy.Condition) {
	fmt.Fprintf(b, "%s%-5s %s: %s", indent, c.Result, c.Field, audit.Display(c.Expected, maxShown))
	if c.Actual != "" {
		fmt.Fprintf(b, "  is %s", audit.Display(c.Actual, maxShown))
	}
	b.WriteByte('\n')
}

const maxShown = 160

func lines(b *strings.Builder, title string, ls []string) {
	if len(ls) > 0 {
		fmt.Fprintf(b, "\n%s\n  %s\n", title, strings.Join(ls, "\n  "))
	}
}
