package denial

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/internal/testenv"
)

var update = flag.Bool("update", false, "rewrite the table of docs/denials.md")

const (
	tableBegin = "<!-- table: one row for each code; a test holds it to the code -->\n"
	tableEnd   = "<!-- end of table -->\n"
)

// TestPageHasEveryCode holds docs/denials.md to the table.
func TestPageHasEveryCode(t *testing.T) {
	t.Parallel()
	path := filepath.Join(testenv.Root(t), "docs", "denials.md")
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(raw), tableBegin)
	got, after, ok2 := strings.Cut(rest, tableEnd)
	if !ok || !ok2 {
		t.Fatal("docs/denials.md has no table between its marks")
	}
	want := rows()
	if *update {
		if err := os.WriteFile(path, []byte(before+tableBegin+want+tableEnd+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("docs/denials.md differs from the code (-want +got); run with -update:\n%s", diff)
	}
}

func rows() string {
	var b strings.Builder
	b.WriteString("| code | HTTP | retry | what it means |\n| --- | --- | --- | --- |\n")
	for _, c := range All() {
		fmt.Fprintf(&b, "| `%s` | %d | `%s` | %s |\n", c.Name, c.HTTPStatus(), c.Retry, c.Text)
	}
	return b.String()
}

func TestCodesAreWhole(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, c := range All() {
		if seen[c.Name] {
			t.Errorf("%s stands twice", c.Name)
		}
		seen[c.Name] = true
		if c.Text == "" || c.Retry == "" || strings.Trim(c.Name, "abcdefghijklmnopqrstuvwxyz_") != "" {
			t.Errorf("%q is not whole: %+v", c.Name, c)
		}
		if s := c.HTTPStatus(); s < 400 || http.StatusText(s) == "" {
			t.Errorf("%s has status %d", c.Name, s)
		}
	}
}

func TestAnUnknownCodeStillDenies(t *testing.T) {
	t.Parallel()
	if got := NewCodes().Get("no such code"); got.Name != Internal || got.HTTPStatus() != 503 {
		t.Errorf("Get = %+v", got)
	}
}
