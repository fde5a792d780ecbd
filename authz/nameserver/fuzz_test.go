package nameserver_test

import (
	"net"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/hopgate/hopgate/authz/surface/egress"
)

// later is a query by a version of EDNS that nobody knows yet.
func later(name string) *dns.Msg {
	q := query(name, dns.TypeA).SetEdns0(1232, false)
	q.IsEdns0().SetVersion(1)
	return q
}

// FuzzServe: whatever a client sends, nothing is asked of the resolver but
// listed names, and what is answered is an answer to the question, in at most
// as many bytes as the client takes.
func FuzzServe(f *testing.F) {
	for _, q := range []*dns.Msg{
		query("web.listed.example", dns.TypeA), query("a.glob.example", dns.TypeHTTPS), query("evil.example", dns.TypeANY),
		query("many.listed.example", dns.TypeA).SetEdns0(4096, true), later("web.listed.example"),
	} {
		raw, err := q.Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		q := new(dns.Msg)
		if q.Unpack(raw) != nil {
			return
		}
		b := newBench(t)
		w := &wire{from: &net.UDPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 4000}}
		b.Serve(b.view, w, q)
		asked, recorded := b.seen()
		for _, name := range asked {
			if !strings.HasSuffix(name, ".listed.example") && !strings.HasSuffix(name, ".glob.example") {
				t.Errorf("asked of the resolver: %q", name)
			}
			if again, err := egress.ParseName(name); err != nil || again != name {
				t.Errorf("asked of the resolver by another form: %q", name)
			}
		}
		if len(recorded) > 1 || len(asked) > 1 {
			t.Errorf("%d records, %d look-ups", len(recorded), len(asked))
		}
		if w.said == nil {
			return
		}
		if !w.said.Response || w.said.Id != q.Id || len(w.said.Question) != 1 || w.said.Question[0] != q.Question[0] {
			t.Errorf("%v is no answer to %v", w.said, q)
		}
		if out, err := w.said.Pack(); err != nil || len(out) > 1232 {
			t.Errorf("%d bytes, %v", len(out), err)
		}
	})
}
