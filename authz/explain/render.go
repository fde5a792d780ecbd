package explain

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/authz/decide"
	"github.com/hopgate/hopgate/authz/denial"
	"github.com/hopgate/hopgate/authz/policy"
	"github.com/hopgate/hopgate/authz/surface/egress"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

// Explanation is a verdict and how it came about.
type Explanation struct {
	Verdict string `json:"verdict"`
	Code    string `json:"code,omitempty"`
	Text    string `json:"text,omitempty"`
	// Life is how long the hop may last, when it is allowed.
	Life string `json:"life,omitempty"`
	// Lease is how long if no fresher token renews it, where one can.
	Lease string `json:"lease,omitempty"`
	Level string `json:"level,omitempty"`
	By    string `json:"by,omitempty"`
	// Led is the hop whose redirect opened this one: By allowed that.
	Led *Led `json:"led,omitempty"`
	// Listed are the names that are listed for who asks for one.
	Listed []string `json:"listed,omitempty"`
	// Notes say what is not known here, and what was taken for granted.
	Notes []string     `json:"notes,omitempty"`
	Trace policy.Trace `json:"trace"`
}

// Explain decides h and tells why. What no rule can open is denied before any
// is asked, as it is in a gateway.
func (c *Config) Explain(h *decide.Hop) Explanation {
	code, text, notes := c.reach(h)
	if code != "" {
		return denied(code, text)
	}
	var tr policy.Trace
	v := decide.Decide(h, c.Now, &tr)
	e := Explanation{Verdict: "allow"}
	if v.Allowed {
		e.Life, e.Notes = v.Life.String(), notes
		if v.Renewable() {
			e.Lease = v.Lease.String()
		}
	} else {
		e = denied(v.Code, slashText(v.Code))
	}
	e.Level, e.Trace = v.Outcome.Level, tr
	if v.Outcome.Policy.Name != "" {
		e.By = v.Outcome.Policy.String() + "/" + v.Outcome.Rule
	}
	if v.Outcome.Detail != "" {
		e.Text += ": " + v.Outcome.Detail
	}
	if v.Code == denial.LimitExceeded || v.Code == denial.LimitMissing {
		e.Notes = append(e.Notes, fmt.Sprintf("it asks for %s output tokens, and its body has %s bytes", known(h.Action.OutputTokens > 0, h.Action.OutputTokens), known(h.Action.RequestBytes >= 0, h.Action.RequestBytes)))
	}
	return e
}

func known(ok bool, n int64) string {
	if !ok {
		return "an unknown number of"
	}
	return strconv.FormatInt(n, 10)
}

// denied is a denial with this code; text is its own, or the code's.
func denied(code, text string) Explanation {
	c := denial.NewCodes().Get(code)
	e := Explanation{Verdict: "deny", Code: c.Name, Text: cmp.Or(text, c.Text)}
	if code == denial.ApprovalRequired {
		e.Verdict = "ask"
	}
	return e
}

// reach says by a code what cannot be reached through a proxy at all, and
// otherwise what can be known only when the hop is there.
func (c *Config) reach(h *decide.Hop) (code, text string, notes []string) {
	if h.Target.Entry == wire.EntryRoute {
		return "", "", nil
	}
	d := egress.Destination{Host: h.Action.Host, Port: h.Action.Port}
	d.Addr, _ = netip.ParseAddr(d.Host) // a name is none
	var all []feedv1.Listener
	for i := range c.Gateways {
		all = append(all, c.Gateways[i].Listeners...)
	}
	plan, _ := egress.NewPlan(egress.PlanConfig{Egress: h.Target.Gateway.Egress, Listeners: all})
	reach := decide.Reach
	if h.Action.Kind == v1alpha1.SurfaceHosts {
		reach = decide.ReachTunnel
	}
	way, code, err := reach(plan, h.Target, d)
	var r *egress.Refusal
	switch {
	case errors.As(err, &r):
		return r.Code(), r.Text(), nil
	case code != "":
		return code, "", nil
	case decide.MustInspect(way, h.Action.Kind):
		return "", "", []string{"it is a package registry: a tunnel to it is allowed only where a rule says tls: Inspect"}
	case way.NeedsResolution():
		return "", "", []string{"the name's addresses are judged when it is looked up"}
	}
	return "", "", nil
}

// WriteText writes e for a person.
func (e *Explanation) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "verdict  %s", e.Verdict)
	switch {
	case e.Code != "":
		fmt.Fprintf(&b, "  %s: %s", e.Code, e.Text)
	case e.Text != "":
		fmt.Fprintf(&b, "  %s", e.Text)
	}
	if e.Led != nil && e.Verdict == "allow" {
		fmt.Fprintf(&b, "  by the redirect of hop %s, rule %s,", e.Led.Hop, e.By)
	}
	if e.Life != "" {
		fmt.Fprintf(&b, "  for at most %s", e.Life)
	}
	if e.Lease != "" {
		fmt.Fprintf(&b, ", %s unless a fresher token renews it", e.Lease)
	}
	b.WriteByte('\n')
	if e.By != "" {
		fmt.Fprintf(&b, "by       %s  on %s\n", e.By, e.Level)
	}
	if e.Led != nil {
		fmt.Fprintf(&b, "led by   hop %s  until %s\n", e.Led.Hop, e.Led.Until)
	}
	for _, n := range e.Notes {
		fmt.Fprintf(&b, "note     %s\n", n)
	}
	for _, l := range e.Trace.Levels {
		e.level(&b, l)
	}
	lines(&b, "duties", e.Trace.Duties)
	lines(&b, "listed", someOf(e.Listed))
	if e.Code == denial.NoRule || e.Code == denial.TokenMissing {
		e.nearMisses(&b)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// nearMisses says what would have to be different. Where a rule denies, no
// other one would help.
func (e *Explanation) nearMisses(b *strings.Builder) {
	for _, n := range e.Trace.NearMisses {
		fmt.Fprintf(b, "\n%s/%s would allow it on %s, if\n", n.Policy, n.Rule, n.Level)
		for _, c := range n.Missing {
			condition(b, "  ", c)
		}
	}
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
	for _, d := range r.Duties {
		if strings.HasPrefix(d, "limits.") {
			fmt.Fprintf(b, "          %s\n", d)
		}
	}
}

// condition shows values as they are in records: an agent's words move no
// cursor.
func condition(b *strings.Builder, indent string, c policy.Condition) {
	expected := c.Expected
	if !plain(expected) {
		expected = audit.Display(expected, maxShown)
	}
	fmt.Fprintf(b, "%s%-5s %s: %s", indent, c.Result, c.Field, expected)
	if c.Actual != "" {
		fmt.Fprintf(b, "  is %s", actual(c.Actual))
	}
	b.WriteByte('\n')
}

// actual shows an agent's words in quotes, unless they come in quotes.
func actual(s string) string {
	if s[0] == '"' && plain(s) && json.Valid([]byte(s)) {
		return s
	}
	return audit.Display(s, maxShown)
}

// plain reports whether s is short, and ASCII that moves no cursor. What the
// configuration says may then stand as it is.
func plain(s string) bool {
	return s != "" && len(s) <= maxShown && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}

const maxShown = 160

// maxListed is how many names are shown.
const maxListed = 50

// someOf leaves out names of which there are too many to be read.
func someOf(names []string) []string {
	if len(names) <= maxListed {
		return names
	}
	return append(slices.Clone(names[:maxListed]), fmt.Sprintf("and %d more", len(names)-maxListed))
}

func lines(b *strings.Builder, title string, ls []string) {
	if len(ls) > 0 {
		fmt.Fprintf(b, "\n%s\n  %s\n", title, strings.Join(ls, "\n  "))
	}
}
