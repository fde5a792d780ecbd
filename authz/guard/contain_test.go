package guard

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/authz/contain"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/api/wire"
	"github.com/hopgate/hopgate/internal/testenv"
)

const (
	good = "spiffe://corp.example/ns/agents/sa/good"
	bad  = "spiffe://corp.example/ns/agents/sa/bad"
)

// peers is a Gateway that knows who connects.
func peers(unmatched v1alpha1.Unmatched) feedv1.Gateway {
	gw := gateway("one", unmatched)
	gw.Listeners[0].Peers = true
	return gw
}

// TestAnOrderEndsWhatLives, and what comes; and no longer when it is lifted.
func TestAnOrderEndsWhatLives(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.apply(snapshot("1", peers(v1alpha1.UnmatchedAllow)))
	cut, _ := r.hold(hopOf(r.askAs("one", bad)))
	stays, _ := r.hold(hopOf(r.askAs("one", good)))
	if n := len(r.Streams()); n != 2 {
		t.Fatalf("%d streams are told of, want 2", n)
	}
	order, n, err := r.Order(contain.Order{Verb: contain.VerbQuarantine, Kind: contain.KindPeer, Value: bad, Until: time.Now().Add(time.Hour), Reason: "odd"})
	if err != nil || n != 1 {
		t.Fatalf("Order = %v, %d, %v, want one stream cut", order, n, err)
	}
	m, err := cut.Recv()
	if err != nil || m.GetImmediateResponse().GetDetails() != wire.DetailQuarantined {
		t.Errorf("the hold hears %v, %v", m, err)
	}
	if got := [...]int{status(r.askAs("one", bad)), status(r.askAs("one", good))}; got != [...]int{403, 0} {
		t.Errorf("statuses %v, want the one in quarantine denied", got)
	}
	if got := r.Orders(); len(got) != 1 || got[0].ID != order.ID {
		t.Errorf("orders that stand: %v", got)
	}
	if _, ok, err := r.Lift(order.ID); !ok || err != nil {
		t.Errorf("Lift = %v, %v", ok, err)
	}
	if got := status(r.askAs("one", bad)); got != 0 {
		t.Errorf("status %d after the order was lifted", got)
	}
	if _, _, err := r.Order(contain.Order{Verb: contain.VerbQuarantine, Kind: "odd", Value: "x"}); err == nil {
		t.Error("an order that nobody understands stands")
	}
	if err := stays.CloseSend(); err != nil {
		t.Error(err)
	}
}

// TestAFeedEndsWhatItDenies: by its policy, and by its quarantines, and what
// it still allows lives on.
func TestAFeedEndsWhatItDenies(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(f *feedv1.Snapshot)
		detail string
		both   bool
	}{
		{"a quarantine", func(f *feedv1.Snapshot) {
			f.Quarantines = []feedv1.Quarantine{{
				Name: "q", Type: v1alpha1.QuarantinePeer, Value: bad, Until: time.Now().Add(time.Hour),
				Except: []feedv1.Place{{Backend: "Service/agents/another"}, {Host: "[bad"}},
			}}
		}, wire.DetailQuarantined, false},
		{"a policy", func(f *feedv1.Snapshot) { f.Gateways[0].Unmatched = v1alpha1.UnmatchedDeny }, wire.DetailRefused, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.apply(snapshot("1", peers(v1alpha1.UnmatchedAllow)))
			cut, _ := r.hold(hopOf(r.askAs("one", bad)))
			r.hold(hopOf(r.askAs("one", good)))
			next := snapshot("2", peers(v1alpha1.UnmatchedAllow))
			tt.change(next)
			r.apply(next)
			m, err := cut.Recv()
			if err != nil || m.GetImmediateResponse().GetDetails() != tt.detail {
				t.Errorf("the hold hears %v, %v", m, err)
			}
			want := map[bool]int{true: 0, false: 1}[tt.both]
			testenv.Wait(t, "the streams that live on", func() bool { return len(r.Streams()) == want })
		})
	}
}

func TestQuarantinesOfAFeed(t *testing.T) {
	t.Parallel()
	until := time.Now().Add(time.Hour)
	f := &feedv1.Snapshot{}
	for _, kind := range []v1alpha1.QuarantineType{v1alpha1.QuarantineAgent, v1alpha1.QuarantineSubject, v1alpha1.QuarantineTransaction, v1alpha1.QuarantinePeer} {
		f.Quarantines = append(f.Quarantines, feedv1.Quarantine{Name: string(kind), Type: kind, Domain: key("corp"), Value: "spiffe://x/y", Until: until})
	}
	f.TrustDomains = []feedv1.TrustDomain{{Key: key("corp")}, {Key: key("lab")}}
	f.Quarantines = append(f.Quarantines, feedv1.Quarantine{Name: "everywhere", Type: v1alpha1.QuarantineAgent, Value: "coder", Until: until})
	f.Quarantines = append(f.Quarantines, feedv1.Quarantine{Name: "anybody", Type: feedv1.QuarantineEveryone, Until: until})
	got, err := quarantines(f)
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for _, o := range got {
		ids[o.ID] = true
	}
	if len(ids) != len(got) {
		t.Errorf("%d orders have %d names", len(got), len(ids))
	}
	var shown [][2]string
	for _, o := range got {
		shown = append(shown, [2]string{string(o.Kind), o.Domain})
	}
	want := [][2]string{
		{string(contain.KindAgent), "agents/corp"},
		{string(contain.KindSubject), "agents/corp"},
		{string(contain.KindTxn), "agents/corp"},
		{string(contain.KindPeer), ""},
		{string(contain.KindAgent), "agents/corp"},
		{string(contain.KindAgent), "agents/lab"},
		{string(contain.KindEveryone), ""},
	}
	if diff := cmp.Diff(want, shown); diff != "" {
		t.Errorf("orders differ (-want +got):\n%s", diff)
	}
}

func TestTrustDomainsAreThoseOfTheFeed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	f := snapshot("1", gateway("one", v1alpha1.UnmatchedAllow))
	f.TrustDomains = []feedv1.TrustDomain{{Key: key("corp"), Audience: "corp.example", Algorithms: []string{"EdDSA"}}}
	r.apply(f)
	if got := r.TrustDomains(); len(got) != 1 || got[0].Key != key("corp") {
		t.Errorf("TrustDomains = %v", got)
	}
}
