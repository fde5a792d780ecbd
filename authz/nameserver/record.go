package nameserver

import (
	"io"
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/miekg/dns"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/authz/denial"
)

// Recorder keeps the record.
type Recorder interface {
	Append(audit.Record) error
}

// Surface is that of queries, in the record.
const Surface = "DNS"

// said are the refusals that were recorded last.
type said struct {
	mu   sync.Mutex // guards list
	list *simplelru.LRU[refusal, time.Time]
}

// refusal is one that is recorded once in a while.
type refusal struct {
	site       netip.Addr
	name, code string
}

func newSaid() *said {
	list, err := simplelru.NewLRU[refusal, time.Time](maxRecorded, nil)
	if err != nil { // only for a size below 1
		panic("make list of refusals: " + err.Error())
	}
	return &said{list: list}
}

// fresh reports whether a refusal was not recorded for a while, and notes it.
func (s *said) fresh(r refusal, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at, ok := s.list.Get(r); ok && now.Sub(at) < recordEvery {
		return false
	}
	s.list.Add(r, now)
	return true
}

// name names a refusal, so that it can be asked about.
func (p *Pool) name() (id audit.HopID) {
	if p.cfg.Rand != nil {
		_, _ = io.ReadFull(p.cfg.Rand, id[:]) // without it there is no name, and the refusal is recorded all the same
	}
	return id
}

// limited notes that a client asks for more than it may.
func (p *Pool) limited(v *View, from netip.AddrPort, q dns.Question) {
	p.metrics.count(Limited)
	p.record(v, from, "", q, verdict{outcome: Limited, code: denial.QueryRate})
}

// record keeps a refusal: once for a client, name and code in a while, and not
// more for one client than are read.
func (p *Pool) record(v *View, from netip.AddrPort, name string, q dns.Question, out verdict) {
	if out.code == "" || !p.said.fresh(refusal{site(from.Addr()), name, out.code}, p.cfg.Now()) {
		return
	}
	if !p.callers.mayRecord(from.Addr()) {
		p.metrics.unrecorded.Inc()
		return
	}
	code := p.codes.Get(out.code)
	r := audit.Record{
		Kind: audit.KindDeny, Hop: p.name(), Verdict: audit.VerdictDeny, Code: code.Name, Retry: string(code.Retry), Reason: code.Text,
		Gateway: v.Gateway, Revision: v.Revision, Source: from, Surface: Surface, Method: typeName(q.Qtype), Host: name,
	}
	if name == "" {
		r.Host = q.Name
	}
	if out.text != "" {
		r.Reason = out.text
	}
	if err := p.cfg.Recorder.Append(r); err != nil {
		p.cfg.Log.Warn("a refused query is not recorded", "code", code.Name, "error", err)
	}
}
