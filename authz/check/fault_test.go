package check

import (
	"context"
	"errors"
	"strings"
	"testing"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc/mem"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/authz/denial"
	"github.com/hopgate/hopgate/authz/leash"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

var errFull = errors.New("the queue is full")

func TestNewWantsEverything(t *testing.T) {
	t.Parallel()
	full := func() Config {
		h := open(t, build{})
		return h.cfg
	}
	if _, err := New(full()); err != nil {
		t.Fatal(err)
	}
	for name, without := range map[string]func(*Config){
		"tokens": func(c *Config) { c.Tokens = nil }, "secrets": func(c *Config) { c.Secrets = nil }, "recorder": func(c *Config) { c.Recorder = nil },
		"register": func(c *Config) { c.Register = nil }, "budget": func(c *Config) { c.Budget = nil }, "now": func(c *Config) { c.Now = nil }, "rand": func(c *Config) { c.Rand = nil },
	} {
		cfg := full()
		without(&cfg)
		if _, err := New(cfg); err == nil {
			t.Errorf("a Service without %s is made", name)
		}
	}
	quiet := full()
	quiet.Log = nil
	if _, err := New(quiet); err != nil {
		t.Error(err)
	}
}

func TestWithoutAWorldNothingPasses(t *testing.T) {
	t.Parallel()
	h := open(t, build{noWorld: true})
	if h.World() != nil {
		t.Error("there is a world")
	}
	for _, a := range []asking{page(), tunnel("api.example:443"), inner(strings.Repeat("0f", 16)), call("search_code", "{}")} {
		if got := h.ask(a); got.code() != denial.NotReady || got.status() != 503 {
			t.Errorf("code %q, status %d", got.code(), got.status())
		}
	}
	if r := h.last(); r.Kind != audit.KindDeny || r.Gateway != "" || r.Code != denial.NotReady {
		t.Errorf("recorded %+v", r)
	}
}

func TestATargetThatIsNotKnownIsDenied(t *testing.T) {
	t.Parallel()
	h := open(t, build{})
	for _, tc := range []struct{ target, code string }{
		{"", denial.NotReady},
		{"e=route;g=agents/other;l=agents", denial.NotReady},
		{"e=route;g=agents/egress;l=none", denial.NotReady},
		{"e=route;g=agents/egress;l=agents;l=proxy", denial.NotReady},
		{"e=route;g=agents/egress", denial.NoRoute},
		{"nonsense", denial.NotReady},
	} {
		m := page().message()
		m.GetAttributes().ContextExtensions[wire.ContextTarget] = tc.target
		if got := h.askMessage(m); got.code() != tc.code {
			t.Errorf("%q: %q, want %q", tc.target, got.code(), tc.code)
		}
	}
	m := page().message()
	m.GetAttributes().ContextExtensions = nil
	if got := h.askMessage(m); got.code() != denial.NotReady {
		t.Errorf("no target: %q", got.code())
	}
}

// TestWhatCannotBeReadIsDenied, recorded, and gives back what it took.
func TestWhatCannotBeReadIsDenied(t *testing.T) {
	t.Parallel()
	joined := page().message()
	joined.GetAttributes().GetRequest().GetHttp().HeaderMap = nil
	joined.GetAttributes().GetRequest().GetHttp().Headers = map[string]string{wire.HeaderTxnToken: goodToken}
	none := page().message()
	none.GetAttributes().GetRequest().GetHttp().HeaderMap = nil
	mended := page().message()
	mended.GetAttributes().GetRequest().GetHttp().Body = "x"
	h := open(t, build{})
	ask := map[string]func() *answered{
		"nothing": func() *answered { return h.askBytes(context.Background(), nil) },
		"noise":   func() *answered { return h.askBytes(context.Background(), []byte("\x0a\xff\xff")) },
	}
	for name, m := range map[string]*authv3.CheckRequest{"joined headers": joined, "no headers": none, "a mended body": mended} {
		ask[name] = func() *answered { return h.askMessage(m) }
	}
	for name, f := range ask {
		got := f()
		if got.code() != denial.Internal || got.status() != 503 {
			t.Errorf("%s: %q", name, got.code())
		}
		if r := h.last(); r.Code != denial.Internal || r.Gateway != "" || r.Path != "" {
			t.Errorf("%s: recorded %+v", name, r)
		}
		if h.budget.Used() != 0 {
			t.Errorf("%s: %d bytes are still taken", name, h.budget.Used())
		}
	}
	if strings.Contains(h.log.String(), goodToken) {
		t.Errorf("the log has a token:\n%s", h.log)
	}
}

func TestWithoutRandomnessNothingPasses(t *testing.T) {
	t.Parallel()
	h := open(t, build{})
	h.random.broken = true
	if got := h.ask(page()); got.code() != denial.Internal || h.register.Len() != 0 {
		t.Errorf("code %q, %d hops", got.code(), h.register.Len())
	}
	if h.budget.Used() != 0 {
		t.Errorf("%d bytes are still taken", h.budget.Used())
	}
}

// TestABudgetForAllQuestions: what does not fit is told to come later, unread.
func TestABudgetForAllQuestions(t *testing.T) {
	t.Parallel()
	size := int64(len(page().bytes(t)))
	h := open(t, build{budget: 2*size + size/2})
	first, second := h.ask(page()), h.ask(page())
	if !first.allowed() || !second.allowed() || h.budget.Used() != 2*size {
		t.Fatalf("%q %q, %d bytes of %d", first.code(), second.code(), h.budget.Used(), 2*size)
	}
	third := h.ask(page())
	if third.code() != denial.Overloaded || third.status() != 503 {
		t.Errorf("code %q", third.code())
	}
	if after, ok := third.header("retry-after"); !ok || after == "" {
		t.Error("nothing says when to come again")
	}
	if r := h.last(); r.Code != denial.Overloaded || r.Path != "" || r.Gateway != "" {
		t.Errorf("recorded %+v", r)
	}
	if h.budget.Used() != 2*size {
		t.Errorf("%d bytes are taken", h.budget.Used())
	}
	h.Again(h.hold(first)) // its hold has opened: what it kept is free
	if fourth := h.ask(page()); !fourth.allowed() {
		t.Errorf("code %q", fourth.code())
	}
}

func TestTooManyThatWaitForTheirHold(t *testing.T) {
	t.Parallel()
	h := open(t, build{maxPending: 1})
	h.ask(page())
	used := h.budget.Used()
	got := h.ask(page())
	if got.code() != denial.Overloaded || h.register.Len() != 1 || h.budget.Used() != used {
		t.Errorf("code %q, %d hops, %d bytes", got.code(), h.register.Len(), h.budget.Used())
	}
	all := h.recorder.records(t)
	if n := len(all); n != 3 || all[1].Kind != audit.KindBegin || all[2].Kind != audit.KindDeny || all[1].Hop != all[2].Hop {
		t.Errorf("the begin is not taken back: %+v", all)
	}
}

// TestWhatCannotBeRecordedDoesNotPass, and nothing of an allow is in the answer.
func TestWhatCannotBeRecordedDoesNotPass(t *testing.T) {
	t.Parallel()
	secret := func(f *feedv1.Snapshot) {
		f.Credentials = []feedv1.Credential{credentialOf("c", web, "authorization", "", "A")}
	}
	durable := page()
	durable.path = "/durable"
	for name, a := range map[string]asking{"buffered": page(), "durable": durable} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := open(t, build{feed: secret, env: map[string]string{"A": "sk-a"}})
			h.recorder.refuse[audit.KindBegin] = errFull
			got := h.ask(a)
			if got.code() != denial.AuditUnavailable || got.status() != 503 || h.register.Len() != 0 || h.budget.Used() != 0 {
				t.Errorf("code %q, %d hops, %d bytes", got.code(), h.register.Len(), h.budget.Used())
			}
			if s := got.String(); strings.Contains(s, "sk-a") || strings.Contains(s, "authorization") || got.GetDynamicMetadata() != nil {
				t.Errorf("something of an allow is told: %s", s)
			}
			if r := h.last(); r.Kind != audit.KindDeny || r.Code != denial.AuditUnavailable {
				t.Errorf("recorded %+v", r)
			}
		})
	}
	t.Run("a denial is one all the same", func(t *testing.T) {
		t.Parallel()
		h := open(t, build{})
		h.recorder.refuse[audit.KindDeny] = errFull
		if got := h.ask(page().without(wire.HeaderTxnToken)); got.code() != denial.TokenMissing {
			t.Errorf("code %q", got.code())
		}
		if !strings.Contains(h.log.String(), "not recorded") {
			t.Errorf("log %q", h.log)
		}
	})
}

// TestDurableIsOnDiskBeforeTheAnswer.
func TestDurableIsOnDiskBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	h := open(t, build{})
	durable := page()
	durable.path = "/durable"
	h.ask(durable)
	h.ask(page())
	if len(h.recorder.durable) != 2 || !h.recorder.durable[0] || h.recorder.durable[1] {
		t.Errorf("durable: %v", h.recorder.durable)
	}
}

// TestAskIsOnlyWhatAPersonCanApprove: without a token it is a denial.
func TestAskIsOnlyWhatAPersonCanApprove(t *testing.T) {
	t.Parallel()
	h := open(t, build{})
	h.ask(call("push", "{}"))
	if r := h.last(); r.Verdict != audit.VerdictAsk || r.Code != denial.ApprovalRequired || r.Retry != "after_approval" {
		t.Errorf("recorded %+v", r)
	}
	h.ask(call("push", "{}").without(wire.HeaderTxnToken))
	if r := h.last(); r.Verdict != audit.VerdictDeny || r.Code != denial.TokenMissing {
		t.Errorf("recorded %+v", r)
	}
}

// TestTheCodecHandsOnWhatIsNotACheck.
func TestTheCodecHandsOnWhatIsNotACheck(t *testing.T) {
	t.Parallel()
	c := NewCodec(NewBudget(1 << 20))
	if c.Name() != "proto" {
		t.Errorf("name %q", c.Name())
	}
	in := &authv3.CheckRequest{Attributes: &authv3.AttributeContext{ContextExtensions: map[string]string{"a": "b"}}}
	b, err := c.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Free()
	out := &authv3.CheckRequest{}
	if err := c.Unmarshal(b, out); err != nil || out.GetAttributes().GetContextExtensions()["a"] != "b" {
		t.Errorf("%v, %v", out, err)
	}
	if _, err := c.Marshal("no message"); err == nil {
		t.Error("a text is marshalled")
	}
	if err := c.Unmarshal(mem.BufferSlice{mem.SliceBuffer("\xff")}, out); err == nil {
		t.Error("noise is read")
	}
}

var _ leash.Judge = (*Service)(nil)
