package guard

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/hopgate/hopgate/authz/check"
	"github.com/hopgate/hopgate/authz/leash"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
)

const (
	// keyPoll is how soon a key that was withdrawn ends what it had signed.
	keyPoll = time.Second
)

// end ends each of these hops for which judge has a code, and says how many. It
// does not wait for anybody to hear of it. What is inside a tunnel is condemned
// before the tunnel is cut, and told after it: it ends with it, and is not to be
// taken for one whose client has left.
func (g *Guard) end(hops []*leash.Hop, judge func(*leash.Hop) (code string)) int {
	var p pace
	type inner struct {
		hop  *leash.Hop
		tell func()
	}
	var inside []inner
	for _, h := range hops {
		if h.Parent != (leash.ID{}) {
			inside = append(inside, inner{h, g.condemn(h, judge)})
		}
	}
	for _, h := range hops {
		if h.Parent == (leash.ID{}) {
			p.end(h, g.condemn(h, judge))
		}
	}
	for _, i := range inside {
		p.end(i.hop, i.tell)
	}
	return p.told
}

// condemn gives what ends a hop; nil: judge has no code for it, or it is over.
func (g *Guard) condemn(h *leash.Hop, judge func(*leash.Hop) (code string)) (tell func()) {
	code := judge(h)
	if code == "" {
		return nil
	}
	return g.register.Condemn(h.ID, check.CutOf(code))
}

// redecide decides live hops again that a change of the feed concerns, or the
// withdrawal of a key. One goroutine does it, one hop after another, so that
// new decisions find a processor.
func (g *Guard) redecide(ctx context.Context) {
	t := time.NewTicker(keyPoll)
	defer t.Stop()
	seen := g.tokens.Generations()
	for {
		c := newChange()
		select {
		case <-ctx.Done():
			return
		case <-g.changed:
			c = g.takeChange()
		case <-t.C:
			now := g.tokens.Generations()
			c.domains = withdrawn(seen, now)
			seen = now
		}
		if n := g.follow(c); n > 0 {
			g.cfg.Log.Info("streams ended by a later decision", "number", n)
		}
	}
}

// withdrawn are the trust domains whose number is not what it was.
func withdrawn(was, is map[feedv1.Key]uint64) map[feedv1.Key]bool {
	out := map[feedv1.Key]bool{}
	for k := range keysOf(was, is) {
		before, known := was[k]
		if now, there := is[k]; now != before || known != there {
			out[k] = true
		}
	}
	return out
}

// follow ends what does not pass any more by a change, and says how many.
func (g *Guard) follow(c *change) int {
	if c.all {
		return g.end(g.register.Hops(), g.check.Redecide)
	}
	n := 0
	if len(c.cutOff) > 0 {
		n += g.end(g.register.HopsOf(slices.Collect(maps.Keys(c.cutOff))...), g.check.Contained)
	}
	if c.byDomain() && len(c.domains) == 0 {
		return n
	}
	return n + g.end(g.concerned(c), g.check.Redecide)
}

// concerned are the live hops that could be decided otherwise for c.
func (g *Guard) concerned(c *change) []*leash.Hop {
	var hops []*leash.Hop
	if c.byDomain() {
		var keys []leash.Key
		for d := range c.domains {
			keys = append(keys, check.DomainKey(d))
		}
		hops = g.register.HopsOf(keys...)
	} else {
		hops = g.register.Hops()
	}
	return slices.DeleteFunc(hops, func(h *leash.Hop) bool { return !c.concerns(h) })
}

// feedChanged has live hops decided again, soon, that c concerns; mu is held.
func (g *Guard) feedChanged(c *change) {
	if g.pending == nil {
		g.pending = newChange()
	}
	g.pending.add(c)
	select {
	case g.changed <- struct{}{}:
	default: // it is going to be taken
	}
}

// takeChange is all that changed since the last one.
func (g *Guard) takeChange() *change {
	g.mu.Lock()
	defer g.mu.Unlock()
	c := g.pending
	g.pending = nil
	if c == nil {
		return newChange()
	}
	return c
}
