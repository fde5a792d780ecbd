package clients

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/internal/testenv"
)

var update = flag.Bool("update", false, "write the table of docs/clients.md anew, by what is seen here")

// What the table stands between.
const (
	tableBegins = "<!-- table: what e2e/clients has seen -->\n"
	tableEnds   = "<!-- end of table -->\n"
)

// page is docs/clients.md.
type page struct{ path, text string }

func readPage(t testing.TB) page {
	t.Helper()
	p := page{path: filepath.Join(testenv.Root(t), "docs", "clients.md")}
	raw, err := os.ReadFile(p.path)
	if err != nil {
		t.Fatal(err)
	}
	p.text = string(raw)
	return p
}

// scripts are the blocks that clients are to be run by, by name.
func (p page) scripts() map[string]string {
	out := map[string]string{}
	block := regexp.MustCompile("(?ms)^<!-- test: client ([a-z]+) -->\n```sh\n(.*?)^```$")
	for _, m := range block.FindAllStringSubmatch(p.text, -1) {
		out[m[1]] += m[2]
	}
	return out
}

// table splits the page into what is before, in and after the table.
func (p page) table(t testing.TB) (before, rows, after string) {
	t.Helper()
	before, rest, begins := strings.Cut(p.text, tableBegins)
	rows, after, ends := strings.Cut(rest, tableEnds)
	if !begins || !ends {
		t.Fatalf("%s has no table", p.path)
	}
	return before + tableBegins, rows, tableEnds + after
}

// TestPageAndClients: each block is some client's, and each client has one.
func TestPageAndClients(t *testing.T) {
	t.Parallel()
	scripts := readPage(t).scripts()
	for _, c := range clients() {
		script, ok := scripts[c.name]
		if !ok {
			t.Errorf("the page has no block for %s", c.name)
		}
		if !strings.Contains(script, "hello") {
			t.Errorf("the block of %s asks for nothing that can be refused", c.name)
		}
		delete(scripts, c.name)
	}
	for name := range scripts {
		t.Errorf("the page has a block for %s, which is not tried", name)
	}
}
