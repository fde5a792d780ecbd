package clients

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hopgate/hopgate/authz/admin"
	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/authz/contain"
	"github.com/hopgate/hopgate/internal/testenv"
)

// enough is how long the clients may take, together, on a busy machine.
const enough = time.Minute

// lanes is how many clients are tried at once.
const lanes = 2

// patient is how often a client may ask for what it is refused.
const patient = 2

// trial is one way for a client to go through the gateway.
type trial struct {
	name string
	// agent is who it is, issued how long ago; no agent: it has no token.
	agent  string
	issued time.Duration
	// inspected has it believe the gateway's CA, and nobody else's.
	inspected bool
	// wants is what it asks for in place of hello.
	wants string
	// code is that of its denial; empty: it gets what it wants.
	code string
}

// unverified is one whose token is not believed: the record does not say whose
// it is.
func (tr trial) unverified() bool { return tr.agent == "" || tr.issued > 0 }

func trials() []trial {
	return []trial{
		{name: "unread", agent: reader},
		{name: "inspected", agent: watched, inspected: true},
		{name: "no rule", agent: stranger, code: "no_rule"},
		{name: "no token", code: "token_missing"},
		{name: "expired token", agent: reader, issued: time.Hour, code: "token_expired"},
		{name: "no rule inside", agent: watched, inspected: true, wants: "private", code: "no_rule"},
	}
}

// TestClients has each client of the page go through the gateway, unread and
// inspected, and be refused in each way there is.
func TestClients(t *testing.T) {
	t.Parallel()
	if !ownNetwork(t) {
		return
	}
	w := newWorld(t)
	scripts := readPage(t).scripts()
	b := &book{rows: map[string]row{}}
	t.Run("lanes", func(t *testing.T) {
		for lane := range lanes {
			t.Run(fmt.Sprint(lane), func(t *testing.T) {
				t.Parallel()
				for i, c := range clients() {
					if i%lanes == lane {
						t.Run(c.name, func(t *testing.T) { b.keep(c.name, w.try(t, c, scripts[c.name])) })
					}
				}
			})
		}
	})
	if len(b.rows) == 0 {
		t.Error("no client was tried")
	}
	if got := w.site.paths("private"); len(got) > 0 {
		t.Errorf("the site was asked for what is private: %v", got)
	}
	b.compare(t)
}

// try has a client try everything.
func (w *world) try(t *testing.T, c client, script string) row {
	t.Helper()
	out := row{client: c.name + " " + which(t, c), saw: map[string]string{}}
	for _, tr := range trials() {
		w.inTime(t, c)
		p, took := w.attempt(t, c, script, tr)
		out.saw[tr.name] = "works"
		if tr.code != "" {
			out.saw[tr.name] = cell(p, c)
		}
		t.Logf("%-9s %-12s %4.1f s (%.1f s of CPU): %s", c.name, tr.name, took.Seconds(), p.cpu.Seconds(), out.saw[tr.name])
	}
	if !c.uncut {
		w.inTime(t, c)
		out.saw[revoked] = cell(w.cut(t, c, script), c)
		t.Logf("%-9s %-12s %s", c.name, revoked, out.saw[revoked])
	}
	return out
}

// inTime leaves a client out when the machine is so busy that the tests would
// take too long.
func (w *world) inTime(t *testing.T, c client) {
	t.Helper()
	if since := time.Since(w.begun); since > enough && !*update {
		t.Skipf("NOT TRIED to its end: %s, since the clients have taken %s already", c.name, since.Round(time.Second))
	}
}

// which is the version of a client. Where it is not there the test is skipped.
func which(t *testing.T, c client) string {
	t.Helper()
	for _, n := range append(slices.Clone(c.needs), c.version) {
		if out, ok := has(t, n); !ok {
			t.Skipf("NOT TRIED: %s, since this machine lacks something: %s: %s", c.name, n, out)
		}
	}
	out, _ := has(t, c.version)
	return regexp.MustCompile(`[0-9]+(\.[0-9]+)+`).FindString(out)
}

// attempt is one trial of one client, and that the record agrees with it.
func (w *world) attempt(t *testing.T, c client, script string, tr trial) (printed, time.Duration) {
	t.Helper()
	txn, proxy, ca := c.name+" "+tr.name, w.proxy(""), w.roots
	if tr.agent != "" {
		proxy = w.proxy(w.by(tr.agent, txn, tr.issued))
	}
	if tr.inspected {
		ca = w.ca
	}
	if tr.wants != "" {
		script = strings.ReplaceAll(script, "hello", tr.wants)
	}
	before, begun := len(w.Records(t)), time.Now()
	p, err := w.session(t, proxy, ca)(script)
	took := time.Since(begun)
	switch all := strings.Contains(p.text, c.shows); {
	case err != nil:
		w.fail(t, tr.name, p, err)
	case tr.code == "" && (p.code != 0 || !all):
		w.fail(t, tr.name, p, errors.New("it does not get what it may have"))
	case tr.code != "" && (p.code == 0 || all):
		w.fail(t, tr.name, p, errors.New("it is not refused"))
	}
	w.recorded(t, before, txn, tr)
	if n := w.denials(t, txn); n > patient {
		t.Errorf("%s: it asks %d times for what it is refused", tr.name, n)
	}
	return p, took
}

// fail ends the test of a client. Where the gateway itself had no time to
// answer its Envoy, everything it held was cut: that says nothing of clients.
func (w *world) fail(t *testing.T, trial string, p printed, err error) {
	t.Helper()
	if strings.Count(w.Log.String(), "envoy joined") > 1 {
		t.Skipf("NOT TRIED to its end: the machine is too busy for the gateway to hold on to its Envoy: %s: %v", trial, err)
	}
	t.Fatalf("%s: %v: ended with %d:\n%s", trial, err, p.code, p.text)
}

// session is a place of its own to type a script in, with what the page begins
// with.
func (w *world) session(t testing.TB, proxy, ca string) func(script string) (printed, error) {
	t.Helper()
	dir := place(t)
	env := append(environment(t, dir), "PROXY="+proxy, "CA="+ca)
	return func(script string) (printed, error) { return run(t.Context(), script, env, dir) }
}

// recorded wants the record to have the hop or the denial, in the place where
// it was decided.
func (w *world) recorded(t *testing.T, before int, txn string, tr trial) {
	t.Helper()
	kind := audit.KindBegin
	if tr.code != "" {
		kind = audit.KindDeny
	}
	testenv.Wait(t, "the record to have "+txn, func() bool {
		return slices.ContainsFunc(w.Records(t)[before:], func(r audit.Record) bool {
			inside := r.Parent != audit.HopID{}
			return r.Kind == kind && r.Code == tr.code && inside == tr.inspected && (r.Txn == txn || tr.unverified())
		})
	})
}

// denials is how often a transaction was denied something.
func (w *world) denials(t *testing.T, txn string) int {
	t.Helper()
	n := 0
	for _, r := range w.Records(t) {
		if r.Kind == audit.KindDeny && r.Txn == txn {
			n++
		}
	}
	return n
}

// cut has what a client has got half of revoked.
func (w *world) cut(t *testing.T, c client, script string) printed {
	t.Helper()
	w.cuts.Lock()
	defer w.cuts.Unlock()
	txn := c.name + " revoked"
	begin := w.session(t, w.proxy(w.by(reader, txn, 0)), w.roots)
	for len(w.site.half) > 0 {
		<-w.site.half // somebody before asked twice
	}
	var p printed
	var err error
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		p, err = begin(strings.ReplaceAll(script, "hello", "endless"))
	}()
	select {
	case <-w.site.half:
	case <-ended:
		w.fail(t, revoked, p, fmt.Errorf("it ended before half of it came: %w", err))
	}
	done, wrong := w.admin.Order(t.Context(), admin.Ask{Verb: contain.VerbRevoke, Kind: contain.KindTxn, Value: txn})
	<-ended
	switch {
	case wrong != nil || done.Ended == 0:
		w.fail(t, revoked, p, fmt.Errorf("the order ended %d: %w", done.Ended, wrong))
	case err != nil:
		w.fail(t, revoked, p, err)
	case p.code == 0:
		w.fail(t, revoked, p, errors.New("it takes half of it for all"))
	}
	return p
}
