package check

import (
	"context"
	"errors"
	"net/netip"
	"strconv"
	"time"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/authz/denial"
	"github.com/hopgate/hopgate/authz/release"
	"github.com/hopgate/hopgate/authz/surface"
	"github.com/hopgate/hopgate/authz/surface/egress"
	"github.com/hopgate/hopgate/authz/surface/registry"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

// Releases says when what registries have was published.
type Releases interface {
	// Published is when that was. The error is release.ErrUnknown where the
	// registry does not say. It waits for a bounded time; nothing of the
	// question is kept.
	Published(ctx context.Context, q *release.Question) (time.Time, error)
}

// packages is a request to a package registry. What is not only read there is
// closed, whatever rules say.
func (w *work) packages() bool {
	t := w.hop.Target
	w.hop.Action.Kind = v1alpha1.SurfacePackages
	switch {
	case w.upgrades():
		return w.unreadable(surface.Refuse(surface.ReasonUpgrade))
	case w.hop.Action.Override != "":
		return w.unreadable(surface.Refuse(surface.ReasonHTTPMethod))
	}
	root, ok := w.world.State.Root(t.Backends)
	if !ok {
		return w.deny(denial.NotReady)
	}
	target := registry.OneSpelling(t.Provider, w.req.Path)
	path, err := egress.CanonicalPath(target)
	if err != nil {
		return w.refuse(err)
	}
	_, query := cutQuery(target)
	in := registry.Input{Protocol: t.Provider, Method: w.req.Method, Path: path, Query: query, Root: root, Body: w.hasBody()}
	r, err := registry.Read(in)
	if err != nil {
		return w.unreadable(err)
	}
	inspected := w.hop.Action.Inspected
	w.take(r.Action(in))
	w.hop.Action.Inspected, w.hop.Action.RequestBytes = inspected, w.length()
	if !registry.Open(r.Operation) {
		w.reason = r.Operation
		return w.deny(denial.RegistryClosed)
	}
	return true
}

// hasBody reports whether there is a body, as far as that is known: outside of
// tunnels Envoy waits for its first byte. A length that cannot be read is one.
func (w *work) hasBody() bool {
	announced := w.req.Header(HeaderContentLength).Count > 0 && w.length() != 0
	return len(w.req.Body) > 0 || announced || w.req.Header(HeaderTransferEncoding).Count > 0
}

// surfaceInside is the target of a hop inside a tunnel whose destination is
// read as what it is there too.
func (w *World) surfaceInside(t wire.Target, d egress.Destination) wire.Target {
	plan := w.Egress[t.Gateway].Plan
	if plan == nil {
		return t
	}
	b := plan.At(d)
	// TLS that the destination is to be spoken to by does not go by plain HTTP.
	if b == nil || !b.Inspectable || b.Rejected != "" || b.TLS && t.Entry != wire.EntryInspected {
		return t
	}
	t.Surface, t.Provider, t.Backends = string(b.Surface), b.Provider, []string{b.Ref}
	return t
}

// recordPackage adds what is known of a package besides its name, so that the
// hop can be decided again.
func (w *work) recordPackage(r *audit.Record) {
	p := &w.hop.Action.Package
	if p.Aged {
		r.Seen = append(r.Seen, audit.Field{Name: audit.FieldReleaseAge, Value: strconv.AppendQuote(nil, p.Age.Truncate(time.Second).String())})
	}
	if p.Pinned {
		r.Seen = append(r.Seen, audit.Field{Name: audit.FieldPinned, Value: []byte("true")})
	}
}

// aged decides again, now that somebody has looked how old a release is.
func (s *Service) aged(ctx context.Context, w *work) bool {
	index := w.world.State.Index(w.hop.Target.Backends)
	if s.cfg.Releases == nil || index == nil {
		return w.deny(denial.ReleaseAgeUnknown)
	}
	q, ok := s.question(w, index)
	if !ok {
		return w.deny(denial.CredentialMissing)
	}
	at, err := s.cfg.Releases.Published(ctx, q)
	switch {
	case errors.Is(err, release.ErrUnknown):
		w.reason = "not_said"
		return w.deny(denial.ReleaseAgeUnknown)
	case err != nil:
		s.cfg.Log.Warn("when a release was published is not known", "registry", index.Ref, "error", err)
		return w.deny(denial.ReleaseSource)
	}
	p := &w.hop.Action.Package
	p.Aged, p.Age = true, max(0, w.now.Sub(at))
	w.verdict.Decide(&w.hop, w.now, nil)
	return true
}

// question is what is asked of an index; false: its credential is not to be
// had.
func (s *Service) question(w *work, index *feedv1.Registry) (*release.Question, bool) {
	a, t := &w.hop.Action, w.hop.Target
	q := &release.Question{
		Gateway: t.Target.Gateway, Index: index, Name: a.Name, Version: a.Package.Version, File: a.Package.File, Path: a.Path,
		Exit: w.world.Egress[t.Target.Gateway],
	}
	if t.Entry != wire.EntryRoute {
		q.Host, q.Port = w.dest.Host, w.dest.Port
	}
	asked := w.world.State.Resolve(wire.Target{Entry: t.Entry, Gateway: t.Target.Gateway, Backends: []string{index.Ref}})
	if asked == nil {
		return nil, false
	}
	for _, c := range asked.Credentials {
		secret, ok := s.cfg.Secrets.Get(c)
		if !ok || c.Rejected != "" {
			return nil, false
		}
		q.Headers = append(q.Headers, [2]string{c.Header, secret.Reveal()})
	}
	return q, true
}

var errClosed = errors.New("nothing reaches it")

// Addresses are where a host and port are dialled that the guard itself asks:
// judged as for anybody else.
func (e Egress) Addresses(ctx context.Context, host string, port uint16) ([]netip.Addr, error) {
	d, err := egress.ParseAuthority(host, port)
	if err != nil {
		return nil, err
	}
	if e.Plan == nil || e.Names == nil {
		return nil, errClosed
	}
	way, err := e.Plan.Route(d)
	switch {
	case err != nil:
		return nil, err
	case way.Closed():
		return nil, errClosed
	case !way.NeedsResolution():
		return way.Addrs, nil
	}
	found, err := e.Names.Lookup(ctx, d.Host)
	if err != nil {
		return nil, err
	}
	if way, err = e.Plan.Settle(d, way, found.Addrs); err != nil {
		return nil, err
	}
	return way.Addrs, nil
}
