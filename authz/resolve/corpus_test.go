package resolve_test

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/hopgate/hopgate/authz/resolve"
)

// attempt is one row of testdata/corpus.jsonl: an attempt to get out by what a
// name leads to, or, with Query, by a query itself.
type attempt struct {
	ID     string `json:"id"`
	Expect string `json:"expect"`
	Name   string `json:"name"`
	// DNS are the answers of each name in turn, the last one for ever.
	DNS   map[string][][]string `json:"dns"`
	CNAME map[string]string     `json:"cname"`
	// Error is NXDOMAIN or timeout.
	Error string `json:"dns_error"`
	// Query is the type that is asked of the Server; empty: Name is looked up.
	Query string `json:"query"`
	// Gives is what comes of it, in turn, each after the last one's life.
	Gives []string `json:"gives"`
	Why   string   `json:"why"`
}

func attempts(t *testing.T) []attempt {
	t.Helper()
	raw, err := os.ReadFile("testdata/corpus.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	var all []attempt
	for line := range bytes.Lines(raw) {
		var a attempt
		d := json.NewDecoder(bytes.NewReader(line))
		d.DisallowUnknownFields()
		if err := d.Decode(&a); err != nil {
			t.Fatal(err)
		}
		all = append(all, a)
	}
	return all
}

func (a attempt) upstream(b *bench) {
	for name, turns := range a.DNS {
		var list []behaviour
		for _, addrs := range turns {
			list = append(list, hasFor(0, addrs...))
		}
		b.up.set(name, inTurn(list...))
	}
	for from, to := range a.CNAME {
		b.up.set(from, lone(from+". 60 IN CNAME "+to+"."))
	}
	if a.Error == "timeout" {
		b.up.set(a.Name, silence)
	}
}

func TestCorpus(t *testing.T) {
	t.Parallel()
	all := attempts(t)
	if len(all) < 29 {
		t.Fatalf("corpus has %d rows", len(all))
	}
	for _, a := range all {
		t.Run(a.ID, func(t *testing.T) {
			t.Parallel()
			if a.Query != "" {
				a.query(t)
				return
			}
			b := newBench(t, func(c *resolve.Config) { c.Total = time.Second })
			a.upstream(b)
			for i, want := range a.Gives {
				if got := b.look(t, a.Name); got != want {
					t.Errorf("%s: step %d: %s, want %s", a.Why, i, got, want)
				}
				b.clock.pass(time.Minute)
			}
			for _, q := range b.up.queries() {
				if name := strings.Fields(q)[0]; name != a.Name && a.CNAME[a.Name] != name || strings.HasSuffix(name, ".local") {
					t.Errorf("asked for %s", name)
				}
			}
		})
	}
}

func (a attempt) query(t *testing.T) {
	t.Helper()
	c := newCounter(t, nil)
	for _, name := range []string{"allowed.example", "a.wild.example"} {
		c.up.set(name, has("198.200.0.1"))
		c.approve(name)
	}
	if got, _, _ := strings.Cut(c.ask(t, "udp", a.Name, dns.StringToType[a.Query]), " "); got != a.Gives[0] {
		t.Errorf("%s: %s, want %s", a.Why, got, a.Gives[0])
	}
	if asked := c.up.queries(); a.Expect == "deny" && len(asked) > 0 {
		t.Errorf("forwarded %q", asked)
	}
}

// A row that is to be denied ends closed; one that is to be allowed is open.
func TestCorpusIsConsistent(t *testing.T) {
	t.Parallel()
	for _, a := range attempts(t) {
		last := a.Gives[len(a.Gives)-1]
		open := strings.HasPrefix(last, "guard") || last == "NOERROR"
		if open != (a.Expect == "allow") {
			t.Errorf("%s: expect %s, gives %q", a.ID, a.Expect, a.Gives)
		}
	}
}
