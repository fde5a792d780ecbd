package e2e

import (
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	places "github.com/hopgate/hopgate/authz/surface/egress"
	"github.com/hopgate/hopgate/cmd/hopgate/laptop"
	"github.com/hopgate/hopgate/internal/testcorpus"
	"github.com/hopgate/hopgate/internal/testenv"
	"github.com/hopgate/hopgate/internal/testgateway"
)

// levels at which rows are tried, in order: the functions that read names and
// paths, a decision without an Envoy, and a real Envoy.
var levels = []string{"unit", "check", "envoy"}

// trial is all that rows are tried by.
type trial struct {
	*looking
	fixtures *fixtures
	world    *everywhere
	decider  *decider
	excuses  map[string]string
}

func newTrial(t *testing.T, rows []testcorpus.Row) *trial {
	t.Helper()
	x := &trial{world: newEverywhere(t, portsOf(rows)), excuses: testcorpus.Excuses(t)}
	x.fixtures = build(t, rows) // after the world, whose ports are given
	x.looking = &looking{Gateway: testgateway.New(t, x.fixtures.objects())}
	x.makeCA(t)
	x.Launch(func(c *laptop.Config) {
		c.Getenv = func(k string) string { return map[string]string{"SSL_CERT_FILE": x.world.file, keyEnv: gatewayKey}[k] }
	})
	testenv.WaitFor(t, time.Duration(len(x.fixtures.exits))*2*time.Second, "as many Gateways as there are exits to be ready", x.Ready)
	x.decider = newDecider(t, x.Gateway, x.world.file)
	return x
}

// TestCorpus tries each attempt to get out at three levels, and prints one
// table. At a real Envoy no byte may come where the verdict forbids it, and
// what is allowed must come where it says. A verdict that differs fails, but
// for rows that are excused: and an excuse that is not needed fails as well.
func TestCorpus(t *testing.T) {
	t.Parallel()
	if !ownInternet(t) {
		return
	}
	sets := testcorpus.Sets(t)
	var rows []testcorpus.Row
	for _, s := range sets {
		rows = append(rows, s.Rows...)
	}
	x := newTrial(t, rows)
	for _, s := range sets {
		p := &page{counts: map[string]*[3]count{}}
		for i := range s.Rows {
			x.try(t, &s.Rows[i], p)
		}
		p.judge(t, s, x.excuses)
		fmt.Fprintf(os.Stdout, "%s\n%s\n", s.Name, p)
	}
}

// try tries one row at each level.
func (x *trial) try(t *testing.T, r *testcorpus.Row, p *page) {
	u := r.Unit()
	switch {
	case u.Refused != "":
		p.note(r, 0, testcorpus.Deny, u.Refused)
	case u.Silent != "" || r.Expect == testcorpus.Deny:
		p.note(r, 0, "", cmpOr(u.Silent, "well formed: rules, names or bytes decide"))
	default:
		p.note(r, 0, testcorpus.Allow, "")
	}
	if why := needs(r); why != "" {
		p.note(r, 1, "", why)
		p.note(r, 2, "", why)
		return
	}
	f := x.fixtures.of[r.ID]
	token := x.Token(agent(f.agent))
	x.world.try(r)
	verdict, note := x.decider.decide(r, f, token)
	p.note(r, 1, verdict, note)
	verdict, note = x.envoy(t, r, f, token)
	p.note(r, 2, verdict, note)
}

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// needs says what a row asks for that is not tried here; empty: nothing.
func needs(r *testcorpus.Row) string {
	s := &r.Setup
	switch {
	case len(r.Rules.Unknown)+len(s.Unknown()) > 0:
		return "not understood: " + strings.Join(append(slices.Clone(r.Rules.Unknown), s.Unknown()...), "; ")
	case strings.Contains(r.Target, " ") && (r.Client == testcorpus.TLS || elsewhereAsked(r)):
		return "it does not come to the gateway: the network's rules are in the way"
	case s.SHA512 != "" || slices.Contains(r.Rules.Wants, "provenance required"):
		return "what is in a package is its reader's business"
	case s.Contains != "":
		return "answers are not searched for secrets"
	case s.Limit != "" && r.Expect == testcorpus.Deny && !distinct.MatchString(s.Limit):
		return "detectors come later"
	case s.Event == "decision service down":
		return "the whole gateway is stopped: e2e/faults_test.go"
	}
	return ""
}

// elsewhereAsked reports whether a name is asked of somebody else.
func elsewhereAsked(r *testcorpus.Row) bool {
	how, _, _ := strings.Cut(r.Target, " ")
	return r.Client == testcorpus.DNS && (how == "udp" || how == "tcp")
}

// envoy tries a row at a real Envoy.
func (x *trial) envoy(t *testing.T, r *testcorpus.Row, f *fixture, token string) (verdict, note string) {
	a := &agentOf{t: t, row: r, port: f.exit.port, token: token, trust: x.clientTrust(), tls: f.tls, source: f.source, exit: f.exit}
	a.visit()
	before := x.world.try(r)
	defer x.world.try(nil)
	if changes(r) {
		return x.later(t, a, f)
	}
	got := a.send()
	for range busy {
		if r.Expect == testcorpus.Deny || got.through() || got.status >= 400 && got.status < 500 {
			break
		}
		got = a.send() // nobody said no
	}
	if r.Setup.Status != 0 || r.Setup.Follow != "" {
		return x.followed(t, a, got)
	}
	if r.Setup.Second && got.through() {
		return x.again(t, a)
	}
	return x.seen(t, r, got, x.world.since(before))
}

// busy is how often a row that is to be allowed is tried again where nobody has
// said no: Envoy gives up early on a machine that is busy.
const busy = 3

// seen judges what an attempt led to.
func (x *trial) seen(t *testing.T, r *testcorpus.Row, got came, arrived []arrival) (verdict, note string) {
	for i := range arrived {
		if why := escaped(r, &arrived[i]); why != "" {
			t.Errorf("%s escaped: %s: %s (%s)", r.ID, why, &arrived[i], r.Why)
		}
	}
	if !got.through() {
		// Of pipelined requests all but the last one may pass, and of what is over
		// a budget some.
		if n := written(r, arrived); n > max(len(r.Setup.Pipelined)-1, 0) && !overBudget(r, arrived) {
			t.Errorf("%s: answer %d, and %d connections were written to, the last one %s", r.ID, got.status, n, &arrived[len(arrived)-1])
		}
		return testcorpus.Deny, fmt.Sprint("answer ", got.status)
	}
	if r.Expect == testcorpus.Allow && r.Client != testcorpus.DNS {
		x.arrivedWell(t, r, got, arrived)
	}
	if at := r.Spared(); at.IsValid() && r.Expect == testcorpus.Deny {
		return testcorpus.Deny, fmt.Sprintf("answer %d from %s: as the row asserts, nothing came to %s", got.status, got.at, at)
	}
	return testcorpus.Allow, fmt.Sprintf("answer %d from %s", got.status, got.at)
}

// overBudget reports whether the row sends more than it may, and nobody got all
// of it.
func overBudget(r *testcorpus.Row, arrived []arrival) bool {
	return r.Setup.BytesUp > 0 && !slices.ContainsFunc(arrived, func(a arrival) bool { return a.body >= r.Setup.BytesUp })
}

// written counts those to whom something of the row was written. The gateway
// itself reads the page of a package.
func written(r *testcorpus.Row, arrived []arrival) int {
	n := 0
	for i := range arrived {
		if own := r.Rules.Registry != "" && !samePath(arrived[i].path, r.Path); arrived[i].read && !own {
			n++
		}
	}
	return n
}

// escaped says why an arrival is one that no verdict can allow: at an address
// that is not open, or at a place that the row's rules do not list.
func escaped(r *testcorpus.Row, a *arrival) string {
	if got := a.header.Values(keyHeader); withKey(r) && a.header != nil && (!slices.Equal(got, []string{gatewayKey}) || strings.Contains(a.query, gatewayKey)) {
		return fmt.Sprintf("it has the key %q, and %q in its query", got, a.query)
	}
	if r.Spared() == a.to.Addr() {
		return "the row asserts that it sees nothing"
	}
	space, _ := places.NewSpace(places.SpaceConfig{Inside: r.Rules.Inside})
	declared := len(r.Rules.Hosts) > 0 && a.to.Addr() == testcorpus.ClusterAddress()
	if !declared && !space.Open(a.to.Addr(), a.to.Port()).Open() {
		return "the address is " + string(places.Classify(a.to.Addr()))
	}
	all := slices.ContainsFunc(r.Rules.Allow, func(g testcorpus.Grant) bool { return slices.Contains(g.Names, "*") })
	if a.to.Addr().String() == elsewhere && !all {
		return "no rule lists the name"
	}
	return ""
}

// arrivedWell holds where an allowed row came against where it was to go.
func (x *trial) arrivedWell(t *testing.T, r *testcorpus.Row, got came, arrived []arrival) {
	u := r.Unit()
	place, path, _ := strings.Cut(u.Gives, " ")
	d, err := places.ParseTarget(place)
	if err != nil {
		t.Errorf("%s is allowed, and leads to %q", r.ID, u.Gives)
		return
	}
	at, err := netip.ParseAddrPort(got.at)
	switch {
	case err != nil || at.Port() != d.Port:
		t.Errorf("%s came to %s, and was to go to %s", r.ID, got.at, d)
	case d.Addr.IsValid() && at.Addr() != d.Addr:
		t.Errorf("%s came to %s, and was to go to %s", r.ID, got.at, d)
	case len(r.Rules.Hosts) > 0 && at.Addr() != testcorpus.ClusterAddress():
		t.Errorf("%s came to %s, and was to go to the operator's host", r.ID, got.at)
	}
	if len(arrived) == 0 {
		t.Errorf("%s came to %s, where nobody saw it", r.ID, got.at)
		return
	}
	if last := arrived[len(arrived)-1]; r.Rules.Registry == "" && len(r.Setup.Pipelined) == 0 && path != "" && last.path != "" && !samePath(last.path, path) && !surfaced(r) {
		t.Errorf("%s was judged as %s, and sent on as %s", r.ID, path, last.path)
	}
}

// samePath reports whether two paths are one to whoever decodes them, but for
// encoded slashes.
func samePath(a, b string) bool {
	x, err := url.PathUnescape(strings.ReplaceAll(a, "%2F", "%252F"))
	y, err2 := url.PathUnescape(strings.ReplaceAll(b, "%2F", "%252F"))
	return err == nil && err2 == nil && x == y
}

// count is what became of the rows of one class at one level.
type count struct{ rows, agree, differ, excused, silent int }

func (c *count) add(d count) {
	c.rows, c.agree, c.differ = c.rows+d.rows, c.agree+d.agree, c.differ+d.differ
	c.excused, c.silent = c.excused+d.excused, c.silent+d.silent
}

// String is a count's columns.
func (c count) String() string {
	return fmt.Sprintf("%d\t%d\t%d\t%d\t%d", c.rows, c.agree, c.differ, c.excused, c.silent)
}

// page is the table.
type page struct {
	counts  map[string]*[3]count
	differ  []difference
	silence map[string]int
	agreed  []string
}

// difference is a row whose verdict is not the one that is expected.
type difference struct {
	id, class, level, expect, verdict, note, why string
}

func (p *page) note(r *testcorpus.Row, level int, verdict, note string) {
	c := p.counts[r.Class]
	if c == nil {
		c = &[3]count{}
		p.counts[r.Class] = c
	}
	c[level].rows++
	switch verdict {
	case "":
		c[level].silent++
		if p.silence == nil {
			p.silence = map[string]int{}
		}
		p.silence[levels[level]+": "+note]++
	case r.Expect:
		c[level].agree++
		p.agreed = append(p.agreed, r.ID+" "+levels[level])
	default:
		c[level].differ++
		p.differ = append(p.differ, difference{r.ID, r.Class, levels[level], r.Expect, verdict, note, r.Why})
	}
}

// judge fails for what differs and is not excused, and for excuses that are not
// needed.
func (p *page) judge(t *testing.T, s testcorpus.Set, excuses map[string]string) {
	for _, d := range p.differ {
		if excuses[d.id+" "+d.level] != "" {
			c := &p.counts[d.class][slices.Index(levels, d.level)]
			c.differ, c.excused = c.differ-1, c.excused+1
		} else {
			t.Errorf("%s at %s: %s, want %s: %s (%s)", d.id, d.level, d.verdict, d.expect, d.note, d.why)
		}
		if d.expect == testcorpus.Allow {
			t.Errorf("%s is to be allowed, and no excuse helps", d.id)
		}
	}
	for _, k := range p.agreed {
		if excuses[k] != "" && s.Committed {
			t.Errorf("%s is excused, and needs no excuse: %s", k, excuses[k])
		}
	}
}

// String is the table, what differs, and why nothing was said.
func (p *page) String() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "class\tlevel\trows\tagree\tdiffer\texcused\tsilent")
	var all [3]count
	for _, class := range slices.Sorted(maps.Keys(p.counts)) {
		for i, c := range p.counts[class] {
			fmt.Fprintf(w, "%s\t%s\t%s\n", class, levels[i], c)
			all[i].add(c)
		}
	}
	for i, c := range all {
		fmt.Fprintf(w, "all\t%s\t%s\n", levels[i], c)
	}
	if err := w.Flush(); err != nil {
		return err.Error()
	}
	for _, d := range p.differ {
		fmt.Fprintf(&b, "differs: %s at %s: %s, want %s: %s (%s)\n", d.id, d.level, d.verdict, d.expect, d.note, d.why)
	}
	for _, k := range slices.Sorted(maps.Keys(p.silence)) {
		fmt.Fprintf(&b, "silent: %d at %s\n", p.silence[k], k)
	}
	return b.String()
}
