package explain

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/authz/audit"
)

var update = flag.Bool("update", false, "rewrite the explanations in testdata")

// TestExplanations holds what is told of each hop in testdata to its text.
func TestExplanations(t *testing.T) {
	t.Parallel()
	hops, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(hops) < 12 {
		t.Fatalf("%d hops, %v", len(hops), err)
	}
	for _, path := range hops {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".yaml"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			c := configOf(t, feed(t))
			e := told(t, c, string(text))
			var got bytes.Buffer
			if err := e.WriteText(&got); err != nil {
				t.Fatal(err)
			}
			golden(t, strings.TrimSuffix(path, ".yaml")+".txt", got.Bytes())
			plainText(t, got.String())
			var again bytes.Buffer
			twice := told(t, configOf(t, feed(t)), string(text))
			if err := twice.WriteText(&again); err != nil || again.String() != got.String() {
				t.Errorf("the same hop is told otherwise:\n%s\n%s", got.String(), again.String())
			}
			if b, err := json.Marshal(e); err != nil || !bytes.Contains(b, []byte(`"verdict":"`+e.Verdict+`"`)) {
				t.Errorf("as JSON: %s, %v", b, err)
			}
		})
	}
}

func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got); run with -update:\n%s", path, diff)
	}
}

// plainText fails where something could move a cursor, or hide or turn text.
func plainText(t *testing.T, s string) {
	t.Helper()
	for _, r := range s {
		if r != '\n' && !unicode.IsPrint(r) {
			t.Errorf("%U is written to the terminal", r)
		}
	}
}

// TestAnAgentsWordsMoveNoCursor: whatever a hop holds is shown on one line.
func TestAnAgentsWordsMoveNoCursor(t *testing.T) {
	t.Parallel()
	evil := "\x1b[2J\r\nverdict  allow\u202e\u0085\u200b\x07"
	h := &Hop{
		Route: "agents/tools", Token: &Token{Subject: evil, Agent: evil, Scopes: []string{evil}, Context: mustJSON(t, map[string]any{"region": evil})},
		Do: Do{Name: "search_" + evil, Args: mustJSON(t, map[string]any{"repo": evil, "query": strings.Repeat("x", 1000)})},
	}
	c := configOf(t, feed(t))
	hop, err := c.Resolve(h)
	if err != nil {
		t.Fatal(err)
	}
	e := c.Explain(hop)
	var b bytes.Buffer
	if err := e.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	plainText(t, b.String())
	for line := range strings.Lines(b.String()) {
		if strings.HasPrefix(line, "verdict  allow") {
			t.Errorf("a forged line:\n%s", b.String())
		}
		if len(line) > 600 {
			t.Errorf("a line of %d bytes", len(line))
		}
	}
}

func mustJSON(t *testing.T, v any) Object {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestWriteTextSaysWhatItCannotWrite.
func TestWriteTextSaysWhatItCannotWrite(t *testing.T) {
	t.Parallel()
	e := Explanation{Verdict: "deny"}
	if err := e.WriteText(full{}); err == nil {
		t.Error("no error")
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, os.ErrClosed }

// TestARecordExplainsItself: what is told of a hop is told of its record too.
func TestARecordExplainsItself(t *testing.T) {
	t.Parallel()
	line := `{"seq":1,"time":"2026-05-01T12:00:00.000000Z","boot_id":"x","kind":"deny","hop":"0102030405060708090a0b0c0d0e0f10","txn":"t","domain":"agents/corp","subject":"bob","agent":"researcher",` +
		`"gateway":"agents/egress","listener":"agents","route":"agents/tools","route_rule":"#0","surface":"Tools","method":"tools/call","name":"search_code","port":8080,` +
		`"verdict":"deny","code":"no_rule","level":"Gateway/agents/egress","expires":"2026-05-01T12:10:00.000000Z","seen":[{"name":"args.repo","value":"evil/x"},{"name":"args.query","value":"q"},{"name":"scopes","value":["research.read"]},{"name":"tctx.region","value":"eu"}]}`
	r, err := audit.Decode([]byte(line))
	if err != nil {
		t.Fatal(err)
	}
	h, err := FromRecord(&r)
	if err != nil {
		t.Fatal(err)
	}
	c := configOf(t, feed(t))
	hop, err := c.Resolve(h)
	if err != nil {
		t.Fatal(err)
	}
	got := c.Explain(hop)
	want := told(t, c, `
route: agents/tools
token: {subject: bob, agent: researcher, scopes: [research.read], context: {region: eu}}
do: {name: search_code, args: {repo: evil/x, query: q}}`)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("explanation of the record (-hop +record):\n%s", diff)
	}
	if got.Code != "no_rule" || !hop.Claims.ExpiresAt.Equal(now().Add(600e9)) {
		t.Errorf("code %s, expires %s", got.Code, hop.Claims.ExpiresAt)
	}
}
