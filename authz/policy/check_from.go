package policy

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

func (k *checker) from(at *field.Path, in *v1alpha1.RuleFrom) from {
	if in == nil {
		return from{}
	}
	given(k, at.Child("peers"), in.Peers)
	given(k, at.Child("agents"), in.Agents)
	given(k, at.Child("subjects"), in.Subjects)
	var agents []string
	for _, a := range in.Agents {
		agents = append(agents, a.Name)
	}
	return from{
		peers:    k.peers(at.Child("peers"), in.Peers),
		agents:   k.patterns(at.Child("agents"), agents, "name"),
		subjects: k.patterns(at.Child("subjects"), in.Subjects, ""),
	}
}

// patterns compiles globs over segments; none: anything. child is the field of
// an element that holds the glob, if it is not the element itself.
func (k *checker) patterns(at *field.Path, list []string, child string) *patterns {
	if len(list) == 0 {
		return nil
	}
	return newPatterns(list, func(i int, err error) {
		p := at.Index(i)
		if child != "" {
			p = p.Child(child)
		}
		k.invalid(p, "%v", err)
	})
}

func (k *checker) peers(at *field.Path, list []v1alpha1.PeerMatch) *patterns {
	if len(list) == 0 {
		return nil
	}
	var globs []string
	var nets []netip.Prefix
	var places []int // of globs
	for i := range list {
		if list[i].Type == v1alpha1.PeerAddress {
			nets = append(nets, k.address(at.Index(i).Child("address"), list[i].Address))
			continue
		}
		globs, places = append(globs, k.peer(at.Index(i), &list[i])), append(places, i)
	}
	return newPatterns(globs, func(i int, err error) { k.invalid(at.Index(places[i]), "%v", err) }).withNets(nets)
}

const spiffeScheme = "spiffe://"

// peer is the glob over SPIFFE IDs that a match means.
func (k *checker) peer(at *field.Path, in *v1alpha1.PeerMatch) string {
	switch in.Type {
	case v1alpha1.PeerSPIFFE:
		rest, ok := strings.CutPrefix(in.SPIFFE, spiffeScheme)
		if !ok || rest == "" || rest[0] == '/' || strings.ContainsAny(rest, "?# \t\r\n") {
			k.invalid(at.Child("spiffe"), "a SPIFFE ID is spiffe:// and a trust domain, and perhaps a path")
			return spiffeScheme
		}
		return in.SPIFFE
	case v1alpha1.PeerServiceAccount:
		return k.serviceAccount(at.Child("serviceAccount"), in.ServiceAccount)
	}
	k.unknown(at.Child("type"), in.Type, v1alpha1.PeerSPIFFE, v1alpha1.PeerServiceAccount, v1alpha1.PeerAddress)
	return spiffeScheme
}

// serviceAccount is the SPIFFE ID of one, in any trust domain: the listener
// believes those it has a CA of.
func (k *checker) serviceAccount(at *field.Path, in *v1alpha1.ServiceAccountMatch) string {
	if in == nil {
		k.invalid(at, "type ServiceAccount needs it")
		return spiffeScheme
	}
	ns := in.Namespace
	if ns == "" {
		ns = k.namespace
	}
	if !objectName(in.Name) {
		k.invalid(at.Child("name"), "it is the name of one ServiceAccount, without globs")
	}
	if !objectName(ns) {
		k.invalid(at.Child("namespace"), "it is the name of one namespace, without globs")
	}
	return spiffeScheme + "*/ns/" + ns + "/sa/" + in.Name
}

// objectName reports whether s can be the name of a Kubernetes object.
func objectName(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-.") == ""
}

func (k *checker) transaction(at *field.Path, rule *v1alpha1.AccessRule) transaction {
	in := rule.Transaction
	if in == nil {
		// A Deny that names no transaction must not be got around by leaving
		// the token away.
		return transaction{required: !k.restricts}
	}
	x := transaction{required: true, domain: in.TrustDomain, scopes: in.Scopes}
	switch in.Type {
	case "", v1alpha1.TransactionRequired:
	case v1alpha1.TransactionNone:
		x.required, x.none = false, true
		k.noTransaction(at, rule)
	default:
		k.unknown(at.Child("type"), in.Type, v1alpha1.TransactionRequired, v1alpha1.TransactionNone)
	}
	if slices.Contains(in.Scopes, "") {
		k.invalid(at.Child("scopes"), "a scope is not empty")
	}
	for i := range in.Context {
		x.context = append(x.context, k.context(at.Child("context").Index(i), &in.Context[i]))
	}
	k.contradictions(at.Child("context"), x.context)
	return x
}

func (k *checker) noTransaction(at *field.Path, rule *v1alpha1.AccessRule) {
	in := rule.Transaction
	if rule.From == nil || len(rule.From.Peers) == 0 {
		k.invalid(at.Child("type"), "None needs from.peers: without a token the connection must say who it is")
	}
	if in.TrustDomain != "" || len(in.Scopes) > 0 || len(in.Context) > 0 {
		k.invalid(at, "with type None there is nothing to ask of a token")
	}
	if rule.From != nil && (len(rule.From.Agents) > 0 || len(rule.From.Subjects) > 0) {
		k.noEffect(at.Child("type"), "agents and subjects are known from a token only: the rule needs one after all")
	}
}

func (k *checker) context(at *field.Path, in *v1alpha1.ContextMatch) contextMatch {
	m := contextMatch{
		field: varTctx + "." + in.Path, path: in.Path,
		names: strings.Split(in.Path, "."), values: newScalars(in.Values),
	}
	if slices.Contains(m.names, "") {
		k.invalid(at.Child("path"), "it is a member's name, or names joined by dots")
	}
	if len(in.Values) == 0 {
		k.invalid(at.Child("values"), "at least one value is needed")
	}
	return m
}

// contradictions finds two of one path with no value in common. A list can
// satisfy both on a Deny or Ask.
func (k *checker) contradictions(at *field.Path, list []contextMatch) {
	if k.restricts {
		return
	}
	for i := range list {
		for j := range i {
			if list[i].path == list[j].path && disjoint(list[i].values, list[j].values) {
				k.never(at.Index(i), "no value is also one that context[%d] wants at the same path", j)
			}
		}
	}
}

func disjoint(a, b scalars) bool {
	return !slices.ContainsFunc(a.sorted, func(s string) bool { return b.hasText(s, true) })
}

// signature is equal for rules that say the same of caller, transaction and
// duties.
func (k *checker) signature(in *v1alpha1.AccessRule) string {
	b, err := json.Marshal(struct {
		Namespace string
		Action    v1alpha1.RuleAction
		From      *v1alpha1.RuleFrom
		Txn       *v1alpha1.RuleTransaction
		With      *v1alpha1.RuleDuties
	}{k.namespace, in.Action, in.From, in.Transaction, in.With})
	if err != nil {
		return in.Name
	}
	return string(b)
}
