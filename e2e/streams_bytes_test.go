package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/hopgate/hopgate/authz/admin"
	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/authz/contain"
	"github.com/hopgate/hopgate/authz/leash"
	"github.com/hopgate/hopgate/internal/testenv"
)

// toldEvery is how often Envoy says what it has counted of a stream.
const toldEvery = 10 * time.Second

// told waits until Envoy has said of all streams of a reason what it has
// counted, after a moment.
func (m *matrix) told(t *testing.T, reason string, n int, after time.Time) map[string][]leash.Stream {
	t.Helper()
	out := map[string][]leash.Stream{}
	testenv.Wait(t, "Envoy to say what it has counted", func() bool {
		clear(out)
		found := 0
		for _, s := range m.Guard().Streams() {
			if strings.HasPrefix(s.Txn, reason+", ") && s.Seen.After(after) {
				out[s.Txn] = append(out[s.Txn], s)
				found++
			}
		}
		return found == n
	})
	return out
}

// TestStreamsTellTheirBytes while they go on: what Envoy says on the way ends no
// hop, and is not taken for how one ended; those are ended too of which it has
// said nothing yet.
func TestStreamsTellTheirBytes(t *testing.T) {
	t.Parallel()
	m := newMatrix(t, make(chan struct{}, 1), nil)
	revoke := orderEach(func(c *cell) admin.Ask {
		return admin.Ask{Verb: contain.VerbRevoke, Kind: contain.KindTxn, Value: c.brief.name}
	})
	m.run(t, reason{name: "between", end: audit.EndRevoked, code: "revoked", each: true, token: by("worker"), strike: revoke}, "all", idle())
	told := reason{name: "told", end: audit.EndRevoked, code: "revoked", each: true, token: by("worker")}
	var opened []*cell
	told.strike = func(t *testing.T, m *matrix, group string, cells []*cell) func(*cell) time.Time {
		opened = cells
		n := 0
		for _, c := range cells {
			n += c.hops()
		}
		first := m.told(t, "told", n, time.Time{})
		again := m.told(t, "told", n, time.Now().Add(time.Second))
		for _, c := range cells {
			for i, s := range again[c.brief.name] {
				if !s.Seen.After(first[c.brief.name][i].Seen.Add(toldEvery / 2)) {
					t.Errorf("%s: told at %s, and before that at %s", c.brief.name, s.Seen, first[c.brief.name][i].Seen)
				}
				if c.hops() == 2 && s.Parent == "" {
					continue // its bytes are those of what is inside, and heads
				}
				if sent, came := c.live.sent(), c.live.came(); int64(s.BytesIn) != sent || int64(s.BytesOut) != came {
					t.Errorf("%s: %d bytes in and %d out are told, want %d and %d", c.brief.name, s.BytesIn, s.BytesOut, sent, came)
				}
			}
		}
		return revoke(t, m, group, cells)
	}
	m.run(t, told, "all", idle(), halfClosed())
	for _, c := range opened {
		for _, e := range m.ends(t, c) {
			if e.Duration < toldEvery || e.Detail == "" {
				t.Errorf("%s: the record says it lasted %s, and ended by %q", c.brief.name, e.Duration, e.Detail)
			}
		}
	}
}

// TestAStreamWithoutAHoldTellsItsBytes: there is nothing but the log to say that
// it goes on.
func TestAStreamWithoutAHoldTellsItsBytes(t *testing.T) {
	t.Parallel()
	s := newStreams(t, "streams: {minRemaining: 0s, unleashedMax: 5m}")
	r := request(t, "GET", s.URL("/page/events"), s.Token(audience("short.example"), lifetime(time.Minute)), "")
	r.Header.Del("Content-Type")
	c := newClient(t)
	res, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	heard := begin(res.Body)
	var seen leash.Stream
	testenv.Wait(t, "Envoy to say what it has counted", func() bool {
		for _, st := range s.Guard().Streams() {
			if st.Path == "/page/events" || st.Route != "" && !st.Seen.IsZero() {
				seen = st
			}
		}
		return !seen.Seen.IsZero()
	})
	if seen.BytesIn != 0 || seen.BytesOut == 0 || seen.Hold != "none" {
		t.Errorf("it is told as %+v", seen)
	}
	testenv.Wait(t, "Envoy to say it again", func() bool {
		all := s.Guard().Streams()
		return len(all) == 1 && all[0].Seen.After(seen.Seen) && all[0].BytesOut > seen.BytesOut
	})
	res.Body.Close()
	<-heard
	end := s.endedAs(t, audit.EndClientLeft, func(r audit.Record) bool { return r.Path == "/page/events" })
	if end.Duration < 2*toldEvery-time.Second || end.BytesOut <= int64(seen.BytesOut) {
		t.Errorf("the record says it lasted %s, with %d bytes", end.Duration, end.BytesOut)
	}
}
