package translate

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/source"
)

// Defaults and bounds of a TrustDomain. A Txn-Token is short-lived
// (draft-ietf-oauth-transaction-tokens): the bounds keep it so.
const (
	defaultMaxLifetime = 15 * time.Minute
	defaultMaxTxn      = time.Hour
	defaultLeeway      = 5 * time.Second
	defaultMaxStale    = time.Hour
	maxLeeway          = time.Minute
	maxLifetime        = 24 * time.Hour
	maxTxn             = 7 * 24 * time.Hour
	maxMaxStale        = 24 * time.Hour
	defaultJWKSKey     = "jwks.json"
)

// trustFact is a TrustDomain as tokens are judged by it.
type trustFact struct {
	// Usable is false for one that is not accepted, or has no keys.
	Usable     bool
	Audience   string
	Feed       feedv1.TrustDomain
	Conditions []metav1.Condition
}

func readTrustDomain(r *reader, ref source.Ref) {
	o, ok := r.object(ref)
	v, _ := o.Value.(*v1alpha1.TrustDomain)
	if !ok || v == nil {
		return
	}
	feed, err := trustDomain(v)
	keys, keyErr := r.keySet(o, v.Spec.KeySet)
	feed.KeySet = keys
	c := conditions{generation: v.Generation}
	c.accepted(err)
	c.resolved(keyErr)
	say(r, factTrust, ref, &trustFact{
		Usable: err == nil && keyErr == nil, Audience: feed.Audience, Feed: feed, Conditions: c.list,
	})
}

// trustDomain reads all but the keys.
func trustDomain(v *v1alpha1.TrustDomain) (feedv1.TrustDomain, error) {
	s := &v.Spec
	feed := feedv1.TrustDomain{
		Key: feedv1.Key{Namespace: v.Namespace, Name: v.Name}, Audience: s.Audience, Issuer: s.Issuer,
		Binding: s.Binding, AgentProfile: s.AgentProfile,
		MaxLifetime: defaultMaxLifetime, MaxTxn: defaultMaxTxn, Leeway: defaultLeeway,
	}
	if s.Audience == "" {
		return feed, reject(reasonInvalid, "spec.audience: is empty")
	}
	for _, d := range []struct {
		to    *time.Duration
		value *gatewayv1.Duration
		field string
		least time.Duration
		most  time.Duration
	}{
		{&feed.MaxLifetime, s.MaxLifetime, "spec.maxLifetime", time.Second, maxLifetime},
		{&feed.MaxTxn, s.MaxTransactionLifetime, "spec.maxTransactionLifetime", time.Second, maxTxn},
		{&feed.Leeway, s.Leeway, "spec.leeway", 0, maxLeeway},
	} {
		if err := bounded(d.to, d.value, d.field, d.least, d.most); err != nil {
			return feed, err
		}
	}
	return feed, trustEnums(&feed, s)
}

func bounded(to *time.Duration, d *gatewayv1.Duration, field string, least, most time.Duration) error {
	if d == nil {
		return nil
	}
	v, err := duration(*d)
	if err != nil {
		return reject(reasonInvalid, "%s: %v", field, err)
	}
	if v < least || v > most {
		return reject(reasonInvalid, "%s: %s is not between %s and %s", field, *d, least, most)
	}
	*to = v
	return nil
}

func trustEnums(feed *feedv1.TrustDomain, s *v1alpha1.TrustDomainSpec) error {
	switch s.Binding {
	case "", v1alpha1.BindingNone, v1alpha1.BindingPeer:
	case v1alpha1.BindingProof:
		return reject(reasonNotAvailable, "spec.binding: Proof is not available in this version")
	default:
		return reject(reasonInvalid, "spec.binding: %q is not known", s.Binding)
	}
	switch s.AgentProfile {
	case "":
		feed.AgentProfile = v1alpha1.AgentProfileActor
	case v1alpha1.AgentProfileActor, v1alpha1.AgentProfileAgenticContext:
	default:
		return reject(reasonInvalid, "spec.agentProfile: %q is not known", s.AgentProfile)
	}
	feed.Algorithms = slices.Sorted(slices.Values(s.Algorithms))
	if len(feed.Algorithms) == 0 {
		feed.Algorithms = []string{"ES256", "EdDSA"}
	}
	for _, a := range feed.Algorithms {
		if !slices.Contains([]string{"EdDSA", "ES256", "ES384", "RS256", "PS256"}, a) {
			return reject(reasonInvalid, "spec.algorithms: %q is not known", a)
		}
	}
	return nil
}

// keySet finds the keys, or where they are.
func (r *reader) keySet(o source.Object, k v1alpha1.KeySet) (feedv1.KeySet, error) {
	out := feedv1.KeySet{}
	switch k.Type {
	case v1alpha1.KeySetInline:
		out.JWKS = []byte(k.Inline)
		return out, checkJWKS(out.JWKS, "spec.keySet.inline")
	case v1alpha1.KeySetConfigMap, v1alpha1.KeySetSecret:
		var err error
		out.JWKS, err = r.keySetObject(o.Ref.Namespace, k)
		return out, err
	case v1alpha1.KeySetURL:
		out.URL, out.MaxStale = k.URL, defaultMaxStale
		if err := bounded(&out.MaxStale, k.MaxStale, "spec.keySet.maxStale", 0, maxMaxStale); err != nil {
			return out, err
		}
		return out, checkKeyURL(k.URL)
	case v1alpha1.KeySetFile:
		file, err := r.path(o, k.File)
		out.File, out.MaxStale = file, defaultMaxStale
		if err != nil {
			return out, reject(reasonInvalid, "spec.keySet.file: %v", err)
		}
		return out, bounded(&out.MaxStale, k.MaxStale, "spec.keySet.maxStale", 0, maxMaxStale)
	default:
		return out, reject(reasonInvalid, "spec.keySet.type: %q is not known", k.Type)
	}
}

func (r *reader) keySetObject(namespace string, k v1alpha1.KeySet) ([]byte, error) {
	if k.Object == nil {
		return nil, reject(reasonInvalid, "spec.keySet.object: is not given")
	}
	key := k.Object.Key
	if key == "" {
		key = defaultJWKSKey
	}
	data, found := r.data(string(k.Type), namespace, k.Object.Name, key)
	if !found {
		return nil, reject(reasonKeysNotFound, "spec.keySet.object: %s/%s/%s has no %s", k.Type, namespace, k.Object.Name, key)
	}
	return data, checkJWKS(data, fmt.Sprintf("%s/%s/%s, %s", k.Type, namespace, k.Object.Name, key))
}

// data is one entry of a ConfigMap or Secret.
func (r *reader) data(kind, namespace, name, key string) ([]byte, bool) {
	if kind == kindSecret {
		v, ok := get[*corev1.Secret](r, kindSecret, namespace, name)
		if !ok {
			return nil, false
		}
		data, ok := v.Data[key]
		return data, ok
	}
	v, ok := get[*corev1.ConfigMap](r, kindConfigMap, namespace, name)
	if !ok {
		return nil, false
	}
	if text, ok := v.Data[key]; ok {
		return []byte(text), true
	}
	data, ok := v.BinaryData[key]
	return data, ok
}

// checkKeyURL lets keys come over TLS only, or from this machine.
func checkKeyURL(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Opaque != "" {
		return reject(reasonInvalid, "spec.keySet.url: is no URL")
	}
	if u.User != nil || u.Fragment != "" {
		return reject(reasonInvalid, "spec.keySet.url: has a user or a fragment")
	}
	switch {
	case u.Scheme == "https":
		return nil
	case u.Scheme == "http" && loopbackHost(u.Hostname()):
		return nil
	default:
		return reject(reasonInvalid, "spec.keySet.url: must be https, or http to a loopback address")
	}
}

func loopbackHost(host string) bool {
	a, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && a.IsLoopback()
}

// path makes a path in an object absolute. Only objects that were read from
// files have such paths.
func (r *reader) path(o source.Object, file string) (string, error) {
	switch {
	case file == "":
		return "", errors.New("is empty")
	case path.IsAbs(file) && (o.Origin.File != "" || r.t.isBuiltIn(o.Ref)):
		return path.Clean(file), nil
	case o.Origin.File == "":
		return "", errors.New("files are for objects that were read from files themselves")
	}
	folder := path.Dir(o.Origin.File)
	if !path.IsAbs(folder) {
		if r.t.cfg.Folder == "" {
			return "", errors.New("it is relative, and so is the file of the object")
		}
		folder = path.Join(r.t.cfg.Folder, folder)
	}
	return path.Join(folder, file), nil
}

// finishTrustDomain hands out the TrustDomains that some Gateway believes.
func finishTrustDomain(r *reader, ref source.Ref) {
	f := factOf[trustFact](r, factTrust, ref)
	if f == nil {
		return
	}
	s := Status{Ref: ref, Conditions: f.Conditions}
	if r.run.Count(topic{space: bagBelievers, ref: ref}) > 0 {
		r.run.Put(&r.t.trustDomains, keyOf(ref).String(), seal(f.Feed))
	} else if r.t.cfg.BuiltIn && f.Usable {
		s.Notes = []string{"no Gateway believes it: a GatewayConfig must name it, and no other one of its audience"}
	}
	r.status(s)
}
