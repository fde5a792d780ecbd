package check

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hopgate/hopgate/authz/decide"
	"github.com/hopgate/hopgate/authz/leash"
	"github.com/hopgate/hopgate/authz/surface/egress"
	"github.com/hopgate/hopgate/authz/surface/registry"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

const (
	// ledFor is how long who was redirected may go there.
	ledFor = time.Minute
	// maxLed bounds how many may, and maxLedEach to how many places of one host
	// one of them: nobody is to take the room of all.
	maxLed     = 4096
	maxLedEach = 512
	// maxLocation is the longest place that somebody is led to.
	maxLocation = 8 << 10
)

// redirects are the places that files of registries were said to be at, each
// open to the one who asked, for what was asked for, and for a short time.
type redirects struct {
	n  atomic.Int64 // how many there are
	mu sync.Mutex
	// by are those of one principal at one host; guarded by mu.
	by map[led][]redirect
}

// led is who was led to which host.
type led struct {
	who  principal
	dest egress.Destination
}

// redirect is one place, and the hop whose answer led there.
type redirect struct {
	// target is the path with its query, as spelling has them.
	target string
	tls    bool
	until  time.Time
	hop    leash.ID
	cause  *decide.Hop
}

// lead opens a place: again, if it is open; of too many the oldest goes.
func (r *redirects) lead(to led, x redirect, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.by == nil {
		r.by = map[led][]redirect{}
	}
	if r.n.Load() >= maxLed {
		r.forget(now)
	}
	list := r.by[to]
	before := len(list)
	list = slices.DeleteFunc(list, func(o redirect) bool { return o.target == x.target && o.tls == x.tls || !now.Before(o.until) })
	if len(list) >= maxLedEach {
		list = slices.Delete(list, 0, 1)
	}
	if int(r.n.Load())-before+len(list) < maxLed {
		list = append(list, x)
	}
	r.n.Add(int64(len(list) - before))
	if r.by[to] = list; len(list) == 0 {
		delete(r.by, to)
	}
}

// forget drops what is over; mu is held.
func (r *redirects) forget(now time.Time) {
	n := int64(0)
	for k, list := range r.by {
		var left []redirect
		for _, x := range list {
			if now.Before(x.until) {
				left = append(left, x)
			}
		}
		if n += int64(len(left)); len(left) == 0 {
			delete(r.by, k)
			continue
		}
		r.by[k] = left
	}
	r.n.Store(n)
}

// find is how somebody was led to a place; the zero one: nobody was.
func (r *redirects) find(to led, now time.Time, is func(*redirect) bool) redirect {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.by[to]
	for i := range list {
		if now.Before(list[i].until) && is(&list[i]) {
			return list[i]
		}
	}
	return redirect{}
}

// ledTo is how the caller of w was led to where w goes; the zero one: they were
// not. To a tunnel leads any place of its host that TLS is spoken to.
func (s *Service) ledTo(w *work) redirect {
	a := &w.hop.Action
	if s.redirects.n.Load() == 0 || w.hop.Claims == nil || w.hop.Target.Entry == wire.EntryRoute {
		return redirect{}
	}
	to := led{principalOf(w.hop.Claims, w.hop.Peer), w.dest}
	switch {
	case a.Kind == v1alpha1.SurfaceHosts:
		return s.redirects.find(to, w.now, func(x *redirect) bool { return x.tls })
	case a.Kind != v1alpha1.SurfaceHTTP || a.Override != "" || a.Upgrade || w.hasBody():
		return redirect{}
	case a.Method != http.MethodGet && a.Method != http.MethodHead:
		return redirect{}
	}
	target := spelling(cutQuery(w.req.Path))
	return s.redirects.find(to, w.now, func(x *redirect) bool { return x.tls == a.Inspected && x.target == target })
}

// leads has the answer to a hop heard, if it may lead elsewhere.
func (s *Service) leads(h *Held) func(*leash.Answer) {
	a := &h.hop.Action
	if a.Kind != v1alpha1.SurfacePackages || a.Method != registry.Artifact || h.hop.Claims == nil || h.hop.Target.Entry == wire.EntryRoute {
		return nil
	}
	return func(x *leash.Answer) { s.redirected(h, x) }
}

// redirected opens what the answer to a hop leads to.
func (s *Service) redirected(h *Held, x *leash.Answer) {
	switch x.Status {
	case "301", "302", "303", "307", "308":
	default:
		return
	}
	dest, r, ok := location(x.Location)
	if !ok {
		return
	}
	h.mu.Lock()
	who := principalOf(h.hop.Claims, h.hop.Peer)
	r.hop, r.cause = h.entry.ID, &decide.Hop{Target: h.hop.Target, Action: h.hop.Action}
	h.mu.Unlock()
	now := s.cfg.Now()
	r.until = now.Add(ledFor)
	s.redirects.lead(led{who, dest}, r, now)
}

// location reads where an answer leads to: an absolute URL, which can be read
// in one way. One that is relative stays with the registry.
func location(text string) (egress.Destination, redirect, bool) {
	if text == "" || len(text) > maxLocation {
		return egress.Destination{}, redirect{}, false
	}
	u, err := url.Parse(text)
	if err != nil || u.User != nil || u.Opaque != "" || u.Scheme != "http" && u.Scheme != "https" {
		return egress.Destination{}, redirect{}, false
	}
	var port uint16 = httpPort
	if u.Scheme == "https" {
		port = httpsPort
	}
	dest, err := egress.ParseAuthority(u.Host, port)
	if err != nil {
		return egress.Destination{}, redirect{}, false
	}
	at := u.EscapedPath()
	if at == "" {
		at = "/"
	}
	if _, err := egress.CanonicalPath(at + "?" + u.RawQuery); err != nil {
		return egress.Destination{}, redirect{}, false
	}
	dest.Host = strings.Clone(dest.Host)
	return dest, redirect{target: spelling(at, u.RawQuery), tls: u.Scheme == "https"}, true
}
