package check

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/authz/leash"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

// house is a Service with fakes at its edges, and all else real.
type house struct {
	*Service
	t        testing.TB
	codec    *Codec
	tokens   *fakeTokens
	names    *fakeNames
	recorder *recorder
	register *leash.Register
	budget   *Budget
	random   *counter
	log      *bytes.Buffer
	now      time.Time
}

// build is what a house may differ in.
type build struct {
	feed       func(*feedv1.Snapshot)
	env        map[string]string
	maxPending int
	budget     int64
	noWorld    bool
	canaries   Canaries
	leaves     Leaves
	releases   Releases
}

func open(t testing.TB, b build) *house {
	t.Helper()
	h := &house{
		t: t, tokens: &fakeTokens{}, names: &fakeNames{approved: map[string]time.Time{}},
		recorder: &recorder{refuse: map[audit.Kind]error{}}, random: &counter{}, log: &bytes.Buffer{}, now: start(),
	}
	if b.budget == 0 {
		b.budget = 1 << 20
	}
	f := feed(t)
	if b.feed != nil {
		b.feed(f)
	}
	h.budget = NewBudget(b.budget)
	h.codec = NewCodec(h.budget)
	now := func() time.Time { return h.now }
	h.register = leash.NewRegister(leash.Config{
		Now: now, MaxPending: b.maxPending, Ended: func(hop *leash.Hop, e leash.Ending) { h.Ended(hop, e) },
	})
	var err error
	h.Service, err = New(Config{
		Tokens: h.tokens, Secrets: newSecrets(b.env, f.Credentials), Recorder: h.recorder, Register: h.register, Budget: h.budget,
		Now: now, Rand: h.random, Log: slog.New(slog.NewTextHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Canaries: b.canaries, Leaves: b.leaves, Releases: b.releases,
	})
	if err != nil {
		t.Fatal(err)
	}
	if !b.noWorld {
		h.SetWorld(worldOf(t, 1, f, h.names))
	}
	return h
}

// asking is a request as Envoy tells of it.
type asking struct {
	target   wire.Target
	method   string // empty: GET
	host     string // empty: web.example
	path     string // empty: /
	protocol string // empty: HTTP/1.1
	headers  [][2]string
	body     string
	// partial says that there is more of the body.
	partial                bool
	principal, certificate string
	// parent and parentTarget are what Envoy says of the tunnel.
	parent, parentTarget string
}

// with adds headers.
func (a asking) with(headers ...[2]string) asking {
	a.headers = append(slices.Clip(a.headers), headers...)
	return a
}

// bearing adds a token.
func (a asking) bearing(token string) asking { return a.with([2]string{wire.HeaderTxnToken, token}) }

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// message is the question in Envoy's words.
func (a asking) message() *authv3.CheckRequest {
	raw := &corev3.HeaderMap{}
	for _, h := range a.headers {
		raw.Headers = append(raw.Headers, &corev3.HeaderValue{Key: h[0], RawValue: []byte(h[1])})
	}
	if a.body != "" {
		whole := "false"
		if a.partial {
			whole = "true"
		}
		raw.Headers = append(raw.Headers, &corev3.HeaderValue{Key: wire.HeaderPartialBody, RawValue: []byte(whole)})
	}
	return &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Source: &authv3.AttributeContext_Peer{
			Address: &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
				Address: "192.0.2.7", PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: 40000},
			}}},
			Principal: a.principal, Certificate: a.certificate,
		},
		Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{
			Id: "1", Method: or(a.method, "GET"), Host: or(a.host, "web.example"), Path: or(a.path, "/"),
			Protocol: or(a.protocol, "HTTP/1.1"), Scheme: "http", RawBody: []byte(a.body), HeaderMap: raw,
		}},
		ContextExtensions: map[string]string{wire.ContextTarget: a.target.String()},
	}}
}

func (a asking) bytes(t testing.TB) []byte {
	t.Helper()
	b, err := proto.Marshal(a.message())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// context is that of the call.
func (a asking) context() context.Context {
	ctx := context.Background()
	if !a.target.Entry.InTunnel() {
		return ctx
	}
	return metadata.NewIncomingContext(ctx, metadata.Pairs(wire.CallParent, a.parent, wire.CallTarget, a.parentTarget))
}

// ask has the question answered, by way of the codec and back.
func (h *house) ask(a asking) *answered {
	h.t.Helper()
	return h.askBytes(a.context(), a.bytes(h.t))
}

func (h *house) askMessage(m *authv3.CheckRequest) *answered {
	h.t.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		h.t.Fatal(err)
	}
	return h.askBytes(context.Background(), b)
}

func (h *house) askBytes(ctx context.Context, b []byte) *answered {
	h.t.Helper()
	q := &question{}
	if err := h.codec.Unmarshal(mem.BufferSlice{mem.SliceBuffer(b)}, q); err != nil {
		h.t.Fatal(err)
	}
	out, err := h.codec.Marshal(h.check(ctx, q))
	if err != nil {
		h.t.Fatal(err)
	}
	defer out.Free()
	r := &authv3.CheckResponse{}
	if err := proto.Unmarshal(out.Materialize(), r); err != nil {
		h.t.Fatalf("the answer is no CheckResponse: %v", err)
	}
	return &answered{t: h.t, CheckResponse: r}
}

// answered is an answer, and ways to look at it.
type answered struct {
	t testing.TB
	*authv3.CheckResponse
}

func (a *answered) allowed() bool { return a.GetOkResponse() != nil && a.GetStatus().GetCode() == 0 }

// set is a header that is set on the request, or on the denial.
func (a *answered) header(name string) (value string, ok bool) {
	list := a.GetOkResponse().GetHeaders()
	if a.GetDeniedResponse() != nil {
		list = a.GetDeniedResponse().GetHeaders()
	}
	for _, h := range list {
		if h.GetHeader().GetKey() == name {
			if ok {
				a.t.Errorf("header %s is set twice", name)
			}
			value, ok = h.GetHeader().GetValue(), true
		}
	}
	return value, ok
}

func (a *answered) meta(key string) string {
	return a.GetDynamicMetadata().GetFields()[key].GetStringValue()
}

func (a *answered) id() leash.ID {
	a.t.Helper()
	id, err := leash.ParseID(a.meta(wire.MetaHopID))
	if err != nil {
		a.t.Fatalf("hop id %q: %v", a.meta(wire.MetaHopID), err)
	}
	return id
}

func (a *answered) body() string { return a.GetDeniedResponse().GetBody() }

func (a *answered) status() int { return int(a.GetDeniedResponse().GetStatus().GetCode()) }

// code is the denial's, whatever protocol says it; empty: it is allowed.
func (a *answered) code() string {
	a.t.Helper()
	if a.allowed() {
		return ""
	}
	if a.GetStatus().GetCode() == 0 || a.GetDeniedResponse() == nil {
		a.t.Fatalf("neither allowed nor denied: %v", a.CheckResponse)
	}
	_, rest, ok := strings.Cut(a.body(), `"code":"`)
	code, _, _ := strings.Cut(rest, `"`)
	if !ok {
		code, _, _ = strings.Cut(a.body(), ":")
	}
	return code
}

// last is the latest record.
func (h *house) last() audit.Record {
	h.t.Helper()
	all := h.recorder.records(h.t)
	if len(all) == 0 {
		h.t.Fatal("nothing is recorded")
	}
	return all[len(all)-1]
}

// hold opens the hold of a hop that was allowed.
func (h *house) hold(a *answered) *leash.Hop {
	h.t.Helper()
	hop, ok := h.register.Open(a.id(), a.meta(wire.MetaHold) == wire.HoldRelay, func(leash.Cut) {})
	if !ok {
		h.t.Fatalf("no hop %s waits for its hold", a.id())
	}
	return hop
}
