package check

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/hopgate/hopgate/authz/denial"
	"github.com/hopgate/hopgate/authz/leash"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

// serve has a house answer over gRPC, and gives a client of it.
func serve(t testing.TB, h *house) *grpc.ClientConn {
	t.Helper()
	l := bufconn.Listen(1 << 20)
	s := grpc.NewServer(grpc.ForceServerCodecV2(h.codec))
	h.Service.Register(s)
	var wg sync.WaitGroup
	wg.Go(func() { _ = s.Serve(l) })
	conn, err := grpc.NewClient("passthrough:///check",
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		s.Stop()
		wg.Wait()
	})
	return conn
}

func TestOverGRPC(t *testing.T) {
	t.Parallel()
	h := open(t, build{})
	client := authv3.NewAuthorizationClient(serve(t, h))
	for _, tc := range []struct {
		a    asking
		code string
	}{
		{page(), ""},
		{call("search_code", `{"repo":"acme/site"}`), ""},
		{page().without(wire.HeaderTxnToken), denial.TokenMissing},
		{tunnel("169.254.169.254:80"), denial.AddressDenied},
	} {
		r, err := client.Check(t.Context(), tc.a.message())
		if err != nil {
			t.Fatal(err)
		}
		if got := (&answered{t: t, CheckResponse: r}); got.code() != tc.code {
			t.Errorf("code %q, want %q", got.code(), tc.code)
		}
	}
	// A question that is no message of protobuf at all is denied too.
	r := &authv3.CheckResponse{}
	if err := serve(t, h).Invoke(t.Context(), checkMethod, []byte("\xff\xff"), r, grpc.ForceCodecV2(rawCodec{h.codec})); err != nil {
		t.Fatal(err)
	}
	if got := (&answered{t: t, CheckResponse: r}); got.code() != denial.Internal {
		t.Errorf("code %q", got.code())
	}
}

// rawCodec sends bytes as they are.
type rawCodec struct{ *Codec }

func (c rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	if b, ok := v.([]byte); ok {
		return mem.BufferSlice{mem.SliceBuffer(b)}, nil
	}
	return c.Codec.Marshal(v)
}

// TestAnotherCodecIsToldSo: without Codec a server cannot read a question.
func TestAnotherCodecIsToldSo(t *testing.T) {
	t.Parallel()
	h := open(t, build{})
	_, err := handle(h.Service, t.Context(), func(any) error { return errors.New("no codec for this") }, nil)
	if status.Code(err) != codes.InvalidArgument {
		t.Errorf("error %v", err)
	}
}

func TestDecisionsAreCounted(t *testing.T) {
	t.Parallel()
	h := open(t, build{})
	reg := prometheus.NewRegistry()
	if err := reg.Register(h.Service); err != nil {
		t.Fatal(err)
	}
	h.ask(page())
	h.ask(page())
	h.ask(call("merge", "{}"))
	broken := page()
	broken.path = "/broken"
	h.ask(broken)
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += " " + l.GetName() + "=" + l.GetValue()
			}
			got[name] = m.GetCounter().GetValue()
		}
	}
	for name, want := range map[string]float64{
		`hopgate_decisions_total code= surface=HTTP verdict=allow`:            2,
		`hopgate_decisions_total code=rule_denied surface=Tools verdict=deny`: 1,
		`hopgate_decisions_total code=no_rule surface=HTTP verdict=deny`:      1,
		`hopgate_rule_errors_total policy=agents/p rule=broken`:               1,
	} {
		if got[name] != want {
			t.Errorf("%s = %v, want %v (%v)", name, got[name], want, got)
		}
	}
}

// TestManyAtOnce: 64 who ask at once, on every way in, while the world is
// exchanged and hops begin and end. Each gets its own answer.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	h := open(t, build{budget: 64 << 20, env: map[string]string{"A": "sk-a"}, feed: func(f *feedv1.Snapshot) {
		f.Credentials = []feedv1.Credential{credentialOf("c", web, "authorization", "", "A")}
	}})
	h.recorder.discard.Store(true)
	f := feed(t)
	f.Credentials = []feedv1.Credential{credentialOf("c", web, "authorization", "", "A")}
	worlds := []*World{h.World(), worldOf(t, 2, f, h.names)}
	var done atomic.Bool
	var changing sync.WaitGroup
	changing.Go(func() {
		for i := 0; !done.Load(); i++ {
			h.SetWorld(worlds[i%2])
		}
	})
	outer := h.ask(tunnel("api.example:80"))
	h.Again(h.hold(outer))
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() { h.many(t, i, outer.meta(wire.MetaHopID)) })
	}
	wg.Wait()
	done.Store(true)
	changing.Wait()
	h.register.Closed(outer.id())
	h.register.Logged(outer.id(), leash.Logged{Duration: time.Second})
	if h.register.Len() != 0 || h.budget.Used() != 0 {
		t.Errorf("%d hops, %d bytes are left", h.register.Len(), h.budget.Used())
	}
}

// many asks as one of many, and fails where an answer is not its own.
func (h *house) many(t *testing.T, i int, parent string) {
	host := fmt.Sprintf("h%d.wild.example", i)
	for j := range 20 {
		id := fmt.Sprintf("%d%d", i, j)
		body := `{"jsonrpc":"2.0","id":"` + id + `","method":"tools/call","params":{"name":"merge"}}`
		if got := h.ask(rpc(body)); got.body()[:len(`{"jsonrpc":"2.0","id":"`)+len(id)] != `{"jsonrpc":"2.0","id":"`+id {
			t.Errorf("another's answer for %s: %s", id, got.body())
		}
		got := h.ask(tunnel(host + ":443"))
		if got.meta(wire.MetaHost) != host {
			t.Errorf("another's way for %s: %v", host, wayOf(got))
		}
		h.finish(got)
		got = h.ask(page())
		if c, _ := got.header("authorization"); c != "sk-a" {
			t.Errorf("credential %q", c)
		}
		h.finish(got)
		got = h.ask(inner(parent))
		if _, ok := got.header("authorization"); ok || !got.allowed() {
			t.Errorf("inner %v", got.CheckResponse)
		}
		h.finish(got)
	}
}

// finish lets a hop live and end, by the two calls of Envoy in any order.
func (h *house) finish(a *answered) {
	id := a.id()
	if hop, ok := h.register.Open(id, false, func(leash.Cut) {}); ok {
		h.Again(hop)
	}
	h.register.Logged(id, leash.Logged{})
	h.register.Closed(id)
}
