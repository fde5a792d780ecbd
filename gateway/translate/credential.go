package translate

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/graph"
	"github.com/hopgate/hopgate/gateway/source"
)

const defaultCredentialHeader = "authorization"

func translateCredential(r *reader, ref source.Ref) {
	o, ok := r.object(ref)
	v, _ := o.Value.(*v1alpha1.Credential)
	if !ok || v == nil {
		return
	}
	if o.Broken != nil {
		r.brokenCredential(o, v)
		return
	}
	backend := targetOf(o, v)
	feed, err := r.credential(o, v, backend)
	if entry, ok := guarded(feed, err); ok {
		r.run.Put(&r.t.credentials, entry.Key.String(), seal(entry))
	}
	c := conditions{generation: v.Generation}
	c.accepted(err)
	ancestors := gatewaysOf(r.run.Marks(topic{space: bagUses, ref: backend}))
	if len(ancestors) == 0 {
		ancestors = []source.Ref{backend}
	}
	r.status(Status{Ref: ref, Policy: policyStatus(ancestors, c)})
}

// brokenCredential keeps the backend of a Credential that cannot be read
// closed: the agent's own header would go, or none. Where nobody knows which
// one it is for, that is all that it can be for.
func (r *reader) brokenCredential(o source.Object, v *v1alpha1.Credential) {
	target := targetOf(o, v)
	backends, name := []source.Ref{target}, func(source.Ref) string { return o.Ref.Name }
	if target.Kind == "" {
		backends = r.backendsIn(target.Namespace)
		name = func(b source.Ref) string { return strings.Join([]string{o.Ref.Name, b.Kind, b.Namespace, b.Name}, ".") }
	}
	for _, b := range backends {
		entry := feedv1.Credential{
			Key: feedv1.Key{Namespace: o.Ref.Namespace, Name: name(b)}, Backend: backendName(b), Rejected: o.Broken.Reason,
		}
		r.run.Put(&r.t.credentials, entry.Key.String(), seal(entry))
	}
	c := conditions{generation: v.Generation}
	c.accepted(reject(reasonInvalid, "%s: what it is for is closed", o.Broken.Reason))
	about := target
	if target.Kind == "" {
		about = o.Ref
	}
	r.status(Status{Ref: o.Ref, Policy: policyStatus([]source.Ref{about}, c)})
}

// backendsIn are all backends of a namespace; empty: of any.
func (r *reader) backendsIn(namespace string) []source.Ref {
	var out []source.Ref
	for _, kind := range []string{kindXBackend, kindService} {
		for _, o := range r.members(allOf(kind, namespace)) {
			out = append(out, o.Ref)
		}
	}
	return out
}

// hasCredential says whether there is a Credential that is for a backend, or
// may be.
func (r *reader) hasCredential(backend source.Ref) bool {
	for _, target := range []source.Ref{backend, {Namespace: backend.Namespace}, {}} {
		if len(r.members(credentialsOf(target))) > 0 {
			return true
		}
	}
	return false
}

// guarded is what guards are told of a Credential; false: nothing. Of one that
// is not accepted they are told that, since without it the agent's own header
// would go; but not of the later one of two, since that of the other one goes.
func guarded(feed feedv1.Credential, err error) (feedv1.Credential, bool) {
	if err == nil {
		return feed, true
	}
	reason, message := rejected(err)
	return feedv1.Credential{Key: feed.Key, Backend: feed.Backend, Rejected: message}, reason != reasonConflicted
}

// policyStatus is the same conditions for each ancestor.
func policyStatus(ancestors []source.Ref, c conditions) *gatewayv1.PolicyStatus {
	out := &gatewayv1.PolicyStatus{Ancestors: []gatewayv1.PolicyAncestorStatus{}}
	for i, a := range ancestors {
		if i == maxAncestors {
			break
		}
		out.Ancestors = append(out.Ancestors, gatewayv1.PolicyAncestorStatus{
			AncestorRef: parentOf(a), ControllerName: v1alpha1.ControllerName, Conditions: slices.Clone(c.list),
		})
	}
	return out
}

// credential judges a Credential. One that could leak is refused as a whole:
// the backend then gets no secret from us, and no hop.
func (r *reader) credential(o source.Object, v *v1alpha1.Credential, backend source.Ref) (feedv1.Credential, error) {
	feed := feedv1.Credential{Key: keyOf(o.Ref), Backend: backendName(backend), Header: headerOf(v), Prefix: v.Spec.Prefix}
	checks := []func() error{
		func() error { return checkHeader(feed.Header, feed.Prefix) },
		func() error { return r.readSecret(o, v.Spec.Secret, &feed) },
		func() error { return r.target(backend) },
		func() error { return r.claimed(o, feed.Header, backend) },
		func() error { return r.protected(backend) },
		func() error { return r.routesSafe(feed.Header, backend) },
	}
	for _, check := range checks {
		if err := check(); err != nil {
			return feed, err
		}
	}
	return feed, nil
}

// headerOf is the header that a Credential sets, in lower case.
func headerOf(v *v1alpha1.Credential) string {
	return lower(cmp.Or(v.Spec.Header, defaultCredentialHeader))
}

func checkHeader(header, prefix string) error {
	switch {
	case !token(header):
		return reject(reasonInvalid, "spec.header: %s is no name of a header", quote(header))
	case reserved(header):
		return reject(reasonInvalid, "spec.header: %s is not for secrets: it carries identity, frames the message, or steers the gateway", header)
	case told(header):
		return reject(reasonInvalid, "spec.header: %s is not for secrets: it is written to records, or handed on", header)
	case strings.ContainsFunc(prefix, func(c rune) bool { return c < 0x20 || c > 0x7e }) || len(prefix) > 64:
		return reject(reasonInvalid, "spec.prefix: has characters that a header cannot have")
	}
	return nil
}

func (r *reader) readSecret(o source.Object, s v1alpha1.SecretSource, feed *feedv1.Credential) error {
	switch s.Type {
	case v1alpha1.SecretEnvironment:
		if s.Environment == "" || strings.ContainsAny(s.Environment, "=\x00") {
			return reject(reasonInvalid, "spec.secret.environment: is no name of a variable")
		}
		feed.Environment = s.Environment
		return nil
	case v1alpha1.SecretFile:
		path, err := r.path(o, s.File)
		if err != nil {
			return reject(reasonInvalid, "spec.secret.file: %v", err)
		}
		feed.File = path
		return nil
	default:
		return reject(reasonInvalid, "spec.secret.type: %s is not known", quote(string(s.Type)))
	}
}

func (r *reader) target(backend source.Ref) error {
	if backend.Kind != kindXBackend && backend.Kind != kindService {
		return reject(reasonInvalid, "spec.targetRef.kind: %s is not supported, only XBackend and Service", quote(backend.Kind))
	}
	f := factOf[backendFact](r, factBackend, backend)
	switch {
	case f == nil:
		return reject(reasonTargetNotFound, "spec.targetRef: there is no %s", backend)
	case f.Reason != "":
		return reject(reasonTargetNotFound, "spec.targetRef: %s cannot be sent to: %s", backend, f.Message)
	}
	return nil
}

// claimed says whether another Credential has the header of this backend: the
// oldest, then the first by name.
func (r *reader) claimed(o source.Object, header string, backend source.Ref) error {
	for _, other := range r.members(credentialsOf(backend)) {
		v, ok := other.Value.(*v1alpha1.Credential)
		if !ok || other.Ref == o.Ref || headerOf(v) != header {
			continue
		}
		before := other.Value.GetCreationTimestamp().Time.Compare(o.Value.GetCreationTimestamp().Time)
		if cmp.Or(before, other.Ref.Compare(o.Ref)) < 0 {
			return reject(reasonConflicted, "%s sets header %s of %s, and is older or first by name", other.Ref, header, backend)
		}
	}
	return nil
}

// protected refuses to send a secret in cleartext out of this machine or
// cluster.
func (r *reader) protected(backend source.Ref) error {
	if backend.Kind == kindService {
		if e := factOf[exposureFact](r, factExposure, backend); e != nil {
			return reject(reasonUnprotected, "%s has no TLS, and endpoint %s is in public space", backend, e.Public)
		}
		return nil
	}
	f := factOf[backendFact](r, factBackend, backend)
	if f == nil || f.X == nil || f.X.TLS != nil {
		return nil
	}
	uses := gatewaysOf(r.run.Marks(topic{space: bagUses, ref: backend}))
	if len(uses) == 0 {
		return reject(reasonUnprotected, "%s has no TLS", backend)
	}
	for _, gateway := range uses {
		if g := factOf[gatewayFact](r, factGateway, gateway); g == nil || !onLoopback(r.egressOf(g.Config).backend(backend, f.X)) {
			return reject(reasonUnprotected, "%s has no TLS, and on %s it is no host of egress.hosts with loopback addresses only", backend, gateway)
		}
	}
	return nil
}

func onLoopback(b *graph.Backend) bool {
	if b.Kind != graph.BackendAddresses || len(b.Addresses) == 0 {
		return false
	}
	for _, a := range b.Addresses {
		if !a.Addr().IsLoopback() {
			return false
		}
	}
	return true
}

// routesSafe refuses a secret where a route could send it elsewhere, or changes
// the header.
func (r *reader) routesSafe(header string, backend source.Ref) error {
	var texts []string
	for _, m := range r.run.Marks(topic{space: bagHazards, ref: backend}) {
		if m.Section == "" || m.Section == header {
			texts = append(texts, fmt.Sprintf("%s: %s", m.Ref, m.Text))
		}
	}
	if len(texts) == 0 {
		return nil
	}
	return reject(reasonUnsafeRoute, "%s", strings.Join(texts[:min(len(texts), 3)], "; "))
}
