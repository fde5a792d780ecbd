package explain

import (
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"strings"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/authz/decide"
	"github.com/hopgate/hopgate/authz/strictjson"
	"github.com/hopgate/hopgate/authz/surface"
	"github.com/hopgate/hopgate/authz/surface/mcp"
	"github.com/hopgate/hopgate/authz/token"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

// Hop is a hop as a person writes it. Everything that is left out is not
// there: no peer, no token, no arguments.
type Hop struct {
	// Gateway is NAMESPACE/NAME; empty: the only one there is.
	Gateway string `json:"gateway,omitempty"`
	// Listener is needed without a route; empty: the Gateway's only one that
	// can be meant.
	Listener string `json:"listener,omitempty"`
	// Route is NAMESPACE/NAME of an HTTPRoute, Rule its rule's name or #N;
	// empty: the first.
	Route string `json:"route,omitempty"`
	Rule  string `json:"rule,omitempty"`
	// Peer is the SPIFFE ID of the connection.
	Peer  string `json:"peer,omitempty"`
	Token *Token `json:"token,omitempty"`
	Do    Do     `json:"do"`
}

// Token is what a verified token says.
type Token struct {
	// Domain is the TrustDomain, NAMESPACE/NAME; empty: the listener's first.
	Domain  string         `json:"domain,omitempty"`
	Subject string         `json:"subject,omitempty"`
	Agent   string         `json:"agent,omitempty"`
	Txn     string         `json:"txn,omitempty"`
	Scopes  []string       `json:"scopes,omitempty"`
	Context map[string]any `json:"context,omitempty"`
}

// Do is what the hop does.
type Do struct {
	// Surface is Tools, Models, HTTP or Hosts; empty: the route's.
	Surface string `json:"surface,omitempty"`
	// Method is the JSON-RPC method, the operation or the HTTP method; empty:
	// tools/call, chat, GET, CONNECT.
	Method string `json:"method,omitempty"`
	// Name is the tool or the model.
	Name string          `json:"name,omitempty"`
	Args json.RawMessage `json:"args,omitempty"`
	Host string          `json:"host,omitempty"`
	Port uint16          `json:"port,omitempty"`
	Path string          `json:"path,omitempty"`
	// OutputTokens and RequestBytes are what limits look at.
	OutputTokens int64 `json:"outputTokens,omitempty"`
	RequestBytes int64 `json:"requestBytes,omitempty"`
}

// ReadHop reads a hop from YAML. A field that is not known is an error.
func ReadHop(text []byte) (*Hop, error) {
	var h Hop
	if err := yaml.UnmarshalStrict(text, &h); err != nil {
		return nil, fmt.Errorf("read hop: %w", err)
	}
	return &h, nil
}

// FromRecord is the hop of a decision that was recorded: what rules read of it
// is in the record, and nothing else was needed.
func FromRecord(r *audit.Record) (*Hop, error) {
	if r.Kind != audit.KindBegin && r.Kind != audit.KindDeny {
		return nil, fmt.Errorf("read record: a line of kind %s is no decision", r.Kind)
	}
	h := &Hop{
		Gateway: r.Gateway, Listener: r.Listener, Route: r.Route, Rule: r.RouteRule, Peer: r.Peer,
		Do: Do{Surface: r.Surface, Method: r.Method, Name: r.Name, Host: r.Host, Port: r.Port, Path: r.Path},
	}
	if r.Domain != "" {
		h.Token = &Token{Domain: r.Domain, Subject: r.Subject, Agent: r.Agent, Txn: r.Txn}
	}
	return h, h.seen(r.Seen)
}

// seen puts the values that rules read where they were read from.
func (h *Hop) seen(fields []audit.Field) error {
	args := map[string]json.RawMessage{}
	context := map[string]json.RawMessage{}
	for _, f := range fields {
		switch {
		case f.Value == nil:
		case strings.HasPrefix(f.Name, "args."):
			args[strings.TrimPrefix(f.Name, "args.")] = f.Value
		case strings.HasPrefix(f.Name, "tctx."):
			context[strings.TrimPrefix(f.Name, "tctx.")] = f.Value
		case f.Name == "scopes" && h.Token != nil:
			if err := json.Unmarshal(f.Value, &h.Token.Scopes); err != nil {
				return fmt.Errorf("read scopes of the record: %w", err)
			}
		}
	}
	if len(args) > 0 {
		h.Do.Args = object(args)
	}
	if len(context) > 0 && h.Token != nil {
		return json.Unmarshal(object(context), &h.Token.Context)
	}
	return nil
}

func object(m map[string]json.RawMessage) json.RawMessage {
	b, err := json.Marshal(m)
	if err != nil {
		return nil // values of a record are JSON
	}
	return b
}

// ErrUnknown means that a hop names what the configuration does not have.
var ErrUnknown = errors.New("the configuration does not have it")

// Config is what hops are explained against.
type Config struct {
	State *decide.State
	// Gateways are those of the feed.
	Gateways []feedv1.Gateway
	// Targets are all rules of all routes.
	Targets []wire.Target
	Now     time.Time
}

// Resolve makes a hop of what a person wrote.
func (c *Config) Resolve(h *Hop) (*decide.Hop, error) {
	t, err := c.target(h)
	if err != nil {
		return nil, err
	}
	found := c.State.Resolve(t)
	if found == nil || found.Listener == nil {
		return nil, fmt.Errorf("find %s: %w", t.Gateway, ErrUnknown)
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

// target finds the route's rule, or the listener.
func (c *Config) target(h *Hop) (wire.Target, error) {
	if h.Route != "" {
		return c.routeTarget(h)
	}
	g, err := c.gateway(h.Gateway)
	if err != nil {
		return wire.Target{}, err
	}
	for _, l := range g.Listeners {
		proxy := l.Protocol == v1alpha1.ProtocolProxy
		if l.Name == h.Listener || (h.Listener == "" && proxy) {
			t := wire.Target{Entry: wire.EntryProxy, Gateway: g.Key.String(), Listener: l.Name}
			for _, b := range g.Egress.Backends {
				if b.Hostname == h.Do.Host && (b.Port == h.Do.Port || h.Do.Port == 0) && h.Do.Surface == string(b.Surface) {
					t.Surface, t.Provider, t.Backends = string(b.Surface), b.Provider, []string{b.Ref}
				}
			}
			return t, nil
		}
	}
	return wire.Target{}, fmt.Errorf("find listener %q of %s (has %s): %w", h.Listener, g.Key, listenerNames(g), ErrUnknown)
}

func listenerNames(g *feedv1.Gateway) string {
	var names []string
	for _, l := range g.Listeners {
		names = append(names, l.Name)
	}
	return strings.Join(names, ", ")
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
	sort.Strings(rules)
	if len(rules) > 0 {
		return wire.Target{}, fmt.Errorf("find rule %q of route %s (has %s): %w", h.Rule, h.Route, strings.Join(rules, ", "), ErrUnknown)
	}
	return wire.Target{}, fmt.Errorf("find route %s: %w", h.Route, ErrUnknown)
}

func (t *Token) claims(l *feedv1.Listener, now time.Time) (*token.Claims, error) {
	c := &token.Claims{
		Subject: t.Subject, Agent: t.Agent, Txn: t.Txn, Scopes: t.Scopes, Context: t.Context,
		IssuedAt: now, ExpiresAt: now.Add(time.Hour),
	}
	if t.Agent != "" {
		c.Actors = []string{t.Agent}
	}
	for _, d := range l.TrustDomains {
		if t.Domain == "" || d.String() == t.Domain || d.Name == t.Domain {
			c.Domain = d
			return c, nil
		}
	}
	return nil, fmt.Errorf("find trust domain %q among those that listener %s believes: %w", t.Domain, l.Name, ErrUnknown)
}

// action is what the hop does, with what goes without saying.
func (d *Do) action(t *decide.Target) (surface.Action, error) {
	kind := d.Surface
	if kind == "" {
		kind = t.Surface
	}
	if kind == "" {
		kind = "Hosts"
	}
	a := surface.Action{
		Kind: v1alpha1.SurfaceType(kind), Method: d.Method, Name: d.Name, Host: d.Host, Port: d.Port, Path: d.Path,
		OnRoute: t.Entry == wire.EntryRoute, OutputTokens: d.OutputTokens, RequestBytes: d.RequestBytes,
	}
	defaults, known := map[v1alpha1.SurfaceType]struct {
		method string
		port   uint16
	}{
		v1alpha1.SurfaceTools: {"tools/call", 0}, v1alpha1.SurfaceModels: {"chat", 0},
		v1alpha1.SurfaceHTTP: {"GET", 80}, v1alpha1.SurfaceHosts: {"CONNECT", 443},
	}[a.Kind]
	if !known {
		return a, fmt.Errorf("read hop: surface %q: %w", kind, ErrUnknown)
	}
	if a.Method == "" {
		a.Method = defaults.method
	}
	if a.Port == 0 {
		a.Port = defaults.port
	}
	if a.OnRoute {
		a.Port = t.Listener.Port
	}
	a.Base = a.Kind == v1alpha1.SurfaceTools && mcp.IsBase(a.Method)
	return a, d.arguments(&a)
}

// arguments are read as they would be from a request.
func (d *Do) arguments(a *surface.Action) error {
	if len(d.Args) == 0 {
		return nil
	}
	var doc strictjson.Doc
	if err := doc.Parse(d.Args, strictjson.Limits{}); err != nil {
		return fmt.Errorf("read args: %w", err)
	}
	if doc.Root().Kind() != strictjson.Object {
		return fmt.Errorf("read args: they must be an object")
	}
	a.Args = doc.Root().Clone()
	return nil
}
