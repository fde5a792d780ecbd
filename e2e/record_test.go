package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/authz/token"
	"github.com/hopgate/hopgate/cmd/hopgate/laptop"
	"github.com/hopgate/hopgate/internal/testenv"
	"github.com/hopgate/hopgate/internal/testgateway"
)

// verify checks the record by the key of the state folder.
func verify(t testing.TB, g *testgateway.Gateway) audit.Report {
	t.Helper()
	pub, err := token.LoadPublic(laptop.AuditKey(g.State))
	if err != nil {
		t.Fatal(err)
	}
	v, err := audit.NewVerifier(pub)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(laptop.AuditFile(g.State))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := v.Add("record", f); err != nil {
		t.Fatal(err)
	}
	r := v.Report()
	if !r.OK() {
		var text bytes.Buffer
		_ = r.WriteText(&text) // a buffer takes all
		t.Errorf("the record is not whole: %s", &text)
	}
	return r
}

// TestRecord: each decision is one line, and each that allowed has one more at
// its end, with what was moved; the whole is signed.
func TestRecord(t *testing.T) {
	t.Parallel()
	u := newUpstream(t, nil)
	g := pages(t, u)
	body := strings.Repeat("x", 5000)
	call{method: "POST", path: "/page/x?secret=1", token: g.Token(txn("one")), body: body}.do(t, g).want(t, 200, "")
	get(t, g, "/other", g.Token(txn("two"))).want(t, 404, "no_route")
	denied := get(t, g, "/page/x", "")
	begin := g.Recorded(t, "the beginning", func(r audit.Record) bool { return r.Kind == audit.KindBegin && r.Txn == "one" })
	end := g.Recorded(t, "the end", func(r audit.Record) bool { return r.Kind == audit.KindEnd && r.Hop == begin.Hop })
	if end.BytesIn != 5000 || end.BytesOut != int64(len("POST /page/x 5000")) || end.Status != 200 || end.End != audit.EndDone || end.Duration <= 0 || end.Txn != "one" {
		t.Errorf("the end is %+v", end)
	}
	if begin.Path != "/page/x" || begin.Method != "POST" || begin.Policy != "default/all" || begin.Rule != "page" || begin.Expires.IsZero() || !begin.Source.IsValid() {
		t.Errorf("the beginning is %+v", begin)
	}
	deny := g.Recorded(t, "a denial", func(r audit.Record) bool { return r.Kind == audit.KindDeny && r.Code == "token_missing" })
	if !strings.Contains(denied.body, `"request_id":"`+deny.RequestID+`"`) || deny.Txn != "" {
		t.Errorf("the denial %s is not that of %+v", denied.body, deny)
	}
	if err := g.Stop(); err != nil {
		t.Fatal(err)
	}
	verify(t, g)
	lines := map[audit.HopID][]audit.Kind{}
	for _, r := range g.Records(t) {
		if r.Hop != (audit.HopID{}) {
			lines[r.Hop] = append(lines[r.Hop], r.Kind)
		}
	}
	for hop, kinds := range lines {
		if s := fmt.Sprint(kinds); s != "[begin end]" && s != "[deny]" {
			t.Errorf("hop %s has %s", hop, s)
		}
	}
	if len(lines) != 3 {
		t.Errorf("%d hops are recorded, want 3", len(lines))
	}
}

// TestRecordOfHostileText: what an agent writes cannot make a line, end one,
// or move a cursor.
func TestRecordOfHostileText(t *testing.T) {
	t.Parallel()
	u := newUpstream(t, nil)
	g := testgateway.Run(t, map[string]string{
		"gateway.yaml": testgateway.Listeners + config() + service("tools", u.port(), mcp, "/mcp") + service("page", u.port(), plain, "/page"),
		"policy.yaml":  policy("all", allow("tools", "{type: Tools, tools: [{servers: [{name: tools}], arguments: [{name: text, type: Present}]}]}")),
	})
	hostile := "\u001b[2J\u001b[H \u202egnp.exe \u0085\u2028\u2029 a\u0000b \u200b \U000e0041 \r\n" +
		`{"seq":1,"kind":"begin","verdict":"allow","txn":"forged"}` + "\n`\"'\\"
	quoted, err := json.Marshal(hostile)
	if err != nil {
		t.Fatal(err)
	}
	tool := func(name, text, subject string, status int, code string) {
		t.Helper()
		body := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":` + name + `,"arguments":{"text":` + text + `}}}`
		token := g.Token(func(p *token.Params) { p.Subject = subject })
		call{method: "POST", path: "/mcp", token: token, contentType: "application/json", body: body}.do(t, g).want(t, status, code)
	}
	tool(`"x"`, string(quoted), "user:alice", 200, "")
	tool(string(quoted), `"x"`, "user:alice", 403, "body_unreadable")
	tool(`"x"`, `"x"`, "user:"+hostile, 200, "")
	w := dial(t, g.HTTP)
	w.say(t, "GET /page/\x80\xffx%1b%5b2J HTTP/1.1\r\nHost: x\r\nTxn-Token: "+g.Token(txn("three"))+"\r\n\r\n")
	w.hear(t, http.MethodGet)
	if err := g.Stop(); err != nil {
		t.Fatal(err)
	}
	verify(t, g)
	raw, err := os.ReadFile(laptop.AuditFile(g.State))
	if err != nil {
		t.Fatal(err)
	}
	b := audit.NewBuilder(audit.Filter{})
	if _, err := b.Read(bytes.NewReader(raw)); err != nil {
		t.Fatal(err)
	}
	var tree bytes.Buffer
	if err := audit.WriteTrees(&tree, b.Trees(), audit.Style{}); err != nil {
		t.Fatal(err)
	}
	for where, text := range map[string]string{"record": string(raw), "tree": tree.String()} {
		for _, bad := range []string{"\u001b", "\u202e", "\u0085", "\u2028", "\u2029", "\u200b", "\U000e0041", "\r", "\x00"} {
			if strings.Contains(text, bad) {
				t.Errorf("the %s holds %q", where, bad)
			}
		}
	}
	found := false
	for _, r := range g.Records(t) {
		found = found || len(r.Seen) > 0 && strings.Contains(string(r.Seen[0].Value), "forged")
		if r.Txn == "forged" {
			t.Errorf("a line is forged: %+v", r)
		}
	}
	if !found {
		t.Error("the hostile text is not in the record at all")
	}
}

// TestKilled: a gateway that is killed leaves no Envoy behind, and the next
// one closes what it began.
func TestKilled(t *testing.T) {
	t.Parallel()
	u := newUpstream(t, ticks)
	g := testgateway.New(t, map[string]string{
		"gateway.yaml": testgateway.Listeners + config() + service("page", u.port(), plain, "/page"),
		"policy.yaml":  policy("all", allow("page", "{type: HTTP, http: [{paths: ['/page/**']}]}")),
	})
	c := startChild(t, g)
	get(t, g, "/other", g.Token()).want(t, 404, "no_route")
	end := begin(body(t, newClient(t), request(t, "GET", g.URL("/page/x"), g.Token(txn("open")), "")))
	open := g.Recorded(t, "the beginning", func(r audit.Record) bool { return r.Kind == audit.KindBegin && r.Txn == "open" })
	c.kill(t)
	testenv.Wait(t, "Envoy to end with its parent", func() bool { return !alive(c.envoy) })
	if e := <-end; e.bytes == 0 {
		t.Errorf("the stream was not open: %v", e.err)
	}
	g.Launch()
	testenv.Wait(t, "the gateway to be ready again", g.Ready)
	lost := g.Recorded(t, "the end of what was open", func(r audit.Record) bool { return r.Kind == audit.KindEnd && r.Hop == open.Hop })
	if lost.End != audit.EndLost || lost.Txn != "open" {
		t.Errorf("it ended as %+v", lost)
	}
	var boots []string
	for _, r := range g.Records(t) {
		if r.Boot != nil {
			boots = append(boots, fmt.Sprint(r.Boot.Clean, r.Boot.Lost))
		}
	}
	if got := strings.Join(boots, ", "); got != "true 0, false 1" {
		t.Errorf("the boots are: %s", got)
	}
	if err := g.Stop(); err != nil {
		t.Fatal(err)
	}
	verify(t, g)
}

// TestHung: when the guard hangs, what it holds is cut and nothing new is let
// in; when it comes back it serves again.
func TestHung(t *testing.T) {
	t.Parallel()
	u := newUpstream(t, ticks)
	g := testgateway.New(t, map[string]string{
		"gateway.yaml": testgateway.Listeners + config() + service("page", u.port(), plain, "/page"),
		"policy.yaml":  policy("all", allow("page", "{type: HTTP, http: [{paths: ['/page/**']}]}")),
	})
	c := startChild(t, g)
	end := begin(body(t, newClient(t), request(t, "GET", g.URL("/page/x"), g.Token(), "")))
	g.Recorded(t, "the beginning", func(r audit.Record) bool { return r.Kind == audit.KindBegin })
	if err := c.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if e := <-end; e.bytes == 0 {
		t.Errorf("the stream was not open: %v", e.err)
	}
	if a := get(t, g, "/page/x", g.Token()); a.status != 503 {
		t.Errorf("without a guard the answer is %d %s", a.status, a.body)
	}
	if err := c.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	becomes(t, g, "/other", 404)
}
