package check

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/mem"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/authz/leash"
	"github.com/hopgate/hopgate/authz/token"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
)

// cachedTokens believes one token without any work, as a verifier's cache does.
type cachedTokens struct{ claims *token.Claims }

func (c cachedTokens) Verify(context.Context, time.Time, string, *feedv1.Listener, token.Peer) (*token.Claims, time.Duration, string) {
	return c.claims, 5 * time.Second, ""
}

func (cachedTokens) Current(*token.Claims, time.Time) bool { return true }

// nowhere takes records and keeps none.
type nowhere struct{}

func (nowhere) Append(audit.Record) error                         { return nil }
func (nowhere) AppendDurable(context.Context, audit.Record) error { return nil }

// manyRules are n rules of the fixture's kinds, of which the last of each
// kind allows what the benchmarks ask for.
func manyRules(n int) string {
	var b strings.Builder
	for i := range n {
		switch i % 3 {
		case 0:
			fmt.Fprintf(&b, "- {name: t%d, from: {agents: [{name: a%d}]}, to: {type: Tools, tools: [{servers: [{name: github}], names: [tool_%d]}]}, action: Allow}\n", i, i%50, i)
		case 1:
			fmt.Fprintf(&b, "- {name: h%d, to: {type: HTTP, http: [{hosts: [h%d.example], paths: [\"/p/%d/**\"]}]}, action: Allow}\n", i, i, i)
		case 2:
			fmt.Fprintf(&b, "- {name: c%d, to: {type: Hosts, hosts: [{names: [c%d.example]}]}, action: Allow}\n", i, i)
		}
	}
	return b.String() + worldRules
}

// hot is a house on the path that most requests take: the token is known, and
// nothing waits for a disk.
func hot(t testing.TB, rules int) *house {
	t.Helper()
	h := open(t, build{budget: 1 << 30, feed: func(f *feedv1.Snapshot) { f.Policies = []feedv1.Policy{policyOf(t, "p", manyRules(rules))} }})
	h.cfg.Tokens, h.cfg.Recorder = cachedTokens{claims(10 * time.Minute)}, nowhere{}
	return h
}

// round is one question, its answer, and the life of its hop; no gRPC.
func (h *house) round(b []byte) {
	q := &question{}
	_ = h.codec.Unmarshal(mem.BufferSlice{mem.SliceBuffer(b)}, q)
	out, _ := h.codec.Marshal(h.check(context.Background(), q))
	out.Free()
}

// BenchmarkCheck is the whole of a decision but for gRPC: the question is read,
// the token known, one of 1,000 rules found, the hop recorded and entered, and
// the answer written.
func BenchmarkCheck(b *testing.B) {
	for name, a := range map[string]asking{
		"tool":   call("search_code", `{"repo":"acme/site"}`),
		"page":   page(),
		"tunnel": tunnel("web.example:8443"),
		"denied": call("delete", `{"repo":"acme/site"}`),
	} {
		b.Run(name, func(b *testing.B) { benchmark(b, 1000, a) })
	}
}

// BenchmarkRules: a decision costs the same however many rules there are.
func BenchmarkRules(b *testing.B) {
	for _, n := range []int{10, 100, 1000, 10_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) { benchmark(b, n, call("search_code", `{"repo":"acme/site"}`)) })
	}
}

// BenchmarkRead is the view alone.
func BenchmarkRead(b *testing.B) {
	raw := call("search_code", `{"repo":"acme/site"}`).bytes(b)
	var r Request
	b.ReportAllocs()
	for b.Loop() {
		if err := r.Read(raw); err != nil {
			b.Fatal(err)
		}
	}
}

func benchmark(b *testing.B, rules int, a asking) {
	h := hot(b, rules)
	raw := a.bytes(b)
	b.ReportAllocs()
	for b.Loop() {
		h.round(raw)
		h.settle()
	}
}

// settle ends all hops, as their logs would.
func (h *house) settle() {
	id := leash.ID{}
	h.random.mu.Lock()
	for i := range id {
		id[i] = byte(h.random.n >> (8 * (i % 8)))
	}
	h.random.mu.Unlock()
	h.register.Logged(id, leash.Logged{})
}

// most is the most allocations of one decision: answer, hop, record and what
// rules read included, and four that the test itself makes. The bound of the
// whole server is 60, with all that gRPC does.
const most = 13

func TestAllocations(t *testing.T) {
	if raced {
		t.Skip("pools forget at random under the race detector: what is counted says nothing")
	}
	for name, a := range map[string]asking{
		"tool": call("search_code", `{"repo":"acme/site"}`), "page": page(), "tunnel": tunnel("web.example:8443"),
	} {
		h := hot(t, 100)
		raw := a.bytes(t)
		n := testing.AllocsPerRun(200, func() { h.round(raw); h.settle() })
		if n > most {
			t.Errorf("%s: %v allocations, at most %d may be", name, n, most)
		}
		t.Logf("%s: %v allocations", name, n)
	}
	var r Request
	raw := call("search_code", "{}").bytes(t)
	if n := testing.AllocsPerRun(100, func() { _ = r.Read(raw) }); n != 0 {
		t.Errorf("the view: %v allocations", n)
	}
}
