package check

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/authz/credential"
	"github.com/hopgate/hopgate/authz/denial"
	"github.com/hopgate/hopgate/authz/resolve"
	"github.com/hopgate/hopgate/authz/surface/egress"
	"github.com/hopgate/hopgate/authz/token"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

// goodToken is believed; the others are the names of what is wrong with them.
const (
	goodToken    = "good.token.value"
	gentleToken  = "gentle.token.value"
	dyingToken   = "dying.token.value"
	nothingToken = "nothing.token.value"
)

// fakeTokens believes a few words.
type fakeTokens struct {
	mu    sync.Mutex
	peers []token.Peer // guarded by mu
	// withdrawn is true once nothing that was believed is believed any more.
	withdrawn atomic.Bool
	// more are claims of more tokens, with a leeway of five seconds.
	more map[string]*token.Claims
}

func (f *fakeTokens) Verify(_ context.Context, _ time.Time, raw string, _ *feedv1.Listener, p token.Peer) (*token.Claims, time.Duration, string) {
	f.mu.Lock()
	f.peers = append(f.peers, token.Peer{SPIFFE: strings.Clone(p.SPIFFE), Certificate: strings.Clone(p.Certificate)})
	f.mu.Unlock()
	if c := f.more[raw]; c != nil {
		return c, 5 * time.Second, ""
	}
	c := claims(10 * time.Minute)
	switch raw {
	case goodToken:
		return c, 5 * time.Second, ""
	case gentleToken:
		c.Agent = "gentle"
		return c, 0, ""
	case dyingToken:
		return claims(time.Second), 0, ""
	case nothingToken:
		return nil, 0, "" // a defect of a verifier
	case "":
		return nil, 0, denial.TokenMalformed
	}
	return nil, 0, strings.Clone(raw)
}

// Current believes what was believed once, unless withdrawn.
func (f *fakeTokens) Current(*token.Claims, time.Time) bool { return !f.withdrawn.Load() }

// fakeNames knows a few names.
type fakeNames struct {
	mu sync.Mutex
	// asked and approved keep the very strings that they were given.
	asked    []string
	approved map[string]time.Time
}

func (f *fakeNames) Lookup(_ context.Context, name string) (resolve.Answer, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, name)
	at := func(a string) (resolve.Answer, error) {
		return resolve.Answer{Addrs: []netip.Addr{netip.MustParseAddr(a)}}, nil
	}
	switch {
	case name == "inside.example":
		return at("10.20.0.5")
	case name == "trap.example":
		return at("169.254.169.254") // a defect of a resolver: it says what is not open
	case name == "gone.example":
		return resolve.Answer{}, &resolve.Failure{Kind: resolve.NoName}
	case name == "refused.wild.example":
		return resolve.Answer{}, &egress.Refusal{Reason: egress.ReasonClass, Class: egress.ClassPrivate}
	case name == "odd.wild.example":
		return resolve.Answer{}, errors.New("no word of this is told")
	}
	return at("198.200.0.1")
}

func (f *fakeNames) Approve(name string, until time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.approved[name] = until
}

// fakeSecrets has the secrets that it was given.
type fakeSecrets struct{ *credential.Holder }

func newSecrets(env map[string]string, cs []feedv1.Credential) fakeSecrets {
	h := credential.New(func(k string) string { return env[k] }, nil)
	h.Apply(cs)
	return fakeSecrets{h}
}

// recorder keeps records as the log does: as text, and nothing of the record
// itself.
type recorder struct {
	mu      sync.Mutex
	lines   []string
	durable []bool
	// discard keeps nothing, for tests of many.
	discard atomic.Bool
	// refuse is returned for records of its kinds.
	refuse map[audit.Kind]error
}

func (r *recorder) Append(rec audit.Record) error { return r.add(rec, false) }

func (r *recorder) AppendDurable(_ context.Context, rec audit.Record) error { return r.add(rec, true) }

func (r *recorder) add(rec audit.Record, durable bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.refuse[rec.Kind]; err != nil {
		return err
	}
	line, err := json.Marshal(&rec)
	if err != nil || r.discard.Load() {
		return err
	}
	r.lines, r.durable = append(r.lines, string(line)), append(r.durable, durable)
	return nil
}

func (r *recorder) records(t testing.TB) []audit.Record {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []audit.Record
	for _, l := range r.lines {
		rec, err := audit.Decode([]byte(l))
		if err != nil {
			t.Fatalf("%v in %s", err, l)
		}
		out = append(out, rec)
	}
	return out
}

// counter is randomness that one can tell: it draws 1, 2 and so on.
type counter struct {
	mu sync.Mutex
	n  uint64
	// broken ends all reads.
	broken bool
}

func (c *counter) Read(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.broken {
		return 0, errors.New("no randomness")
	}
	c.n++
	for i := range p {
		p[i] = byte(c.n >> (8 * (i % 8)))
	}
	return len(p), nil
}

// checkModes are those that routes of a Proxy listener know.
func checkModes() []string {
	var out []string
	for _, m := range []string{wire.ModeGuard, wire.ModeInside, wire.ModeHosts} {
		out = append(out, m, m+wire.OpaqueSuffix)
	}
	return out
}
