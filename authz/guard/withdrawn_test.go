package guard

import (
	"bytes"
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	procv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"

	"github.com/hopgate/hopgate/authz/contain"
	"github.com/hopgate/hopgate/authz/token"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/api/wire"
	"github.com/hopgate/hopgate/internal/testenv"
)

// publisher serves the keys of a trust domain.
type publisher struct {
	*httptest.Server
	set atomic.Pointer[[]byte]
}

func newPublisher(t *testing.T, keys ...*token.Key) *publisher {
	p := &publisher{}
	p.publish(keys...)
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(*p.set.Load()) // who does not read it has no keys
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
	set := append(append([]byte(`{"keys":[`), bytes.Join(each, []byte(","))...), "]}"...)
	p.set.Store(&set)
}

// newKey is a key, and a token of its own transaction that it signed.
func newKey(t *testing.T, txn string) (*token.Key, string) {
	t.Helper()
	k, err := token.Generate(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s, err := k.Mint(token.Params{
		Audience: "corp.example", Subject: "user:alice", Txn: txn, Agent: "coder", IssuedAt: time.Now(), Lifetime: 10 * time.Minute,
	}, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k, string(s)
}

// holdBy opens a hold of a hop that this token opens.
func (r *rig) holdBy(raw string) procv3.ExternalProcessor_ProcessClient {
	r.t.Helper()
	res := r.askAs("one", "", &corev3.HeaderValue{Key: wire.HeaderTxnToken, RawValue: []byte(raw)})
	if got := status(res); got != 0 {
		r.t.Fatalf("status %d", got)
	}
	s, _ := r.hold(hopOf(res))
	return s
}

// TestAWithdrawnKeyEndsWhatItSigned, with nobody asking for anything, and what
// another key of the trust domain signed goes on.
func TestAWithdrawnKeyEndsWhatItSigned(t *testing.T) {
	t.Parallel()
	first, one := newKey(t, "txn-1")
	second, two := newKey(t, "txn-2")
	keys := newPublisher(t, first, second)
	r := newRig(t, func(c *Config) { c.Keys.Refresh = 20 * time.Millisecond })
	gw := gateway("one", v1alpha1.UnmatchedAllow)
	gw.Listeners[0].TrustDomains = []feedv1.Key{key("corp")}
	f := snapshot("1", gw)
	f.TrustDomains = []feedv1.TrustDomain{{
		Key: key("corp"), Audience: "corp.example", Algorithms: []string{"EdDSA"}, MaxLifetime: time.Hour, MaxTxn: time.Hour, Leeway: time.Second,
		Binding: v1alpha1.BindingNone, AgentProfile: v1alpha1.AgentProfileActor, KeySet: feedv1.KeySet{URL: keys.URL},
	}}
	r.apply(f)
	testenv.Wait(t, "the keys", func() bool { return r.tokens.Keys()[0].Ready })
	ends, stays := r.holdBy(one), r.holdBy(two)
	heard := make(chan string, 1)
	go func() {
		m, err := ends.Recv()
		if err != nil {
			heard <- err.Error()
			return
		}
		heard <- m.GetImmediateResponse().GetDetails()
	}()
	keys.publish(second)
	testenv.Wait(t, "what the key has signed to be decided again", func() bool {
		return strings.Contains(r.out.String(), `msg="streams ended by a later decision" number=1`)
	})
	if got := <-heard; got != wire.DetailRefused {
		t.Errorf("the hold hears %q", got)
	}
	order := contain.Order{
		Verb: contain.VerbRevoke, Kind: contain.KindTxn, Domain: key("corp").String(), Value: "txn-2", Since: time.Now(), Until: time.Now().Add(time.Hour),
	}
	if _, n, err := r.Order(order); err != nil || n != 1 {
		t.Errorf("Order = %d, %v: the one of the other key does not go on", n, err)
	}
	if m, err := stays.Recv(); err != nil || m.GetImmediateResponse().GetDetails() != wire.DetailRevoked {
		t.Errorf("its hold hears %v, %v", m, err)
	}
}
