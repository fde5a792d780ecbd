package translate

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/source"
)

// translateQuarantine hands a Quarantine to the guards, at its widest where not
// all of it is understood: without a trust domain that there is it cuts off in
// every one that is believed, without a type a value of any, without a value
// everybody, without an end for good; and a place that cannot be read is not
// open.
func translateQuarantine(r *reader, ref source.Ref) {
	o, ok := r.object(ref)
	v, _ := o.Value.(*v1alpha1.Quarantine)
	if !ok || v == nil {
		return
	}
	c := conditions{generation: v.Generation}
	feeds, err := quarantines(v)
	if o.Broken != nil {
		err = reject(reasonInvalid, "%s: it cuts off all that it may name", o.Broken.Reason)
	}
	var except []feedv1.Place
	if err == nil && len(v.Spec.Except) > maxExcept {
		err = reject(reasonInvalid, "spec.except: has more than %d places: none of them stays open", maxExcept)
	}
	if err == nil {
		except, err = readExcept(v.Spec.Except)
	}
	c.accepted(err)
	domain, missing := r.quarantineDomain(v)
	c.resolved(missing)
	for _, feed := range feeds {
		feed.Except = except
		if feed.Type != v1alpha1.QuarantinePeer && feed.Type != feedv1.QuarantineEveryone {
			feed.Domain = domain
		}
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

// forGood is the end of a Quarantine that says none.
func forGood() time.Time { return time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC) }

// quarantines are what a Quarantine says, or where it cannot be understood all
// that it may say, and why.
func quarantines(v *v1alpha1.Quarantine) ([]feedv1.Quarantine, error) {
	t := &v.Spec.Target
	feed := feedv1.Quarantine{Name: v.Name, Type: t.Type, Value: t.Value, Until: v.Spec.Until.UTC()}
	feed.Reason = v.Spec.Reason[:min(len(v.Spec.Reason), maxReason)]
	var err error
	if v.Spec.Until.IsZero() {
		feed.Until, err = forGood(), reject(reasonInvalid, "spec.until: is not given: it has no end")
	}
	if t.Value == "" || len(t.Value) > maxQuarantined {
		feed.Type, feed.Value = feedv1.QuarantineEveryone, ""
		return []feedv1.Quarantine{feed}, joined(err, reject(reasonInvalid, "spec.target.value: has not 1 to %d bytes: everybody is cut off", maxQuarantined))
	}
	if _, bad := netip.ParsePrefix(t.Value); bad == nil && t.Type == v1alpha1.QuarantinePeer {
		feed.Type, feed.Value = feedv1.QuarantineEveryone, ""
		return []feedv1.Quarantine{feed}, joined(err, reject(reasonInvalid,
			"spec.target.value: a peer is a SPIFFE ID or one address, never a range: everybody is cut off; name each address, or deny the range by a policy (from.peers)"))
	}
	problem := checkQuarantined(t)
	if problem == nil {
		return []feedv1.Quarantine{feed}, err
	}
	var out []feedv1.Quarantine
	for _, as := range quarantineTypes() {
		each := feed
		each.Name, each.Type = v.Name+" as "+string(as), as
		if as == v1alpha1.QuarantineToken {
			each.Value = lower(t.Value)
		}
		if as != v1alpha1.QuarantineToken || tokenName(each.Value) {
			out = append(out, each)
		}
	}
	return out, joined(err, problem)
}

// Bounds of a Quarantine: of its value and its reason in bytes, and how many
// places stay open.
const (
	maxQuarantined = 1024
	maxReason      = 1024
	maxExcept      = 64
)

func quarantineTypes() []v1alpha1.QuarantineType {
	return []v1alpha1.QuarantineType{
		v1alpha1.QuarantineAgent, v1alpha1.QuarantineSubject, v1alpha1.QuarantineTransaction, v1alpha1.QuarantineToken, v1alpha1.QuarantinePeer,
	}
}

// checkQuarantined says what is wrong with the type of a value.
func checkQuarantined(t *v1alpha1.QuarantineTarget) error {
	switch {
	case !slices.Contains(quarantineTypes(), t.Type):
		return reject(reasonInvalid, "spec.target.type: %s is not known: the value is cut off as any", quote(string(t.Type)))
	case t.Type == v1alpha1.QuarantineToken && !tokenName(t.Value):
		return reject(reasonInvalid, "spec.target.value: a token is named by 16 lower-case hexadecimal digits, as records have it: the value is cut off as any type")
	}
	return nil
}

// tokenName says whether s names a token, as records do.
func tokenName(s string) bool { return len(s) == 16 && only(s, hexDigits) }

// readExcept reads the places that stay open. It goes on after one that cannot
// be read, which is not open.
func readExcept(places []v1alpha1.QuarantinePlace) (out []feedv1.Place, first error) {
	for i := range places {
		p, err := quarantinePlace(&places[i])
		switch {
		case err == nil:
			out = append(out, p)
		case first == nil:
			first = reject(reasonInvalid, "spec.except[%d]: %v: it is cut off there too", i, err)
		}
	}
	return out, first
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
