package egress_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/authz/surface/egress"
	"github.com/hopgate/hopgate/internal/testcorpus"
)

var update = flag.Bool("update", false, "write what is read into testdata")

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

// TestCorpus: how each attempt to get out is read. One that is to be allowed is
// never refused here; of one that is to be denied either the reason is known, or
// that it is left to rules, to names or to Envoy.
func TestCorpus(t *testing.T) {
	t.Parallel()
	for _, s := range testcorpus.Sets(t) {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			for i := range s.Rows {
				r := &s.Rows[i]
				u := r.Unit()
				if r.Expect == testcorpus.Allow && u.Refused != "" {
					t.Errorf("%s is to be allowed, and refused: %s (%s)", r.ID, u.Refused, r.Why)
				}
				fmt.Fprintln(&out, r.ID, r.Expect, said(u))
			}
			if s.Committed {
				compare(t, strings.TrimSuffix(s.Name, ".jsonl")+".golden", out.String())
			}
		})
	}
}

func said(u testcorpus.Unit) string {
	switch {
	case u.Refused != "":
		return "refused: " + u.Refused
	case u.Silent != "":
		return "silent: " + u.Silent
	default:
		return "gives: " + u.Gives
	}
}

func compare(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("differs (-want +got); -update writes it:\n%s", diff)
	}
}
