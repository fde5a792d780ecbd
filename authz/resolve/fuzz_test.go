package resolve_test

import (
	"slices"
	"testing"

	"github.com/miekg/dns"

	"github.com/hopgate/hopgate/authz/resolve"
	"github.com/hopgate/hopgate/authz/surface/egress"
)

// Whatever a server sends: no panic, names are canonical and few, and each
// address belongs to the last name.
func FuzzFollow(f *testing.F) {
	q := (&dns.Msg{}).SetQuestion("a.example.", dns.TypeA)
	for _, records := range [][]string{
		{"a.example. 60 IN A 198.200.0.1"},
		{"a.example. 60 IN CNAME b.example.", "b.example. 60 IN A 198.200.0.1"},
		{"a.example. 60 IN CNAME b.example.", "b.example. 60 IN CNAME a.example."},
		{"b.example. 60 IN A 10.0.0.1"},
		{`a.example. 60 IN CNAME b\.c.example.`},
		{"a.example. 60 IN AAAA ::1"},
	} {
		raw, err := reply(q, records...).Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		m := &dns.Msg{}
		if m.Unpack(raw) != nil {
			return
		}
		for _, family := range []uint16{dns.TypeA, dns.TypeAAAA} {
			names, addrs, kind := resolve.Follow("a.example", family, m)
			if len(names) > 9 || names[0] != "a.example" {
				t.Fatalf("followed %q", names)
			}
			for i, n := range names {
				if c, err := egress.ParseName(n); c != n || err != nil || slices.Contains(names[:i], n) {
					t.Fatalf("followed %q: %v", names, err)
				}
			}
			if kind != "" && len(addrs) > 0 {
				t.Fatalf("%s, yet %v", kind, addrs)
			}
			for _, a := range addrs {
				if !stated(m, names[len(names)-1], a.String(), family) {
					t.Fatalf("%s is not said of %q in\n%v", a, names, m)
				}
			}
		}
	})
}

// stated reports whether m says that name has the address.
func stated(m *dns.Msg, name, addr string, family uint16) bool {
	return slices.ContainsFunc(m.Answer, func(rr dns.RR) bool {
		owner, err := egress.ParseName(rr.Header().Name)
		return err == nil && owner == name && rr.Header().Rrtype == family && addrText(rr) == addr
	})
}

func addrText(rr dns.RR) string {
	switch rr := rr.(type) {
	case *dns.A:
		return rr.A.String()
	case *dns.AAAA:
		if rr.AAAA.To4() != nil {
			return "::ffff:" + rr.AAAA.String()
		}
		return rr.AAAA.String()
	}
	return ""
}

// Whatever is asked: no panic, only the approved name gets addresses, and all
// else gets no more than it sent.
func FuzzQuery(f *testing.F) {
	for _, kind := range []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeHTTPS, dns.TypeANY, dns.TypeAXFR} {
		for _, name := range []string{"a.example.", "A.EXAMPLE.", "b.example.", `a\.example.`, "."} {
			q := (&dns.Msg{}).SetQuestion(name, kind)
			raw, err := q.Pack()
			if err != nil {
				f.Fatal(err)
			}
			f.Add(raw)
			q.SetEdns0(4096, true)
			if raw, err = q.Pack(); err != nil {
				f.Fatal(err)
			}
			f.Add(raw)
		}
	}
	clock := newClock()
	s, err := resolve.NewServer(resolve.ServerConfig{Now: clock.now})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = s.Close() })
	r, err := resolve.New(resolve.Config{Settings: resolve.Settings{Hosts: hostsOf("a.example", "10.0.0.1")}, Now: clock.now})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(r.Close)
	s.Zone(r).Keep([]string{"a.example"})
	f.Fuzz(func(t *testing.T, raw []byte) {
		q := &dns.Msg{}
		if len(raw) > 512 || q.Unpack(raw) != nil || resolve.Accept(headerOf(raw)) != dns.MsgAccept {
			return
		}
		clock.pass(1 << 30)
		w := &writer{}
		s.Serve(w, q)
		if w.last == nil {
			if len(q.Question) == 1 && q.Question[0].Qtype != 0 && q.Question[0].Qclass != 0 {
				t.Fatalf("no answer to %v", q)
			}
			return
		}
		name, _ := egress.ParseName(q.Question[0].Name)
		if len(w.last.Answer) > 0 && name != "a.example" {
			t.Fatalf("%s gets %v", q.Question[0].Name, w.last)
		}
		out, err := w.last.Pack()
		if err != nil {
			t.Fatalf("the answer to %v cannot be sent: %v", q, err)
		}
		// What was asked, its name written out: a pointer may have shortened it.
		asked, err := (&dns.Msg{Question: q.Question}).Pack()
		if err != nil {
			t.Fatal(err)
		}
		if len(w.last.Answer) == 0 && len(out) > max(len(raw), len(asked)) {
			t.Fatalf("%d bytes for %d", len(out), len(raw))
		}
	})
}

// headerOf reads the header as a transport does. raw has been unpacked.
func headerOf(raw []byte) dns.Header {
	at := func(i int) uint16 { return uint16(raw[i])<<8 | uint16(raw[i+1]) }
	return dns.Header{Id: at(0), Bits: at(2), Qdcount: at(4), Ancount: at(6), Nscount: at(8), Arcount: at(10)}
}
