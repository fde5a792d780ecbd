package laptop

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hopgate/hopgate/gateway/controller"
	"github.com/hopgate/hopgate/gateway/graph"
	"github.com/hopgate/hopgate/gateway/infra/process"
	"github.com/hopgate/hopgate/gateway/translate"
	"github.com/hopgate/hopgate/xds/desired"
	"github.com/hopgate/hopgate/xds/envoy"
	"github.com/hopgate/hopgate/xds/serve"
)

// envoys joins the controller and the xDS server: graphs go one way, what
// became of them the other.
type envoys struct {
	laptop  *Laptop
	builder *desired.Builder

	mu        sync.Mutex
	listeners map[string]netip.AddrPort // guarded by mu; by name
	waiting   map[string]bool           // guarded by mu; listeners whose port is in use
	ctx       context.Context           // guarded by mu; while running
	wg        sync.WaitGroup
}

func newEnvoys(l *Laptop) *envoys {
	return &envoys{laptop: l, builder: desired.New(l.settings()), waiting: map[string]bool{}}
}

// ApplyGraph has Envoy configured by g.
func (e *envoys) ApplyGraph(g *graph.Graph) error {
	addrs := make(map[string]netip.AddrPort, len(g.Listeners))
	for _, l := range g.Listeners {
		addrs[envoy.ListenerName(l)] = netip.AddrPortFrom(l.Address, l.Port)
	}
	e.mu.Lock()
	e.listeners = addrs
	e.mu.Unlock()
	_, err := e.laptop.xds.Set(e.builder.Resources(g))
	return err
}

// Observe tells the controller what became of owners (serve.Observer).
func (e *envoys) Observe(outs []serve.Outcome) {
	var told []controller.Outcome
	for _, o := range outs {
		if o.Owner == desired.Own() {
			e.own(o)
			continue
		}
		told = append(told, controller.Outcome{Owner: o.Owner, Outcome: outcomeOf(o)})
		e.watchPorts(o)
	}
	e.laptop.controller.Observe(told)
}

// own is a refusal of what no object asked for: a defect of ours, or an Envoy
// that we do not know.
func (e *envoys) own(o serve.Outcome) {
	for _, f := range o.Faults {
		e.laptop.cfg.Log.Error("Envoy refused hopgate's own configuration", "type", f.TypeURL, "name", f.Name, "message", f.Message)
	}
}

func outcomeOf(o serve.Outcome) translate.Outcome {
	switch o.State {
	case serve.StateProgrammed:
		return translate.Outcome{State: translate.OutcomeTaken}
	case serve.StateRejected:
		var words []string
		out := translate.Outcome{State: translate.OutcomeRefused}
		for _, f := range o.Faults {
			words = append(words, f.Message)
			out.Parts = append(out.Parts, translate.RefusedPart{Name: envoy.ListenerOf(f.Name), Message: f.Message})
		}
		out.Message = strings.Join(words, "; ")
		return out
	default:
		return translate.Outcome{}
	}
}

const listenerType = "type.googleapis.com/envoy.config.listener.v3.Listener"

// portPoll is how often a port that is in use is looked at.
const portPoll = time.Second

// watchPorts offers a listener again once its port is free, where the refusal
// was not the listener's fault.
func (e *envoys) watchPorts(o serve.Outcome) {
	for _, f := range o.Faults {
		if f.TypeURL == listenerType && !f.Kept {
			e.watchPort(f.Name, strings.Contains(f.Message, inUse))
		}
	}
}

// inUse is how Envoy says that it could not bind.
const inUse = "Address already in use"

// watchPort waits for a port that is in use, or was a moment ago: it may be a
// listener of ours that had it and is gone by now.
func (e *envoys) watchPort(name string, taken bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	a, ok := e.listeners[name]
	if !ok || e.waiting[name] || e.ctx == nil || (!taken && process.PortFree(a)) {
		return
	}
	e.waiting[name] = true
	e.laptop.cfg.Log.Warn("a port is in use; its listener waits for it", "listener", name, "address", a.String())
	ctx := e.ctx
	e.wg.Go(func() { e.retry(ctx, name, a) })
}

func (e *envoys) retry(ctx context.Context, name string, a netip.AddrPort) {
	free := process.WaitPortFree(ctx, a, portPoll)
	e.mu.Lock()
	delete(e.waiting, name)
	e.mu.Unlock()
	if !free {
		return
	}
	// A listener that is gone by now has nothing to offer.
	if err := e.laptop.xds.Retry(listenerType, name); err == nil {
		e.laptop.cfg.Log.Info("the port is free", "listener", name, "address", a.String())
	}
}

// Addresses are where agents come in now, sorted: those of listeners that
// Envoy has as they are wanted.
func (l *Laptop) Addresses() []netip.AddrPort {
	snap := l.xds.Snapshot()
	has := map[string]bool{}
	for _, s := range snap.Streams {
		for _, t := range s.Types {
			if t.TypeURL != listenerType {
				continue
			}
			for _, h := range t.Held {
				has[h.Name] = true
			}
		}
	}
	for _, p := range snap.Parked {
		if p.Resource.TypeURL == listenerType {
			delete(has, p.Resource.Name)
		}
	}
	return l.envoys.addresses(has)
}

// Waiting are addresses whose port is in use by something else, sorted; their
// listeners come when it is free.
func (l *Laptop) Waiting() []netip.AddrPort {
	wait := map[string]bool{}
	for _, p := range l.xds.Snapshot().Parked {
		if p.Resource.TypeURL == listenerType && strings.Contains(p.Message, inUse) {
			wait[p.Resource.Name] = true
		}
	}
	return l.envoys.addresses(wait)
}

// addresses are those of the listeners with these names.
func (e *envoys) addresses(names map[string]bool) []netip.AddrPort {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []netip.AddrPort
	for name, a := range e.listeners {
		if names[name] {
			out = append(out, a)
		}
	}
	slices.SortFunc(out, netip.AddrPort.Compare)
	return out
}

func (e *envoys) begin(ctx context.Context) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ctx = ctx
}
