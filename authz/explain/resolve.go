package explain

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/hopgate/hopgate/authz/decide"
	"github.com/hopgate/hopgate/authz/strictjson"
	"github.com/hopgate/hopgate/authz/surface"
	"github.com/hopgate/hopgate/authz/surface/egress"
	"github.com/hopgate/hopgate/authz/surface/mcp"
	"github.com/hopgate/hopgate/authz/token"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

// ErrUnknown means that a hop names what the configuration does not have.
var ErrUnknown = errors.New("the configuration does not have it")

// Config is what hops are explained against.
type Config struct {
	State *decide.State
	// Gateways are those of the feed.
	Gateways []feedv1.Gateway
	// Targets are all rules of all routes.
	Targets []wire.Target
	// Policies are those of the feed.
	Policies []feedv1.Policy
	Now      time.Time
}

// Resolve makes a hop of what a person wrote.
func (c *Config) Resolve(h *Hop) (*decide.Hop, error) {
	t, err := c.target(h)
	if err != nil {
		return nil, err
	}
	found := c.State.Resolve(t)
	if found == nil || found.Listener == nil {
		return nil, fmt.Errorf("find listener %q of %s: %w", t.Listener, t.Gateway, ErrUnknown)
	}
	out := &decide.Hop{Target: found, Peer: h.Peer}
	if h.Token != nil {
		if out.Claims, err = h.Token.claims(found.Listener, c.Now); err != nil {
			return nil, err
		}
	}
	out.Action, err = h.Do.action(found)
	return out, err
}

// target finds the route's rule, or the proxy.
func (c *Config) target(h *Hop) (wire.Target, error) {
	if h.Route != "" {
		return c.routeTarget(h)
	}
	g, err := c.gateway(h.Gateway)
	if err != nil {
		return wire.Target{}, err
	}
	l, err := proxyOf(g, h.Listener)
	if err != nil {
		return wire.Target{}, err
	}
	entry, _ := entryOf(l)
	t := wire.Target{Entry: entry, Gateway: g.Key.String(), Listener: l.Name}
	for _, b := range g.Egress.Backends {
		if strings.EqualFold(b.Hostname, h.Do.Host) && (b.Port == h.Do.Port || h.Do.Port == 0) && h.Do.Surface == string(b.Surface) {
			t.Surface, t.Provider, t.Backends = string(b.Surface), b.Provider, []string{b.Ref}
		}
	}
	return t, nil
}

// proxyOf finds a listener that needs no route: by its name, or the only one.
func proxyOf(g *feedv1.Gateway, name string) (*feedv1.Listener, error) {
	var found *feedv1.Listener
	var names []string
	for i := range g.Listeners {
		l := &g.Listeners[i]
		names = append(names, l.Name)
		switch entry, anywhere := entryOf(l); {
		case l.Name == name && !anywhere:
			return nil, fmt.Errorf("find listener %q of %s: it is no proxy: name the route that is meant", name, g.Key)
		case !anywhere || name != "" && l.Name != name, name == "" && entry != wire.EntryProxy:
		case found != nil:
			return nil, fmt.Errorf("find listener of %s: there is more than one proxy: name one of %s", g.Key, strings.Join(names, ", "))
		default:
			found = l
		}
	}
	if found == nil {
		return nil, fmt.Errorf("find listener %q of %s (has %s): %w", name, g.Key, strings.Join(names, ", "), ErrUnknown)
	}
	return found, nil
}

func (c *Config) gateway(name string) (*feedv1.Gateway, error) {
	var names []string
	for i := range c.Gateways {
		if k := c.Gateways[i].Key.String(); k == name || (name == "" && len(c.Gateways) == 1) {
			return &c.Gateways[i], nil
		}
		names = append(names, c.Gateways[i].Key.String())
	}
	return nil, fmt.Errorf("find gateway %q (there is %s): %w", name, strings.Join(names, ", "), ErrUnknown)
}

func (c *Config) routeTarget(h *Hop) (wire.Target, error) {
	var rules []string
	for _, t := range c.Targets {
		if t.Route != h.Route || (h.Gateway != "" && t.Gateway != h.Gateway) || (h.Listener != "" && t.Listener != h.Listener) {
			continue
		}
		if h.Rule == "" || t.Rule == h.Rule {
			return t, nil
		}
		rules = append(rules, t.Rule)
	}
	slices.Sort(rules)
	if len(rules) > 0 {
		return wire.Target{}, fmt.Errorf("find rule %q of route %s (has %s): %w", h.Rule, h.Route, strings.Join(slices.Compact(rules), ", "), ErrUnknown)
	}
	return wire.Target{}, fmt.Errorf("find route %q: %w", h.Route, ErrUnknown)
}

// lifeOfToken is taken where nothing is said of it.
const lifeOfToken = time.Hour

func (t *Token) claims(l *feedv1.Listener, now time.Time) (*token.Claims, error) {
	left := lifeOfToken
	if t.ExpiresIn != nil {
		left = *t.ExpiresIn
	}
	c := &token.Claims{
		Subject: t.Subject, Agent: t.Agent, Txn: t.Txn, Scopes: t.Scopes, IssuedAt: now, ExpiresAt: now.Add(left),
	}
	if t.Agent != "" {
		c.Actors = []string{t.Agent}
	}
	if len(t.Context) > 0 {
		v, err := parse(t.Context)
		if err != nil {
			return nil, fmt.Errorf("read token.context: %w", err)
		}
		c.Context, _ = v.Any().(map[string]any)
	}
	for _, d := range l.TrustDomains {
		if t.Domain == "" || d.String() == t.Domain || d.Name == t.Domain {
			c.Domain = d
			return c, nil
		}
	}
	return nil, fmt.Errorf("find trust domain %q among those that listener %s believes: %w", t.Domain, l.Name, ErrUnknown)
}

// parse reads an object as it would be read from a request.
func parse(o Object) (strictjson.Value, error) {
	var doc strictjson.Doc
	if err := doc.Parse(o, strictjson.Limits{}); err != nil {
		return strictjson.Value{}, err
	}
	if doc.Root().Kind() != strictjson.Object {
		return strictjson.Value{}, errors.New("it must be an object")
	}
	return doc.Root().Clone(), nil
}

// usual is what goes without saying of a surface.
type usual struct {
	method string
	port   uint16
}

func usualOf(kind v1alpha1.SurfaceType) (usual, bool) {
	switch kind {
	case v1alpha1.SurfaceTools:
		return usual{"tools/call", 443}, true
	case v1alpha1.SurfaceModels:
		return usual{"chat", 443}, true
	case v1alpha1.SurfaceHTTP:
		return usual{"GET", 80}, true
	case v1alpha1.SurfaceHosts:
		return usual{"CONNECT", 443}, true
	case v1alpha1.SurfacePackages:
		return usual{"artifact", 443}, true
	default:
		return usual{}, false
	}
}

// action is what the hop does, with what goes without saying, and in the form
// in which rules compare it.
func (d *Do) action(t *decide.Target) (surface.Action, error) {
	kind := v1alpha1.SurfaceType(cmp.Or(d.Surface, t.Surface, "Hosts"))
	u, known := usualOf(kind)
	if !known {
		return surface.Action{}, fmt.Errorf("read do.surface: %q: %w", kind, ErrUnknown)
	}
	if d.Inspected && kind == v1alpha1.SurfaceHTTP {
		u.port = 443
	}
	if t.Listener != nil && t.Listener.CapturedPort != 0 {
		u.port = t.Listener.CapturedPort
	}
	a := surface.Action{
		Inspected: d.Inspected && (kind == v1alpha1.SurfaceHTTP || kind == v1alpha1.SurfacePackages),
		Package:   d.pack(kind),
		Kind:      kind, Method: cmp.Or(d.Method, u.method), Name: d.Name, Path: d.Path,
		OnRoute: t.Entry == wire.EntryRoute, OutputTokens: d.OutputTokens, RequestBytes: d.RequestBytes,
	}
	a.Base = kind == v1alpha1.SurfaceTools && mcp.IsBase(a.Method)
	if kind == v1alpha1.SurfaceHosts {
		a.RequestBytes = -1 // nobody counts what a tunnel will carry
	}
	if err := d.destination(&a, t, u.port); err != nil {
		return a, err
	}
	if kind == v1alpha1.SurfaceHTTP {
		path, err := egress.KeptPath(cmp.Or(d.Path, "/"))
		if err != nil {
			return a, fmt.Errorf("read do.path: %s", wordsOf(err))
		}
		a.Path, a.Override, a.Words = path, d.Override, d.words()
	}
	if len(d.Args) == 0 {
		return a, nil
	}
	var err error
	if a.Args, err = parse(d.Args); err != nil {
		return a, fmt.Errorf("read do.args: %w", err)
	}
	return a, nil
}

// destination reads host and port. Without a route there must be a host.
func (d *Do) destination(a *surface.Action, t *decide.Target, port uint16) error {
	host := d.Host
	switch {
	case host == "" && a.OnRoute:
		a.Port = t.Listener.Port
		return nil
	case host == "":
		return errors.New("read do.host: there is none: on a proxy it says where the hop goes")
	}
	if addr, err := netip.ParseAddr(host); err == nil && addr.Is6() {
		host = "[" + host + "]"
	}
	to, err := egress.ParseAuthority(host, cmp.Or(d.Port, port))
	switch {
	case err != nil:
		return fmt.Errorf("read do.host: %s", wordsOf(err))
	case d.Port != 0 && to.Port != d.Port:
		return fmt.Errorf("read do.host: it names port %d, and do.port %d", to.Port, d.Port)
	}
	a.Host, a.Port = to.Host, to.Port
	if a.OnRoute {
		a.Port = t.Listener.Port
	}
	return nil
}

// wordsOf is a refusal's text for a person.
func wordsOf(err error) string {
	if r, ok := errors.AsType[*egress.Refusal](err); ok {
		return r.Text()
	}
	return err.Error()
}
