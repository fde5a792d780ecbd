package resolve

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/hopgate/hopgate/authz/surface/egress"
)

// Lookuper finds the addresses of names.
type Lookuper interface {
	Lookup(ctx context.Context, name string) (Answer, error)
}

// Zone is the names that one Resolver answers at a Server: those that were
// approved by who asks it. A guard has one for each set of egress settings.
type Zone struct {
	asks   Lookuper
	server *Server
	kept   atomic.Pointer[map[string]struct{}]
	closed atomic.Bool
}

// Approve lets Envoy ask for name until then. name is canonical: the Host of a
// Destination. An approval is not cut short by a later one. When two Zones
// approve one name, the later one answers it.
func (z *Zone) Approve(name string, until time.Time) {
	if !z.closed.Load() {
		z.server.approved.add(name, z, until)
	}
}

// Keep lets Envoy ask for these names, and only these, for as long as the Zone
// is there, besides those approved: the host names of backends.
func (z *Zone) Keep(names []string) {
	kept := make(map[string]struct{}, len(names))
	for _, n := range names {
		if name, err := egress.ParseName(n); err == nil {
			kept[name] = struct{}{}
		}
	}
	z.kept.Store(&kept)
}

// Close ends all of the Zone's approvals.
func (z *Zone) Close() {
	z.closed.Store(true)
	z.Keep(nil)
	z.server.forget(z)
}

func (z *Zone) keeps(name string) bool {
	kept := z.kept.Load()
	if kept == nil {
		return false
	}
	_, ok := (*kept)[name]
	return ok
}

// maxApproved bounds the names that are approved at one time; the one that was
// not approved or asked for for the longest time goes first.
const maxApproved = 1 << 16

// approvals are names that may be asked for.
type approvals struct {
	mu    sync.Mutex // guards names
	names *simplelru.LRU[string, approval]
}

type approval struct {
	zone  *Zone
	until time.Time
}

func newApprovals(size int) *approvals {
	names, err := simplelru.NewLRU[string, approval](size, nil)
	if err != nil { // only for a size below 1
		panic("make approvals: " + err.Error())
	}
	return &approvals{names: names}
}

func (a *approvals) add(name string, z *Zone, until time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if old, ok := a.names.Get(name); ok && old.zone == z && !until.After(old.until) {
		return
	}
	a.names.Add(name, approval{z, until})
}

// zone is who answers name at this time; nil: nobody.
func (a *approvals) zone(name string, now time.Time) *Zone {
	a.mu.Lock()
	defer a.mu.Unlock()
	at, ok := a.names.Get(name)
	if !ok {
		return nil
	}
	if at.zone.closed.Load() || !now.Before(at.until) {
		a.names.Remove(name)
		return nil
	}
	return at.zone
}
