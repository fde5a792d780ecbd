package translate

import (
	"net/netip"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/source"
)

// TestUnreadable: objects that are not what they say they are, or have names
// that could be mistaken, are not read; nor is their good version before.
func TestUnreadable(t *testing.T) {
	t.Parallel()
	good := func() source.Object { return read(t, objectOf("Gateway", "eg"))[0] }
	for name, change := range map[string]func(*source.Object){
		"no value":                func(o *source.Object) { o.Value = nil },
		"another kind":            func(o *source.Object) { o.Value = &gatewayv1.HTTPRoute{} },
		"a kind that is not read": func(o *source.Object) { o.Value = &corev1.Pod{} },
		"another group":           func(o *source.Object) { o.Ref.Group = "example.com" },
		"no name":                 func(o *source.Object) { o.Ref.Name = "" },
		"a separator":             func(o *source.Object) { o.Ref.Name = "a;b" },
		"a slash":                 func(o *source.Object) { o.Ref.Namespace = "a/b" },
		"upper case":              func(o *source.Object) { o.Ref.Name = "Eg" },
		"a long name":             func(o *source.Object) { o.Ref.Name = strings.Repeat("a", 254) },
	} {
		tr := newTranslator(t, filesConfig())
		o := good()
		change(&o)
		before := good()
		before.Ref = o.Ref
		tr.Apply(source.Delta{Upserts: []source.Object{before}}, noon())
		tr.Apply(source.Delta{Upserts: []source.Object{o}}, noon())
		if _, ok := tr.store.objects[o.Ref]; ok {
			t.Errorf("%s: it is read", name)
		}
	}
}

// TestUnreadablePolicy: an AccessPolicy that is not what it says it is denies
// whatever it could guard.
func TestUnreadablePolicy(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]source.Object{
		"no value":     {Ref: refOf(kindPolicy, "calm", "p")},
		"another type": {Ref: refOf(kindPolicy, "calm", "p"), Value: &gatewayv1.Gateway{}},
		"an odd name":  {Ref: refOf(kindPolicy, "calm", "p;x=y"), Value: &v1alpha1.AccessPolicy{}},
		"broken, no value": {
			Ref: refOf(kindPolicy, "calm", "p"), Broken: &source.Breakage{Reason: "is broken", TargetsUnknown: true},
		},
	} {
		tr, _ := calmTranslator(t, filesConfig())
		r := tr.Apply(source.Delta{Upserts: []source.Object{o}}, noon())
		found := false
		for _, p := range r.Feed.Policies {
			if p.Key != keyOf(o.Ref) {
				continue
			}
			found = true
			if p.Rejected == "" || len(p.Rules) > 0 || len(p.Targets) != 5 {
				t.Errorf("%s: %+v", name, p)
			}
		}
		if !found {
			t.Errorf("%s: it is not in the feed", name)
		}
		tr.Assumed()
	}
}

// TestSame: what makes no difference is not translated again.
func TestSame(t *testing.T) {
	t.Parallel()
	o := read(t, objectOf("AccessPolicy", "p"))[0]
	for name, c := range map[string]struct {
		change func(*source.Object)
		same   bool
	}{
		"nothing":      {func(*source.Object) {}, true},
		"the line":     {func(o *source.Object) { o.Origin.Line = 7 }, true},
		"the file":     {func(o *source.Object) { o.Origin.File = "other" }, false},
		"the hash":     {func(o *source.Object) { o.Hash = "other" }, false},
		"no hash":      {func(o *source.Object) { o.Hash = "" }, false},
		"it is broken": {func(o *source.Object) { o.Broken = &source.Breakage{} }, false},
	} {
		next := o
		c.change(&next)
		if got := same(o, next); got != c.same {
			t.Errorf("%s: %t", name, got)
		}
	}
	o.Broken = &source.Breakage{Reason: "a"}
	next := o
	next.Broken = &source.Breakage{Reason: "a"}
	if !same(o, next) {
		t.Error("broken in the same way, and not the same")
	}
}

// TestPaths: paths in objects are relative to their file, and only objects of
// files have them.
func TestPaths(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		folder, file, path string
		want               string
	}{
		"relative":            {"/conf", "a/in.yaml", "keys.json", "/conf/a/keys.json"},
		"above":               {"/conf", "a/in.yaml", "../keys.json", "/conf/keys.json"},
		"absolute file":       {"/conf", "/etc/hopgate/in.yaml", "keys.json", "/etc/hopgate/keys.json"},
		"absolute path":       {"/conf", "a/in.yaml", "/keys/./x.json", "/keys/x.json"},
		"no folder":           {"", "a/in.yaml", "keys.json", ""},
		"no file":             {"/conf", "", "keys.json", ""},
		"no file, absolute":   {"/conf", "", "/keys.json", ""},
		"empty":               {"/conf", "a/in.yaml", "", ""},
		"absolute, no folder": {"", "/etc/in.yaml", "keys.json", "/etc/keys.json"},
	} {
		config := plainConfig()
		config.Folder = c.folder
		r := &reader{t: newTranslator(t, config)}
		o := source.Object{Ref: refOf(kindTrust, "a", "b"), Origin: source.Origin{File: c.file}, Value: &v1alpha1.TrustDomain{}}
		got, err := r.path(o, c.path)
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// TestReserved: sockets of our own are nobody's.
func TestReserved(t *testing.T) {
	t.Parallel()
	c := filesConfig()
	c.Reserved = []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:8080")}
	tr, r := translated(t, c, "")
	if f := statusOf(t, tr, kindGateway, "default", "local").Faults(); len(f) != 3 || !strings.HasPrefix(f[1].Message, "port 8080 is taken by hopgate: ") {
		t.Errorf("faults %v", f)
	}
	if len(r.Graph.Listeners) != 1 {
		t.Errorf("%d listeners", len(r.Graph.Listeners))
	}
}

func TestSockets(t *testing.T) {
	t.Parallel()
	at := netip.MustParseAddrPort
	own := &socketsFact{List: []netip.AddrPort{at("127.0.0.1:80"), at("0.0.0.0:90"), at("[::]:95")}}
	for text, want := range map[string]bool{
		"127.0.0.1:80": true, "127.0.0.2:80": false, "127.0.0.1:81": false, "10.0.0.1:80": false,
		"127.0.0.2:90": true, "10.0.0.1:90": false, "[::1]:90": false,
		"[::1]:95": true, "127.0.0.1:95": true, "10.0.0.1:95": false,
	} {
		if got := own.has(at(text)); got != want {
			t.Errorf("%s: %t", text, got)
		}
	}
	if (*socketsFact)(nil).has(at("127.0.0.1:80")) {
		t.Error("nobody listens, and it is ours")
	}
}

// TestEmptySelector: a selector without conditions is one for all namespaces,
// and a missing one is none.
func TestEmptySelector(t *testing.T) {
	t.Parallel()
	from := gatewayv1.NamespacesFromSelector
	l := &gatewayv1.Listener{AllowedRoutes: &gatewayv1.AllowedRoutes{Namespaces: &gatewayv1.RouteNamespaces{From: &from}}}
	if _, err := allowedFrom(l); err == nil {
		t.Error("no selector, and no error")
	}
	l.AllowedRoutes.Namespaces.Selector = &metav1.LabelSelector{}
	if _, err := allowedFrom(l); err != nil {
		t.Error(err)
	}
}

func TestQuote(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"a":                      `"a"`,
		"a\n\x1b[2J\u202e":       `"a\n\x1b[2J\u202e"`,
		strings.Repeat("x", 100): `"` + strings.Repeat("x", 64) + `..."`,
	} {
		if got := quote(in); got != want {
			t.Errorf("%q: %s", in, got)
		}
	}
}
