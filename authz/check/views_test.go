package check

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/mem"

	"github.com/hopgate/hopgate/authz/denial"
	"github.com/hopgate/hopgate/authz/leash"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

// askAndScribble has a question answered, and gives its bytes to scribble over.
func (h *house) askAndScribble(a asking) (*answered, func()) {
	h.t.Helper()
	b := a.bytes(h.t)
	got := h.askBytes(a.context(), b)
	return got, func() {
		for i := range b {
			b[i] = '~'
		}
	}
}

// TestWhatLivesOnIsACopy: the question's bytes are another's in a moment. What
// rules read stays until the hold has opened, with the bytes; all else is a
// copy from the first.
func TestWhatLivesOnIsACopy(t *testing.T) {
	t.Parallel()
	rules := func(f *feedv1.Snapshot) {
		f.Gateways[0].Listeners[3].Peers = true
		f.Gateways[0].Listeners[0].Peers = true
	}
	for name, a := range map[string]asking{"a call": call("search_code", `{"repo":"acme/site"}`), "a tunnel": tunnel("api.example:80"), "a page": page()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := open(t, build{feed: rules})
			a.principal = spiffe
			got, scribble := h.askAndScribble(a)
			if !got.allowed() {
				t.Fatal(got.body())
			}
			hop := h.hold(got)
			held := hop.Subject.(*Held)
			if held.work == nil || h.budget.Used() == 0 {
				t.Fatal("the request is gone before its hold has opened")
			}
			h.Again(hop)
			scribble()
			for what, s := range map[string]string{
				"peer": held.hop.Peer, "host": held.dest.Host, "kind": string(held.hop.Action.Kind), "surface": string(held.said.Surface),
				"provider": held.said.Provider, "method": held.hop.Action.Method, "name": held.hop.Action.Name, "path": held.hop.Action.Path,
				"words": string(h.Words(hop, denial.RuleDenied).Body), "route": held.hop.Target.Route, "txn": held.hop.Claims.Txn,
			} {
				if strings.Contains(s, "~") {
					t.Errorf("%s is a view: %q", what, s)
				}
			}
			if held.hop.Peer != spiffe || held.work != nil || h.budget.Used() != 0 {
				t.Errorf("held %+v, %d bytes", held, h.budget.Used())
			}
			if a.target.Entry == wire.EntryProxy {
				if held.dest.String() != "api.example:80" {
					t.Errorf("destination %s", held.dest)
				}
				if got := h.ask(inner(got.meta(wire.MetaHopID))); !got.allowed() {
					t.Errorf("the tunnel is not found again: %s", got.body())
				}
			}
		})
	}
}

// TestWhatIsUnleashedKeepsNothing.
func TestWhatIsUnleashedKeepsNothing(t *testing.T) {
	t.Parallel()
	h := open(t, build{feed: func(f *feedv1.Snapshot) { f.Gateways[0].Unleashed = 1 << 60 }})
	got, scribble := h.askAndScribble(call("search_code", `{"repo":"acme/site"}`))
	scribble()
	hop, ok := h.register.Live(got.id())
	if !ok {
		t.Fatal("no hop")
	}
	held := hop.Subject.(*Held)
	if held.hop.Action.Name != "" || held.hop.Action.Method != "" || held.hop.Action.Host != "" || held.work != nil {
		t.Errorf("held %+v", held.hop.Action)
	}
	if id := string(held.said.MCP.ID); id != "9007199254740993" {
		t.Errorf("the id is a view: %q", id)
	}
}

// TestNamesAreCopies: a resolver remembers them for longer than a request.
func TestNamesAreCopies(t *testing.T) {
	t.Parallel()
	h := open(t, build{})
	_, scribble := h.askAndScribble(tunnel("api.example:443"))
	scribble()
	if !slices.Equal(h.names.asked, []string{"api.example"}) {
		t.Errorf("the resolver was given a view: %q", h.names.asked)
	}
	if _, ok := h.names.approved["api.example"]; !ok {
		t.Errorf("the approval is of a view: %v", h.names.approved)
	}
}

// TestTargetsAreCopies: the memory of targets outlives what they came with.
func TestTargetsAreCopies(t *testing.T) {
	t.Parallel()
	h := open(t, build{})
	got, scribble := h.askAndScribble(page())
	scribble()
	target := h.World().State.Target(webTarget("agents").String())
	if target == nil || target.Route != "agents/route" || strings.Contains(target.Gateway.Key.Name, "~") {
		t.Errorf("target %+v", target)
	}
	if held := h.hold(got).Subject.(*Held); held.hop.Target != target {
		t.Error("the target is looked up twice")
	}
	if got := h.ask(page()); !got.allowed() {
		t.Errorf("code %q", got.code())
	}
}

// TestAWorkIsNotAnothersWhileItIsUsed: a hop that ends before its answer is
// written must not take the answer with it.
func TestAWorkIsNotAnothersWhileItIsUsed(t *testing.T) {
	t.Parallel()
	h := open(t, build{})
	q := &question{}
	if err := h.codec.Unmarshal(mem.BufferSlice{mem.SliceBuffer(page().bytes(t))}, q); err != nil {
		t.Fatal(err)
	}
	w := h.works.Get().(*work)
	w.question = q
	w.users.Add(1)
	h.answer(context.Background(), w)
	// The sweep of a register can come before Check has encoded the answer.
	h.register.Logged(w.id, leash.Logged{})
	if h.register.Len() != 0 {
		t.Fatal("the hop has not ended")
	}
	if w.question != q || h.budget.Used() == 0 || !bytes.Contains(w.answer.Bytes(), []byte(w.id.String())) {
		t.Error("the work is given back while it is used")
	}
	h.drop(w)
	if h.budget.Used() != 0 || w.question != nil {
		t.Error("the work is not given back")
	}
}
