package translate

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/source"
)

// calmParts is all that came of the calm world, by name.
func calmParts(tr *Translator, r Result) map[string]any {
	out := map[string]any{}
	mine := func(namespace string) bool { return namespace == "calm" }
	for _, l := range r.Graph.Listeners {
		if mine(l.Owner.Namespace) {
			out["listener "+l.Name] = l
		}
	}
	for _, x := range r.Graph.Tables {
		for _, f := range x.Fragments {
			if mine(f.Owner.Namespace) {
				out["fragment "+x.Name+" "+f.Owner.String()] = f
			}
		}
		if mine(x.Owner.Namespace) {
			out["proxy "+x.Name] = x.Proxy
		}
	}
	for _, b := range r.Graph.Backends {
		if mine(b.Owner.Namespace) {
			out["backend "+b.Name] = b
		}
	}
	for _, e := range r.Graph.Endpoints {
		if mine(e.Owner.Namespace) {
			out["endpoints "+e.Name] = e
		}
	}
	calmFeed(out, r, mine)
	for _, s := range tr.Statuses() {
		if mine(s.Ref.Namespace) {
			out["status "+s.Ref.String()] = s
		}
	}
	return out
}

func calmFeed(out map[string]any, r Result, mine func(string) bool) {
	for _, g := range r.Feed.Gateways {
		if mine(g.Key.Namespace) {
			// What may be of any namespace closes a destination in this one too.
			g.Egress.Backends = slices.DeleteFunc(slices.Clone(g.Egress.Backends), func(b feedv1.Backend) bool {
				return b.Rejected != "" && !strings.Contains(b.Ref, "/calm/")
			})
			out["feed gateway "+g.Key.String()] = g
		}
	}
	for _, d := range r.Feed.TrustDomains {
		if mine(d.Key.Namespace) {
			out["feed trust "+d.Key.String()] = d
		}
	}
	for _, p := range r.Feed.Policies {
		if mine(p.Key.Namespace) {
			out["feed policy "+p.Key.String()] = p
		}
	}
	for _, c := range r.Feed.Credentials {
		if c.Rejected == "" && mine(c.Key.Namespace) {
			out["feed credential "+c.Key.String()] = c
		}
	}
}

// TestCalm: the world that the others are held against has no fault.
func TestCalm(t *testing.T) {
	t.Parallel()
	tr, r := calmTranslator(t, filesConfig())
	for _, s := range tr.Statuses() {
		if f := s.Faults(); len(f) > 0 {
			t.Errorf("%s: %v", s.Ref, f)
		}
	}
	if n := len(calmParts(tr, r)); n != 25 {
		t.Errorf("%d parts came of it", n)
	}
}

// TestBrokenTakesNothingDown adds each object of the goldens, good or broken,
// and then all of them: what came of the calm world stays as it was, by
// pointer.
func TestBrokenTakesNothingDown(t *testing.T) {
	t.Parallel()
	others := pool(t)
	calm := source.Delta{Upserts: calmObjects(t)}
	for i := range others {
		tr := newTranslator(t, filesConfig())
		want := calmParts(tr, tr.Apply(calm, noon()))
		r := tr.Apply(source.Delta{Upserts: others[i : i+1]}, noon())
		compareParts(t, others[i].Ref.String(), want, calmParts(tr, r))
	}
	tr := newTranslator(t, filesConfig())
	r := tr.Apply(calm, noon())
	want := calmParts(tr, r)
	for i := range others {
		r = tr.Apply(source.Delta{Upserts: others[i : i+1]}, noon())
	}
	compareParts(t, "all", want, calmParts(tr, r))
}

func compareParts(t *testing.T, name string, want, got map[string]any) {
	t.Helper()
	for part, v := range want {
		if !reflect.DeepEqual(v, got[part]) {
			t.Errorf("%s: %s has changed", name, part)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%s: %d parts, not %d", name, len(got), len(want))
	}
}

// TestMissing takes one object of the calm world away at a time: everything
// that does not need it stays.
func TestMissing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ref  source.Ref
		lost []string
	}{
		"service": {
			refOf(kindService, "calm", "tools"),
			[]string{"backend Service/calm/tools/80", "endpoints Service/calm/tools/80"},
		},
		"slice": {refOf(kindSlice, "calm", "tools-1"), nil},
		"certificate": {refOf(kindSecret, "calm", "cert"), []string{
			"fragment calm/calm/20443 HTTPRoute/calm/api", "fragment calm/calm/20443 HTTPRoute/calm/tools",
			"listener calm/calm/20443", "proxy calm/calm/20443",
		}},
		"authority": {refOf(kindConfigMap, "calm", "ca"), []string{"listener calm/calm/20443"}},
		"trust":     {refOf(kindTrust, "calm", "corp"), []string{"feed trust calm/corp"}},
		"policy":    {refOf(kindPolicy, "calm", "all"), []string{"feed policy calm/all"}},
		"secret":    {refOf(kindCredential, "calm", "key"), []string{"feed credential calm/key"}},
		"backend":   {refOf(kindXBackend, "calm", "api"), []string{"backend XBackend/calm/api", "feed credential calm/key"}},
		"config":    {refOf(kindConfig, "calm", "conf"), []string{"listener calm/calm/20080", "feed gateway calm/calm"}},
		"class":     {refOf(kindClass, "", "calm"), []string{"listener calm/calm/20080", "feed gateway calm/calm"}},
		"gateway":   {refOf(kindGateway, "calm", "calm"), []string{"listener calm/calm/20080", "feed gateway calm/calm"}},
	} {
		tr, _ := calmTranslator(t, filesConfig())
		r := tr.Apply(source.Delta{Deletes: []source.Ref{c.ref}}, noon())
		parts := calmParts(tr, r)
		for _, lost := range c.lost {
			if _, ok := parts[lost]; ok {
				t.Errorf("%s is gone, and %s is still there", name, lost)
			}
		}
		if name == "service" || name == "certificate" || name == "backend" {
			if _, ok := parts["fragment calm/calm/20080 HTTPRoute/calm/tools"]; !ok {
				t.Errorf("%s is gone, and the route on the other listener with it", name)
			}
		}
	}
}

// TestSecretsStayInside: keys and secrets are in the graph where they must be,
// and nowhere else.
func TestSecretsStayInside(t *testing.T) {
	t.Parallel()
	objects := append(calmObjects(t), pool(t)...)
	tr := newTranslator(t, filesConfig())
	r := tr.Apply(source.Delta{Upserts: objects}, noon())
	feed, err := json.Marshal(r.Feed)
	if err != nil {
		t.Fatal(err)
	}
	text := string(feed) + fmt.Sprintf("%+v", tr.Statuses()) + showStatuses(tr.Statuses())
	for _, o := range objects {
		s, ok := o.Value.(*corev1.Secret)
		if !ok {
			continue
		}
		for line := range strings.SplitSeq(string(s.Data[corev1.TLSPrivateKeyKey]), "\n") {
			if len(line) > 16 && !strings.HasPrefix(line, "-----") && strings.Contains(text, line) {
				t.Fatalf("a line of the key of %s is in the feed or in a status", o.Ref)
			}
		}
	}
}
