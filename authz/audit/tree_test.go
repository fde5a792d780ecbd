package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// story is a transaction as the quickstart has it, and what was tried without
// one.
func story() []Record {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	tick := func(r Record) Record {
		at = at.Add(137 * time.Millisecond)
		r.Time = at
		return r
	}
	who := func(r Record) Record {
		r.Txn, r.Domain, r.Subject = "0197b2c4-7d1e-7a55-9a51-0b8f6c1d2e3f", "agents/corp", "alice@corp.example"
		if r.Agent == "" {
			r.Agent, r.Actors = "researcher", []string{"researcher"}
		}
		return tick(r)
	}
	allow := func(n int, r Record) Record {
		r.Kind, r.Hop, r.Verdict, r.Policy = KindBegin, hop(n), VerdictAllow, "agents/researcher"
		return who(r)
	}
	refuse := func(n int, code, why string, r Record) Record {
		r.Kind, r.Hop, r.Verdict, r.Code, r.Reason = KindDeny, hop(n), VerdictDeny, code, why
		return who(r)
	}
	nobody := func(n int, code, why string, r Record) Record {
		r.Kind, r.Hop, r.Verdict, r.Code, r.Reason = KindDeny, hop(n), VerdictDeny, code, why
		r.Source = netip.MustParseAddrPort("127.0.0.1:40000")
		return tick(r)
	}
	done := func(n int, how End, took time.Duration, in, out int64) Record {
		return tick(Record{Kind: KindEnd, Hop: hop(n), End: how, Duration: took, BytesIn: in, BytesOut: out})
	}
	tool := func(name, rule string, seen ...Field) Record {
		return Record{
			Surface: "Tools", Method: "tools/call", Name: name, Rule: rule, Seen: seen,
			Backends: []string{"XBackend/agents/github"}, Host: "127.0.0.1", Port: 8080, Path: "/mcp",
		}
	}
	model := func(name, rule string) Record {
		return Record{Surface: "Models", Method: "chat", Name: name, Rule: rule, Backends: []string{"Service/agents/openai"}}
	}
	tunnel := func(host string, rule string) Record {
		return Record{Surface: "Hosts", Method: "CONNECT", Host: host, Port: 443, Rule: rule}
	}
	repo := Field{Name: "args.repo", Value: json.RawMessage(`"acme/web"`)}
	tokens := done(5, EndDone, 4200*time.Millisecond, 301_244, 18_020)
	tokens.TokensIn, tokens.TokensOut = 74_000, 512
	asked := refuse(14, "approval_required", "a person must approve this", tool("merge_pull_request", "merge"))
	asked.Verdict, asked.Policy = VerdictAsk, "agents/researcher"
	inner := Record{Surface: "HTTP", Method: "GET", Host: "files.example", Port: 80, Path: "/a b/report.pdf", Rule: "files"}
	inner.Parent = hop(6)
	led := Record{Surface: "HTTP", Method: "GET", Host: "cdn.example", Port: 443, Path: "/layer", Rule: "images"}
	led.Cause, led.CauseUntil = HopID{0xab, 0xcd, 15: 15}, at.Add(time.Minute)
	return []Record{
		{Kind: KindBoot, Time: at, Boot: &Boot{}},
		allow(1, Record{Surface: "Tools", Method: "initialize", Backends: []string{"XBackend/agents/github"}}),
		done(1, EndDone, 900*time.Microsecond, 210, 420),
		allow(2, tool("search_code", "search-code", repo, Field{Name: "args.limit", Value: []byte("50")}, Field{Name: "tctx.region", Value: []byte(`"eu"`)})),
		done(2, EndDone, 12*time.Millisecond, 512, 4_096),
		refuse(3, "no_rule", `no rule allows the tool "delete_repo"`, tool("delete_repo", "")),
		refuse(4, "no_rule", "argument repo is not one of acme/*", tool("search_code", "", Field{Name: "args.repo", Value: []byte(`"evil/\u202e\u001b[2Jx y"`)}, Field{Name: "args.query", Cut: true})),
		allow(5, model("gpt-4o-mini", "models")),
		tokens,
		allow(6, tunnel("files.example", "hosts")),
		allow(7, inner),
		tick(change(6)),
		done(7, EndExpired, 61*time.Second, 0, 7_300_000),
		done(6, EndExpired, 62*time.Second, 1_900, 7_400_000_000),
		allow(8, func() Record {
			r := model("gpt-4o-mini", "models")
			r.Agent, r.Actors = "summarizer", []string{"summarizer", "researcher"}
			return r
		}()),
		refuse(9, "address_not_allowed", "169.254.169.254 is a metadata address", tunnel("169.254.169.254", "")),
		refuse(10, "no_rule", "", tunnel("2001:db8::1", "")),
		nobody(11, "token_missing", "a transaction token is needed", Record{Surface: "HTTP", Method: "GET", Host: "web.example", Port: 8443, Path: "/"}),
		nobody(12, "token_expired", "the token expired at 11:59:00", Record{Surface: "Tools", Method: "tools/call", Backends: []string{"XBackend/agents/github", "XBackend/agents/git lab"}}),
		nobody(13, "malformed_request", "", Record{}),
		asked,
		allow(15, Record{Surface: "Packages", Method: "artifact", Name: "acme/app", Host: "oci.example", Port: 443, Rule: "images"}),
		done(15, EndDone, 3*time.Millisecond, 0, 0),
		allow(16, led),
		done(16, EndDone, 40*time.Millisecond, 0, 7_300_000),
		{Kind: KindCheckpoint, Time: at, Checkpoint: &Checkpoint{}},
	}
}

func storyTrees(t testing.TB) []*Tree {
	t.Helper()
	b := NewBuilder(Filter{})
	for _, r := range story() {
		b.Add(r)
	}
	return b.Trees()
}

func TestTreeText(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]Style{
		"tree.txt":        {},
		"tree-100.txt":    {Width: 100},
		"tree-60.txt":     {Width: 60, ASCII: true},
		"tree-color.txt":  {Width: 140, Color: true},
		"tree-narrow.txt": {Width: 20, Zone: time.FixedZone("CET", 3600)},
	} {
		var b strings.Builder
		must(t, WriteTrees(&b, storyTrees(t), s))
		golden(t, name, b.String())
		if s.Color {
			continue
		}
		for _, l := range split(b.String()) {
			l = strings.TrimSuffix(l, "\n")
			if s.Width > 0 && width(l) > s.Width || strings.HasSuffix(l, " ") || !harmless(l) {
				t.Errorf("%s: %d columns: %q", name, width(l), l)
			}
		}
	}
}

func TestTreeJSON(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	must(t, WriteTreesJSON(&b, storyTrees(t)))
	if !harmless(strings.TrimSuffix(b.String(), "\n")) {
		t.Error("not fit to be shown")
	}
	var pretty bytes.Buffer
	must(t, json.Indent(&pretty, []byte(b.String()), "", " "))
	golden(t, "tree.json", pretty.String())
	b.Reset()
	must(t, WriteTreesJSON(&b, nil))
	if b.String() != "[]\n" {
		t.Errorf("no trees: %q", b.String())
	}
}

// TestTreeOfALog makes the same tree of the lines.
func TestTreeOfALog(t *testing.T) {
	t.Parallel()
	var records []Record
	for _, r := range story() {
		if r.Hop != (HopID{}) {
			records = append(records, r)
		}
	}
	_, text := written(t, testConfig(), records...)
	b := NewBuilder(Filter{})
	skipped, err := b.Read(strings.NewReader("hello\n" + text + strings.Repeat("x", 2*maxLine) + "\n" + `{"half`))
	if err != nil || skipped != 2 {
		t.Errorf("%d skipped, %v", skipped, err)
	}
	var got, want strings.Builder
	must(t, WriteTrees(&got, b.Trees(), Style{}), WriteTrees(&want, storyTrees(t), Style{}))
	if got.String() != want.String() {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want.String())
	}
	if _, err := b.Read(iotest.ErrReader(io.ErrUnexpectedEOF)); err == nil {
		t.Error("an error of reading is not told")
	}
}

func TestFilter(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	records := []Record{
		{Kind: KindDeny, Hop: hop(1), Txn: "a", Domain: "x/corp", Time: noon},
		{Kind: KindDeny, Hop: hop(2), Txn: "a", Domain: "y/corp", Time: noon.Add(time.Minute)},
		{Kind: KindBegin, Hop: hop(3), Txn: "b", Domain: "x/corp", Time: noon.Add(2 * time.Minute)},
		{Kind: KindEnd, Hop: hop(3), Time: noon.Add(3 * time.Minute)},
	}
	tests := []struct {
		name   string
		filter Filter
		want   string
	}{
		{"all", Filter{}, "x/corp a 1, y/corp a 1, x/corp b 1"},
		{"one transaction", Filter{Txn: "a"}, "x/corp a 1, y/corp a 1"},
		{"of one domain", Filter{Txn: "a", Domain: "y/corp"}, "y/corp a 1"},
		{"since", Filter{Since: noon.Add(time.Minute)}, "y/corp a 1, x/corp b 1"},
		{"none", Filter{Txn: "c"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := NewBuilder(tt.filter)
			for _, r := range records {
				b.Add(r)
			}
			var got []string
			for _, tree := range b.Trees() {
				got = append(got, fmt.Sprintf("%s %s %d", tree.Domain, tree.Txn, tree.Allowed+tree.Denied))
			}
			if s := strings.Join(got, ", "); s != tt.want {
				t.Errorf("got %s, want %s", s, tt.want)
			}
		})
	}
}

// TestTakenBack: a deny after a begin of the same hop is what counts.
func TestTakenBack(t *testing.T) {
	t.Parallel()
	b := NewBuilder(Filter{})
	refused := deny(1)
	refused.Domain, refused.Code = "agents/corp", "audit_unavailable"
	for _, r := range []Record{begin(1), refused, end(9)} {
		b.Add(r)
	}
	tree := b.Trees()[0]
	if tree.Allowed != 0 || tree.Denied != 1 || len(tree.Nodes) != 1 || tree.Nodes[0].Hop.Code != "audit_unavailable" {
		t.Errorf("%+v", tree)
	}
}

// TestDeep: a log that claims endless depth makes no endless tree.
func TestDeep(t *testing.T) {
	t.Parallel()
	b := NewBuilder(Filter{})
	actors := make([]string, 5000)
	for i := range actors {
		actors[i] = fmt.Sprint("a", i)
	}
	for n := range 5000 {
		r := begin(n + 2)
		r.Parent, r.Actors = hop(n+1), actors
		b.Add(r)
	}
	self := begin(7000)
	self.Parent = hop(7000)
	b.Add(self)
	deepest := 0
	var walk func(nodes []*Node, depth int)
	walk = func(nodes []*Node, depth int) {
		deepest = max(deepest, depth)
		for _, n := range nodes {
			walk(n.Nodes, depth+1)
		}
	}
	walk(b.Trees()[0].Nodes, 0)
	if deepest > maxDepth+2 {
		t.Errorf("%d levels", deepest)
	}
}

func TestShort(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0µs", 999 * time.Microsecond: "999µs", time.Millisecond: "1ms", 999 * time.Millisecond: "999ms",
		time.Second: "1.0s", 90 * time.Second: "1m30s", 25 * time.Hour: "25h0m0s",
	} {
		if got := shortDuration(d); got != want {
			t.Errorf("%v: %s", d, got)
		}
	}
	for n, want := range map[int64]string{0: "0B", 999: "999B", 1000: "1.0kB", 2_500_000: "2.5MB", 3e12: "3000.0GB"} {
		if got := shortBytes(n); got != want {
			t.Errorf("%d: %s", n, got)
		}
	}
}

func TestIDs(t *testing.T) {
	t.Parallel()
	h, token := hop(0xab), TokenID{1, 2, 3}
	if h.String() != "000000000000000000000000000000ab" || token.String() != "0102030000000000" {
		t.Error(h, token)
	}
	for _, v := range []interface{ MarshalText() ([]byte, error) }{h, token} {
		if b, err := v.MarshalText(); err != nil || string(b) != fmt.Sprint(v) {
			t.Errorf("%s %v", b, err)
		}
	}
}
