package audit

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

// TestShowQueries: of a refused query is shown what was asked for, by whom, and
// why it was refused; also where a name has odd characters, or none was read.
func TestShowQueries(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	refused := func(method, host, code, reason string) Record {
		return Record{
			Kind: KindDeny, Time: at, Verdict: VerdictDeny, Code: code, Reason: reason, Surface: "DNS",
			Method: method, Host: host, Source: netip.MustParseAddrPort("10.1.2.3:4000"),
		}
	}
	for _, tc := range []struct {
		what string
		r    Record
		want string
	}{
		{"not listed", refused("A", "evil.example", "name_not_listed", "no rule lists this"), "DNS A evil.example from 10.1.2.3  name_not_listed  no rule lists this"},
		{"revoked", refused("HTTPS", "web.example", "revoked", "order 1f cuts off 10.1.2.3: odd"), "DNS HTTPS web.example from 10.1.2.3  revoked  order 1f cuts off 10.1.2.3: odd"},
		{"unreadable", refused("", "", "query_rate", "more queries"), "DNS request from 10.1.2.3  query_rate  more queries"},
		{"odd", refused("TYPE65280", "a\x1b[2J.example.", "query_refused", "why"), `DNS TYPE65280 "a\u001b[2J.example." from 10.1.2.3  query_refused  why`},
		{"of an older version", Record{Kind: KindDeny, Time: at, Verdict: VerdictDeny, Code: "query_refused", Surface: "DNS", Method: "A", Host: "a.example"}, "DNS A a.example  query_refused"},
	} {
		t.Run(tc.what, func(t *testing.T) {
			t.Parallel()
			b := NewBuilder(Filter{})
			b.Add(tc.r)
			var tree strings.Builder
			if err := WriteTrees(&tree, b.Trees(), Style{}); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(tree.String(), tc.want) || !strings.HasPrefix(tree.String(), "no transaction") {
				t.Errorf("shown as\n%s\nwant %s", tree.String(), tc.want)
			}
			var line strings.Builder
			if err := NewLive(&line, Style{}, false).record(&tc.r); err != nil {
				t.Fatal(err)
			}
			for part := range strings.SplitSeq(tc.want, "  ") {
				if !strings.Contains(line.String(), part) {
					t.Errorf("live: %q is not in %s", part, line.String())
				}
			}
		})
	}
}
