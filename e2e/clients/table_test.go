package clients

import (
	"cmp"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// revoked is the column of what is cut half-way.
const revoked = "revoked half-way"

// untried stands in a cell for which nothing was tried.
const untried = "–"

// widest is how many characters of a client's words the table has room for.
const widest = 90

// columns are those of the table, after the client.
func columns() []string {
	var out []string
	for _, tr := range trials() {
		out = append(out, tr.name)
	}
	return append(out, revoked)
}

// row is what one client has shown.
type row struct {
	// client is its name, and which it is.
	client string
	// saw is by column.
	saw map[string]string
}

// book keeps rows. It is safe for concurrent use.
type book struct {
	mu   sync.Mutex
	rows map[string]row // guarded by mu; by name
}

func (b *book) keep(name string, r row) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rows[name] = r
}

// compare prints what was seen, and holds the page to it, where the page speaks
// of the same version of a client. With -update the page says what was seen.
func (b *book) compare(t *testing.T) {
	t.Helper()
	p := readPage(t)
	before, text, after := p.table(t)
	said := readTable(text)
	var all []row
	for _, c := range clients() {
		seen, tried := b.rows[c.name]
		if tried && !*update {
			agree(t, said[c.name], seen)
		}
		if !tried {
			seen = said[c.name]
		}
		if seen.client != "" {
			all = append(all, seen)
		}
	}
	t.Logf("what was seen, or is said of what is not here:\n%s", writeTable(all))
	if *update {
		if err := os.WriteFile(p.path, []byte(before+writeTable(all)+after), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// agree holds what is said of a client to what was seen. How far half of
// something came is another each time.
func agree(t *testing.T, said, seen row) {
	t.Helper()
	if said.client != seen.client {
		t.Logf("the page speaks of %q, and this is %s: %v", said.client, seen.client, seen.saw)
		return
	}
	for _, c := range columns() {
		if c != revoked && said.saw[c] != seen.saw[c] {
			t.Errorf("%s, %s: the page says another thing than is seen (-update writes it; -page +seen):\n%s", seen.client, c, gocmp.Diff(said.saw[c], seen.saw[c]))
		}
	}
}

func writeTable(rows []row) string {
	var b strings.Builder
	fmt.Fprintf(&b, "| client | %s |\n|%s\n", strings.Join(columns(), " | "), strings.Repeat(" --- |", len(columns())+1))
	for _, r := range rows {
		b.WriteString("| " + r.client + " |")
		for _, c := range columns() {
			b.WriteString(" " + cmp.Or(r.saw[c], untried) + " |")
		}
		b.WriteString("\n")
	}
	return b.String()
}

// readTable reads what writeTable has written, by the name of the client.
func readTable(text string) map[string]row {
	out := map[string]row{}
	for line := range strings.Lines(text) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != len(columns())+1 {
			continue
		}
		r := row{client: strings.TrimSpace(cells[0]), saw: map[string]string{}}
		for i, c := range columns() {
			if said := strings.TrimSpace(cells[i+1]); said != untried {
				r.saw[c] = said
			}
		}
		if name, _, ok := strings.Cut(r.client, " "); ok {
			out[name] = r
		}
	}
	return out
}

// TestTable: what is written is read again.
func TestTable(t *testing.T) {
	t.Parallel()
	want := row{client: "curl 1.2.3", saw: map[string]string{}}
	for i, c := range columns() {
		want.saw[c] = cell(printed{code: i, text: "curl: (56) no | at all"}, clients()[0])
	}
	got := readTable(writeTable([]row{want}))
	if diff := gocmp.Diff(map[string]row{"curl": want}, got, gocmp.AllowUnexported(row{})); diff != "" {
		t.Errorf("-written +read:\n%s", diff)
	}
}

// cell is what the table says of a refusal: the exit code, and the words.
func cell(p printed, c client) string {
	said := []rune(strings.NewReplacer("|", "/", "`", "'").Replace(c.told(p.text)))
	if len(said) > widest {
		said = append(said[:widest:widest], '…')
	}
	return fmt.Sprintf("%d: `%s`", p.code, string(said))
}
