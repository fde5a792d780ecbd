package testcorpus

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestCommittedRowsAreUnderstood: each field, and each clause of each sentence.
func TestCommittedRowsAreUnderstood(t *testing.T) {
	t.Parallel()
	for _, s := range Sets(t) {
		if !s.Committed {
			continue
		}
		if len(s.Rows) < 60 {
			t.Errorf("%s has %d rows", s.Name, len(s.Rows))
		}
		for i := range s.Rows {
			r := &s.Rows[i]
			if u := slices.Concat(r.Rules.Unknown, r.Setup.Unknown()); len(u) > 0 {
				t.Errorf("%s: nobody understands %q", r.ID, u)
			}
		}
	}
}

func TestExcusesAreOfRows(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, r := range Rows(t) {
		known[r.ID] = true
	}
	for k := range Excuses(t) {
		if id, _, _ := strings.Cut(k, " "); !known[id] {
			t.Errorf("there is no row %s", id)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	t.Parallel()
	const good = `{"id":"a","class":"c","client":"connect","target":"","sni":"","host":"","path":"","policy":"p","expect":"deny","why":"","source":""}`
	for name, text := range map[string]string{
		"no JSON": "x", "an unknown field": strings.Replace(good, `"why"`, `"reason"`, 1), "no id": strings.Replace(good, `"a"`, `""`, 1),
		"another verdict": strings.Replace(good, "deny", "maybe", 1), "another client": strings.Replace(good, "connect", "smtp", 1), "twice": good + "\n" + good,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if rows, err := Read(strings.NewReader(text)); err == nil {
				t.Errorf("read %+v", rows)
			}
		})
	}
	rows, err := Read(strings.NewReader(strings.Replace(good, `"source":""`, `"source":"","setup":{"method":"GET","odd":1}`, 1)))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"odd"}, rows[0].Setup.Unknown()); diff != "" {
		t.Errorf("unknown (-want +got):\n%s", diff)
	}
}

func TestParseRules(t *testing.T) {
	t.Parallel()
	for sentence, want := range map[string]Rules{
		"allow host **.a.example (any depth) ports 80,443; deny host b.a.example": {
			Allow: []Grant{{Names: []string{"**.a.example"}, Ports: []uint16{80, 443}}}, Deny: []Grant{{Names: []string{"b.a.example"}}},
		},
		"TLS inspection on; allow GET,HEAD https://a.example:8443/x/* only": {
			Inspect: true, Allow: []Grant{{Names: []string{"a.example"}, Ports: []uint16{8443}, Secure: true, Methods: []string{"GET", "HEAD"}, Paths: []string{"/x/**"}}},
		},
		"allow hosts a.example and b.example any port": {Allow: []Grant{{Names: []string{"a.example", "b.example"}}}},
		"forbid everything":                            {Unknown: []string{"forbid everything"}},
	} {
		if diff := cmp.Diff(want, ParseRules(sentence)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", sentence, diff)
		}
	}
}
