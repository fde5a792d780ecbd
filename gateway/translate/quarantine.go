package translate

import (
	"errors"
	"fmt"

	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/source"
)

// translateQuarantine hands a Quarantine to the guards, whatever else is known:
// a trust domain that is not there yet may come, and then its agents are cut
// off from the first hop on.
func translateQuarantine(r *reader, ref source.Ref) {
	o, ok := r.object(ref)
	v, _ := o.Value.(*v1alpha1.Quarantine)
	if !ok || v == nil {
		return
	}
	feed, err := quarantine(v)
	c := conditions{generation: v.Generation}
	c.accepted(err)
	if err == nil {
		c.resolved(r.knowsDomain(v.Spec.Target.TrustDomainRef))
		r.run.Put(&r.t.quarantines, feed.Name, seal(feed))
	}
	r.status(Status{Ref: ref, Conditions: c.list})
}

// knowsDomain says whether there is the TrustDomain that a Quarantine names.
func (r *reader) knowsDomain(d *v1alpha1.QuarantineTrustDomain) error {
	if d == nil {
		return nil
	}
	if _, ok := r.object(refOf(kindTrust, d.Namespace, d.Name)); !ok {
		return reject(reasonTrustNotFound, "there is no TrustDomain/%s/%s", d.Namespace, d.Name)
	}
	return nil
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
	if d := t.TrustDomainRef; d != nil {
		feed.Domain = feedv1.Key{Namespace: d.Namespace, Name: d.Name}
	}
	if (t.Type == v1alpha1.QuarantinePeer) != (t.TrustDomainRef == nil) {
		return feed, reject(reasonInvalid, "spec.target.trustDomainRef: every type but Peer needs one, and Peer has none")
	}
	if t.Value == "" || v.Spec.Until.IsZero() {
		return feed, reject(reasonInvalid, "spec: it needs target.value and until")
	}
	for i := range v.Spec.Except {
		p, err := quarantinePlace(&v.Spec.Except[i])
		if err != nil {
			return feed, reject(reasonInvalid, "spec.except[%d]: %v", i, err)
		}
		feed.Except = append(feed.Except, p)
	}
	return feed, nil
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
