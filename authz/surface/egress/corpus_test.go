package egress_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/authz/surface/egress"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
)

// attempt is one row of testdata/corpus.jsonl: an attempt to get out.
type attempt struct {
	ID string `json:"id"`
	// Expect is the verdict of the whole gateway.
	Expect string `json:"expect"`
	// Target is that of a CONNECT, Host of another request, Path its path and
	// query.
	Target *string `json:"target"`
	Host   *string `json:"host"`
	Path   string  `json:"path"`
	// Inside are the operator's ranges, Hosts names that the operator lists.
	Inside []netip.Prefix `json:"inside"`
	Hosts  []string       `json:"hosts"`
	// Reason is why it is refused here, with the class of an address.
	Reason string `json:"reason"`
	// LeftTo is who refuses what is well formed: policy, which compares Gives
	// and GivesPath, or Envoy, which sees what the guard does not.
	LeftTo    string `json:"left_to"`
	Gives     string `json:"gives"`
	GivesPath string `json:"gives_path"`
	Mode      string `json:"mode"`
	Why       string `json:"why"`
}

func attempts(t testing.TB) []attempt {
	t.Helper()
	raw, err := os.ReadFile("testdata/corpus.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	var all []attempt
	lines := bufio.NewScanner(bytes.NewReader(raw))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var a attempt
		d := json.NewDecoder(bytes.NewReader(lines.Bytes()))
		d.DisallowUnknownFields()
		if err := d.Decode(&a); err != nil {
			t.Fatal(err)
		}
		all = append(all, a)
	}
	return all
}

// outcome is what became of an attempt.
type outcome struct{ Gives, GivesPath, Mode, Reason string }

func (a attempt) judge(t *testing.T) outcome {
	t.Helper()
	var o outcome
	var err error
	switch {
	case a.Target != nil:
		o.Gives, o.Mode, err = a.destination(t, *a.Target, 0)
	case a.Host != nil:
		o.Gives, o.Mode, err = a.destination(t, *a.Host, 80)
	}
	if err == nil && a.Path != "" {
		o.GivesPath, err = egress.CanonicalPath(a.Path)
	}
	if err != nil {
		return outcome{Reason: reasonOf(t, err)}
	}
	return o
}

func (a attempt) destination(t *testing.T, s string, port uint16) (gives, mode string, err error) {
	t.Helper()
	d, err := egress.ParseAuthority(s, port)
	if err != nil {
		return "", "", err
	}
	e := feedv1.Egress{InsideRanges: a.Inside}
	for _, h := range a.Hosts {
		e.Hosts = append(e.Hosts, feedv1.Host{
			Name: h, Addresses: []netip.Addr{netip.MustParseAddr("10.96.0.7")}, Ports: []uint16{443}, Clusters: []string{"c"},
		})
	}
	p, _ := egress.NewPlan(egress.PlanConfig{Egress: e})
	w, err := p.Route(d)
	return d.String(), w.Mode, err
}

// reasonOf is a refusal's reason, with the class where there is one.
func reasonOf(t *testing.T, err error) string {
	t.Helper()
	var r *egress.Refusal
	if !errors.As(err, &r) {
		t.Fatalf("error is %T (%v), want *Refusal", err, err)
	}
	if r.Class != "" {
		return string(r.Reason) + " " + string(r.Class)
	}
	return string(r.Reason)
}

func TestCorpus(t *testing.T) {
	t.Parallel()
	all := attempts(t)
	if len(all) < 230 {
		t.Fatalf("corpus has %d rows", len(all))
	}
	for _, a := range all {
		t.Run(a.ID, func(t *testing.T) {
			t.Parallel()
			want := outcome{Gives: a.Gives, GivesPath: a.GivesPath, Mode: a.Mode, Reason: a.Reason}
			if diff := cmp.Diff(want, a.judge(t)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", a.Why, diff)
			}
		})
	}
}

// A row that is to be denied is refused here, or says who refuses it; one that
// is to be allowed is never refused here.
func TestCorpusIsConsistent(t *testing.T) {
	t.Parallel()
	for _, a := range attempts(t) {
		refused := a.Reason != ""
		if a.Expect == "allow" && (refused || a.LeftTo != "") || a.Expect == "deny" && refused == (a.LeftTo != "") {
			t.Errorf("%s: expect %s, reason %q, left to %q", a.ID, a.Expect, a.Reason, a.LeftTo)
		}
	}
}
