package objects_test

import (
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/hopgate/hopgate/bench/objects"
)

// Each document is one object, and nothing of what is to be said is left out.
func TestObjects(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, text string
		kinds, has []string
	}{
		{"service", objects.Service("a", "8081", "x.dev/y", "/p"), []string{"Service", "EndpointSlice", "HTTPRoute"}, []string{"x.dev/y", "8081", "/p", "kubernetes.io/service-name: a"}},
		{"no endpoint", objects.Backend("a", "", ""), []string{"Service"}, nil},
		{"route", objects.Route("r", "a", "/p"), []string{"HTTPRoute"}, []string{"name: r", "name: a", "/p"}},
	} {
		var kinds []string
		for doc := range strings.SplitSeq(strings.TrimSuffix(tt.text, "---\n"), "---\n") {
			var o struct {
				Kind     string
				Metadata struct{ Name string }
			}
			if err := yaml.Unmarshal([]byte(doc), &o); err != nil || o.Metadata.Name == "" {
				t.Errorf("%s: %v in %s", tt.name, err, doc)
			}
			kinds = append(kinds, o.Kind)
		}
		if strings.Join(kinds, " ") != strings.Join(tt.kinds, " ") {
			t.Errorf("%s: %v, want %v", tt.name, kinds, tt.kinds)
		}
		for _, s := range append(tt.has, "apiVersion") {
			if !strings.Contains(tt.text, s) {
				t.Errorf("%s: no %q in %s", tt.name, s, tt.text)
			}
		}
		if strings.Contains(tt.text, "$") {
			t.Errorf("%s: something is left out of %s", tt.name, tt.text)
		}
	}
}
