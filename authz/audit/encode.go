package audit

import (
	"encoding/hex"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// encoder appends a line's fields from time to cut. What comes before (seq)
// and after (prev, sig) is known only when the line's place is.
type encoder struct {
	b   []byte
	cut uint64
	// from and to delimit the fields that say which hop it is.
	from, to int
}

// encode appends the body of r's line.
func (e *encoder) encode(r *Record, bootID string) {
	e.b = append(e.b, `"time":"`...)
	e.b = appendMicros(e.b, r.Time)
	e.b = append(e.b, `","boot_id":"`...)
	e.b, _ = appendText(e.b, bootID, 32) // ours, and shorter: nothing is cut
	e.b = append(e.b, `","kind":"`...)
	e.b, _ = appendText(e.b, string(r.Kind), 16) // as above
	e.b = append(e.b, '"')
	e.from = len(e.b)
	e.identity(r)
	e.to = len(e.b)
	e.origin(r)
	e.action(r)
	e.decision(r)
	e.basis(r)
	e.outcome(r)
	e.own(r)
	e.cuts()
}

// identity is what an end that the log itself writes repeats of a begin.
func (e *encoder) identity(r *Record) {
	e.id(`,"hop":"`, r.Hop[:], r.Hop == HopID{})
	e.id(`,"parent":"`, r.Parent[:], r.Parent == HopID{})
	e.str(fieldTxn, r.Txn)
	e.str(fieldDomain, r.Domain)
	e.str(fieldSubject, r.Subject)
	e.str(fieldAgent, r.Agent)
}

func (e *encoder) origin(r *Record) {
	e.list(fieldActors, r.Actors)
	e.str(fieldPeer, r.Peer)
	e.addr(r.Source)
	e.str(fieldGateway, r.Gateway)
	e.str(fieldListener, r.Listener)
	e.str(fieldRoute, r.Route)
	e.str(fieldRouteRule, r.RouteRule)
	e.list(fieldBackends, r.Backends)
}

func (e *encoder) action(r *Record) {
	e.str(fieldSurface, r.Surface)
	e.str(fieldMethod, r.Method)
	e.name(r.Name)
	e.free(fieldHost, r.Host)
	e.num(`,"port":`, int64(r.Port))
	path, _, query := strings.Cut(r.Path, "?")
	e.free(fieldPath, path)
	if query {
		e.cut |= 1 << fieldPath
	}
}

// name writes a tool's or model's name. A resource's is a URI, of which
// neither the query nor a password is for a log.
func (e *encoder) name(s string) {
	if scheme := strings.Index(s, "://"); scheme >= 0 {
		public := publicURI(s, scheme+len("://"))
		if public != s {
			e.cut |= 1 << fieldName
		}
		s = public
	}
	e.free(fieldName, s)
}

func publicURI(s string, authority int) string {
	if i := strings.IndexAny(s, "?#"); i >= authority {
		s = s[:i]
	}
	end := len(s)
	if i := strings.IndexByte(s[authority:], '/'); i >= 0 {
		end = authority + i
	}
	if at := strings.LastIndexByte(s[authority:end], '@'); at >= 0 {
		return s[:authority] + s[authority+at+1:]
	}
	return s
}

func (e *encoder) decision(r *Record) {
	e.str(fieldVerdict, string(r.Verdict))
	e.str(fieldCode, r.Code)
	e.str(fieldRetry, r.Retry)
	e.str(fieldLevel, r.Level)
	e.str(fieldPolicy, r.Policy)
	e.str(fieldRule, r.Rule)
	e.free(fieldReason, r.Reason)
	e.str(fieldRevision, r.Revision)
	e.would(r.Would)
	e.ruleErrors(r.RuleErrors)
}

func (e *encoder) basis(r *Record) {
	e.id(`,"cause":"`, r.Cause[:], r.Cause == HopID{})
	e.moment(`,"cause_until":"`, r.CauseUntil)
	e.id(`,"token":"`, r.Token[:], r.Token == TokenID{})
	e.moment(`,"expires":"`, r.Expires)
	e.moment(`,"until":"`, r.Until)
	e.seen(r.Seen)
	e.free(fieldRequestID, r.RequestID)
}

// moment writes a time in whole seconds, if there is one.
func (e *encoder) moment(key string, t time.Time) {
	if t.IsZero() {
		return
	}
	e.b = append(e.b, key...)
	e.b = appendSeconds(e.b, t)
	e.b = append(e.b, '"')
}

func (e *encoder) outcome(r *Record) {
	e.num(`,"bytes_in":`, r.BytesIn)
	e.num(`,"bytes_out":`, r.BytesOut)
	e.num(`,"tokens_in":`, r.TokensIn)
	e.num(`,"tokens_out":`, r.TokensOut)
	e.num(`,"duration_us":`, max(r.Duration.Microseconds(), 0))
	e.str(fieldEnd, string(r.End))
	e.num(`,"status":`, int64(r.Status))
	e.str(fieldDetail, r.Detail)
}

func (e *encoder) str(f field, s string) {
	if s == "" {
		return
	}
	e.b = append(e.b, fields[f].key...)
	e.text(f, s, fields[f].limit)
	e.b = append(e.b, '"')
}

// free writes text that an agent may have filled with anything.
func (e *encoder) free(f field, s string) {
	s, found := redact(s, fields[f].limit)
	if found {
		e.cut |= 1 << f
	}
	e.str(f, s)
}

func (e *encoder) text(f field, s string, limit int) {
	var cut bool
	e.b, cut = appendText(e.b, s, limit)
	if cut {
		e.cut |= 1 << f
	}
}

func (e *encoder) num(key string, n int64) {
	if n != 0 {
		e.b = strconv.AppendInt(append(e.b, key...), n, 10)
	}
}

func (e *encoder) id(key string, id []byte, zero bool) {
	if !zero {
		e.b = append(hex.AppendEncode(append(e.b, key...), id), '"')
	}
}

// addr writes an address without its zone, which is free text.
func (e *encoder) addr(a netip.AddrPort) {
	if !a.IsValid() {
		return
	}
	a = netip.AddrPortFrom(a.Addr().WithZone(""), a.Port())
	e.b = append(a.AppendTo(append(e.b, `,"source":"`...)), '"')
}

// list writes as many items as fit.
func (e *encoder) list(f field, items []string) {
	if len(items) == 0 {
		return
	}
	e.b = append(e.b, fields[f].key...)
	start := len(e.b)
	for _, s := range items {
		at := e.item(start)
		e.b = append(e.b, '"')
		e.text(f, s, fields[f].limit)
		e.b = append(e.b, '"')
		if e.full(f, start, at) {
			break
		}
	}
	e.b = append(e.b, ']')
}

// item begins the next item of a list and returns where.
func (e *encoder) item(start int) int {
	at := len(e.b)
	if at > start {
		e.b = append(e.b, ',')
	}
	return at
}

// full takes back the item at, if the list has become too long with it.
func (e *encoder) full(f field, start, at int) bool {
	if len(e.b)-start <= fields[f].limit {
		return false
	}
	e.b = e.b[:at]
	e.cut |= 1 << f
	return true
}

func (e *encoder) cuts() {
	if e.cut == 0 {
		return
	}
	sep := `,"cut":["`
	for f := range numFields {
		if e.cut&(1<<f) != 0 {
			e.b = append(append(e.b, sep...), fields[f].name...)
			sep = `","`
		}
	}
	e.b = append(e.b, `"]`...)
}

// MarshalJSON writes r as the log does, but for what only the log knows.
func (r *Record) MarshalJSON() ([]byte, error) {
	e := encoder{b: make([]byte, 0, 512)}
	e.b = strconv.AppendUint(append(e.b, `{"seq":`...), r.Seq, 10)
	e.b = append(e.b, ',')
	e.encode(r, r.BootID)
	return append(e.b, '}'), nil
}
