package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/internal/testenv"
)

// A child reports at its start and for each order, and ends with its input.
func TestPlay(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, role, orders string
		reports            int
		want               string // a part of the error; empty: none
	}{
		{"no order", roleBlind, "", 1, ""},
		{"orders", roleBlind, "report\nadmit 12\nreport\n", 4, ""},
		{"an odd order", roleBlind, "report\nexplode\nreport\n", 2, `unknown order "explode"`},
		{"an odd process", roleBlind, "admit x\n", 1, "unknown order"},
		{"an odd role", "actor", "report\n", 0, `no role "actor"`},
		{"a guard without a feed", roleGuard, "report\n", 0, "read the feed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := testenv.ShortDir(t)
			raw, err := json.Marshal(spec{Role: tt.role, Dir: dir})
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, specFile), raw, 0o600); err != nil {
				t.Fatal(err)
			}
			var out strings.Builder
			err = play(dir, strings.NewReader(tt.orders), &out)
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("play = %v, want %q", err, tt.want)
			}
			if got := strings.Count(out.String(), "\n"); got != tt.reports {
				t.Errorf("%d reports, want %d", got, tt.reports)
			}
		})
	}
}

func TestPlayWithoutSpec(t *testing.T) {
	t.Parallel()
	if err := play(t.TempDir(), strings.NewReader(""), &strings.Builder{}); err == nil || !strings.Contains(err.Error(), "read what to be") {
		t.Errorf("play = %v", err)
	}
}
