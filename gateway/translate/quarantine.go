package translate

import (
	"errors"
	"fmt"

	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/source"
)

// translateQuarantine hands a Quarantine to the guards, at its widest where not
// all of it is understood: without a trust domain that there is it cuts off in
// every one that is believed, and a place that cannot be read is not open.
func translateQuarantine(r *reader, ref source.Ref) {
	o, ok := r.object(ref)
	v, _ := o.Value.(*v1alpha1.Quarantine)
	if !ok || v == nil {
		return
	}
	c := conditions{generation: v.Generation}
	feed, err := quarantine(v)
	if err != nil {
		c.accepted(err)
	} else {
		c.accepted(readExcept(&feed, v.Spec.Except))
		var missing error
		feed.Domain, missing = r.quarantineDomain(v)
		c.resolved(missing)
		r.run.Put(&r.t.quarantines, feed.Name, seal(feed))
	}
	r.status(Status{Ref: ref, Conditions: c.list})
}

// quarantineDomain is the trust domain in which the value means something; zero:
// every one that is believed.
func (r *reader) quarantineDomain(v *v1alpha1.Quarantine) (feedv1.Key, error) {
	d := v.Spec.Target.TrustDomainRef
	if d == nil || v.Spec.Target.Type == v1alpha1.QuarantinePeer {
		return feedv1.Key{}, nil
	}
	if _, ok := r.object(refOf(kindTrust, d.Namespace, d.Name)); !ok {
		return feedv1.Key{}, reject(reasonTrustNotFound, "there is no TrustDomain/%s/%s: it is cut off in every trust domain that is believed", d.Namespace, d.Name)
	}
	return feedv1.Key{Namespace: d.Namespace, Name: d.Name}, nil
}

func quarantine(v *v1alpha1.Quarantine) (feedv1.Quarantine, error) {
	t := &v.Spec.Target
	feed := feedv1.Quarantine{Name: v.Name, Type: t.Type, Value: t.Value, Until: v.Spec.Until.UTC(), Reason: v.Spec.Reason}
	switch t.Type {
	case v1alpha1.QuarantineAgent, v1alpha1.QuarantineSubject, v1alpha1.QuarantineTransaction:
	case v1alpha1.QuarantinePeer:
	case v1alpha1.QuarantineToken:
		if len(t.Value) != 16 || !only(t.Value, "0123456789abcdef") {
			return feed, reject(reasonInvalid, "spec.target.value: a token is named by 16 lower-case hexadecimal digits, as records have it")
		}
	default:
		return feed, reject(reasonInvalid, "spec.target.type: %s is not known", quote(string(t.Type)))
	}
	if t.Value == "" || v.Spec.Until.IsZero() {
		return feed, reject(reasonInvalid, "spec: it needs target.value and until")
	}
	return feed, nil
}

// readExcept reads the places that stay open. It goes on after one that cannot
// be read, which is not open.
func readExcept(feed *feedv1.Quarantine, places []v1alpha1.QuarantinePlace) (first error) {
	for i := range places {
		p, err := quarantinePlace(&places[i])
		switch {
		case err == nil:
			feed.Except = append(feed.Except, p)
		case first == nil:
			first = reject(reasonInvalid, "spec.except[%d]: %v: it is cut off there too", i, err)
		}
	}
	return first
}

func quarantinePlace(p *v1alpha1.QuarantinePlace) (feedv1.Place, error) {
	switch {
	case (p.Backend == nil) == (p.Host == ""):
		return feedv1.Place{}, errors.New("a place is a backend or a host")
	case p.Backend == nil:
		return feedv1.Place{Host: p.Host}, nil
	case p.Backend.Kind != kindXBackend && p.Backend.Kind != kindService:
		return feedv1.Place{}, fmt.Errorf("kind %s is not XBackend or Service", quote(p.Backend.Kind))
	default:
		return feedv1.Place{Backend: backendName(refOf(p.Backend.Kind, p.Backend.Namespace, p.Backend.Name))}, nil
	}
}
