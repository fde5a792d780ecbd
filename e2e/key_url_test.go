package e2e

import (
	"bytes"
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/authz/token"
	"github.com/hopgate/hopgate/internal/testenv"
	"github.com/hopgate/hopgate/internal/testgateway"
)

// publisher serves the keys of a trust domain.
type publisher struct {
	*httptest.Server
	mu    sync.Mutex
	set   []byte    // guarded by mu
	asked time.Time // guarded by mu; when these were asked for first; zero: never
}

func newPublisher(t testing.TB, keys ...*token.Key) *publisher {
	p := &publisher{}
	p.publish(keys...)
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.asked.IsZero() {
			p.asked = time.Now()
		}
		_, _ = w.Write(p.set) // who does not read it has no keys
	}))
	t.Cleanup(p.Close)
	return p
}

// publish makes these the keys: those of each one's own set.
func (p *publisher) publish(keys ...*token.Key) {
	var each [][]byte
	for _, k := range keys {
		each = append(each, bytes.TrimSuffix(bytes.TrimPrefix(k.JWKS(), []byte(`{"keys":[`)), []byte("]}")))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.set = append(append([]byte(`{"keys":[`), bytes.Join(each, []byte(","))...), "]}"...)
	p.asked = time.Time{}
}

// known is when the keys of today were asked for; zero: not yet.
func (p *publisher) known() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked
}

const published = "published.example"

// signer is a key, and a token of its own transaction that it signed.
func signer(t testing.TB, txn string) (*token.Key, string) {
	t.Helper()
	k, err := token.Generate(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s, err := k.Mint(token.Params{
		Audience: published, Subject: testgateway.Subject, Txn: txn, Agent: testgateway.Agent, IssuedAt: time.Now(), Lifetime: 10 * time.Minute,
	}, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k, string(s)
}

// withdrawnWithin is by when a key that is known to be withdrawn ends what it
// signed: the guard looks every second.
const withdrawnWithin = time.Second

// TestKeyOfAURLIsWithdrawn: once the gateway has heard of it, and a token of a
// key that it does not know has it ask, streams of that key end, and those of
// another key of the same trust domain go on.
func TestKeyOfAURLIsWithdrawn(t *testing.T) {
	t.Parallel()
	first, one := signer(t, "txn-1")
	second, two := signer(t, "txn-2")
	keys := newPublisher(t, first, second)
	site := newUpstream(t, ticks)
	domain := strings.Replace(trust("published", published, "leeway: 5s"), "{type: Inline, inline: '${JWKS}'}", "{type: URL, url: '"+keys.URL+"/jwks'}", 1)
	s := &streams{site: site, token: one, Gateway: testgateway.Run(t, map[string]string{
		"gateway.yaml": testgateway.Listeners + config("trustDomainRefs: [{name: published}]") + domain + service("page", site.port(), plain, "/page"),
		"policy.yaml":  policy("all", allow("http", "{type: HTTP, http: [{paths: [/page/events, /page/ws, /page/stays]}]}")),
	})}
	const ( // of who asks for what no rule allows
		denied  = http.StatusForbidden
		unknown = http.StatusUnauthorized
	)
	status := func(token string) int { return get(t, s.Gateway, "/page/shut", token).status }
	testenv.Wait(t, "the keys", func() bool { return status(one) == denied && status(two) == denied })
	ends := map[string]*ear{
		"/page/events": heed(body(t, newClient(t), request(t, "GET", s.URL("/page/events"), one, ""))),
		"/page/ws":     heed(webSocket(t, s)),
	}
	stays := heed(body(t, newClient(t), request(t, "GET", s.URL("/page/stays"), two, "")))
	goesOn(t, stays, 1)
	keys.publish(second)
	testenv.Wait(t, "the gateway to ask for the keys", func() bool {
		return status(foreign(t, published)) == unknown && !keys.known().IsZero()
	})
	for path, e := range ends {
		testenv.Wait(t, path+" to end", e.ended)
		after := e.at.Sub(keys.known())
		if t.Logf("%s ended %s after the gateway was told", path, after); after < 0 || after > withdrawnWithin+2*time.Second {
			t.Errorf("%s ended %s after the gateway was told, want %s", path, after, withdrawnWithin)
		}
		s.endedAs(t, audit.EndRefused, func(r audit.Record) bool { return r.Path == path })
	}
	// For longer than the guard takes to look again.
	goesOn(t, stays, 2*int64(withdrawnWithin/tickEvery))
	if live := s.Guard().Streams(); len(live) != 1 || live[0].Txn != "txn-2" {
		t.Errorf("there live %+v, want the stream of the other key", live)
	}
	if got := [...]int{status(one), status(two)}; got != [...]int{unknown, denied} {
		t.Errorf("new requests of the two keys are answered %d", got)
	}
}

// goesOn waits for so many more events of a stream.
func goesOn(t *testing.T, e *ear, events int64) {
	t.Helper()
	want := e.got.Load() + events*int64(len("data: tick\n\n"))
	testenv.Wait(t, "a stream to flow", func() bool {
		if e.ended() {
			t.Fatalf("it ended: %v %q", e.err, e.tail)
		}
		return e.got.Load() >= want
	})
}
