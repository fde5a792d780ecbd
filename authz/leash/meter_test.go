package leash

import (
	"testing"
	"testing/synctest"

	procfilterv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	procv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/authz/audit"
)

// purse has room for so many bytes.
type purse struct {
	left   int
	saw    []uint64
	unkept bool // nothing can be kept
}

func (p *purse) Take(n int) bool {
	if n > p.left || p.unkept {
		return false
	}
	p.left -= n
	return true
}

func (p *purse) Unkept() bool { return p.unkept }

func (p *purse) Saw(total uint64) { p.saw = append(p.saw, total) }

// metering is what Envoy says first on a meter.
func metering(hop string) *procv3.ProcessingRequest {
	m := opening(hop)
	m.ProtocolConfig.RequestBodyMode = procfilterv3.ProcessingMode_FULL_DUPLEX_STREAMED
	return m
}

func upload(text string, end bool) *procv3.ProcessingRequest {
	return &procv3.ProcessingRequest{Request: &procv3.ProcessingRequest_RequestBody{RequestBody: &procv3.HttpBody{Body: []byte(text), EndOfStream: end}}}
}

// counted enters a hop that is counted.
func (r *rig) counted(t *testing.T, n int, u Uploads) *Hop {
	t.Helper()
	h := &Hop{ID: idOf(n), Held: true, Uploads: u}
	if err := r.Enter(h); err != nil {
		t.Fatal(err)
	}
	return h
}

// TestMeterCountsBeforeItPasses: pieces go on as they are while there is room;
// the one that there is none for does not, nor does what comes behind it, and
// the hop is cut by its leash.
func TestMeterCountsBeforeItPasses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		p := &purse{left: 10}
		hop := r.counted(t, 1, p)
		held := r.hold(t, verdict(""), opening(hop.ID.String()))
		held.want(t, "go on")
		m := r.hold(t, verdict(""), metering(hop.ID.String()))
		m.want(t, "go on")
		m.says <- upload("12345", false)
		m.says <- upload("", false)
		m.says <- upload("123456", false)
		m.says <- upload("1", true)
		m.want(t, "go on", `up "12345" false`, `up "" false`)
		held.want(t, "go on", "403 hop_limit budget_exhausted content-type=text/plain")
		closeAll(t, m, held)
		r.Logged(hop.ID, Logged{Details: "hop_limit"})
		r.wantEnds(t, audit.EndLimit)
	})
}

// TestMeterThatCannotCount: a hop is not said to be out of room where nobody can
// write down what it uses.
func TestMeterThatCannotCount(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		hop := r.counted(t, 1, &purse{left: 10, unkept: true})
		held := r.hold(t, verdict(""), opening(hop.ID.String()))
		held.want(t, "go on")
		m := r.hold(t, verdict(""), metering(hop.ID.String()))
		m.want(t, "go on")
		m.says <- upload("12345", false)
		held.want(t, "go on", "403 hop_refused internal content-type=text/plain")
		m.want(t, "go on")
		closeAll(t, m, held)
		r.Logged(hop.ID, Logged{Details: "hop_refused"})
		r.wantEnds(t, audit.EndRefused)
	})
}

// closeAll has Envoy close side streams, in this order.
func closeAll(t *testing.T, all ...*hold) {
	t.Helper()
	for _, h := range all {
		if err := h.close(); err != nil {
			t.Error(err)
		}
	}
}

// TestMeterPassesToTheEnd: a body and its trailers.
func TestMeterPassesToTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		p := &purse{left: 10}
		hop := r.counted(t, 1, p)
		held := r.hold(t, verdict(""), opening(hop.ID.String()))
		held.want(t, "go on")
		m := r.hold(t, verdict(""), metering(hop.ID.String()))
		m.want(t, "go on")
		m.says <- upload("12345", false)
		m.says <- &procv3.ProcessingRequest{Request: &procv3.ProcessingRequest_RequestTrailers{RequestTrailers: &procv3.HttpTrailers{}}}
		m.want(t, "go on", `up "12345" false`, "request's trailers")
		r.Saw(hop.ID, 5, 0)
		if diff := cmp.Diff([]uint64{5}, p.saw); diff != "" {
			t.Errorf("what Envoy counted differs (-want +got):\n%s", diff)
		}
		closeAll(t, m, held)
		r.Logged(hop.ID, Logged{Details: "via_upstream"})
		r.wantEnds(t, audit.EndDone)
	})
}

// TestMeterThatIsNotOurs: it is of a hop that lives, and that is counted.
func TestMeterThatIsNotOurs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		pending := r.counted(t, 1, &purse{})
		free := r.enter(t, 2, 0)
		held := r.hold(t, verdict(""), opening(free.ID.String()))
		held.want(t, "go on")
		for _, id := range []ID{pending.ID, free.ID, idOf(9)} {
			m := r.hold(t, verdict(""), metering(id.String()))
			m.want(t, "404 hop_refused hop_unknown content-type=text/plain")
			if err := m.close(); err != nil {
				t.Error(err)
			}
		}
		if err := held.close(); err != nil {
			t.Error(err)
		}
		r.Logged(pending.ID, Logged{ClientLeft: true})
		r.Logged(free.ID, Logged{ClientLeft: true})
		r.wantEnds(t, audit.EndClientLeft, audit.EndClientLeft)
	})
}
