package translate

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/source"
)

// noon is when everything in a test happens.
func noon() time.Time { return time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC) }

// jwks is a JWK Set with one public key.
const jwks = `{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k1","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`

// accepting finds nothing wrong but in rules with telling names.
func accepting(p *v1alpha1.AccessPolicy) []PolicyFinding {
	var out []PolicyFinding
	for i, r := range p.Spec.Rules {
		field := fmt.Sprintf("spec.rules[%d]", i)
		switch {
		case strings.HasPrefix(r.Name, "refused"):
			out = append(out, PolicyFinding{Field: field, Message: "is not good", Refused: true})
		case strings.HasPrefix(r.Name, "unavailable"):
			out = append(out, PolicyFinding{Field: field, Reason: "NotAvailable", Message: "is for later", Refused: true})
		case strings.HasPrefix(r.Name, "odd"):
			out = append(out, PolicyFinding{Field: field, Message: "can never match"})
		}
	}
	return out
}

// plainConfig is that of a source which others answer for too.
func plainConfig() Config {
	return Config{Policies: PolicyCheckerFunc(accepting), PackageName: spelled, Folder: "/conf"}
}

// spelled has names in lower case with hyphens, and none with a percent sign.
func spelled(_, name string) (canonical, mend string) {
	if strings.Contains(name, "%") {
		mend = "plainly"
	}
	return strings.ToLower(strings.ReplaceAll(name, "_", "-")), mend
}

// filesConfig is that of a file source.
func filesConfig() Config {
	c := plainConfig()
	c.BuiltIn, c.LoopbackEndpoints, c.OnStale = true, true, "Report"
	c.LocalKeySet = v1alpha1.KeySet{Type: v1alpha1.KeySetFile, File: "/state/jwks.json"}
	return c
}

func newTranslator(t testing.TB, c Config) *Translator {
	t.Helper()
	tr, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// read decodes the objects of a stream of YAML documents.
func read(t testing.TB, text string) []source.Object {
	t.Helper()
	var out []source.Object
	decoder := utilyaml.NewYAMLReader(newReader(text))
	for {
		doc, err := decoder.Read()
		if err != nil {
			return out
		}
		if len(bytes.TrimSpace(doc)) > 0 {
			out = append(out, decode(t, doc))
		}
	}
}

func decode(t testing.TB, doc []byte) source.Object {
	t.Helper()
	var head struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
	}
	if err := yaml.Unmarshal(doc, &head); err != nil {
		t.Fatalf("%v in %s", err, doc)
	}
	group, _, ok := strings.Cut(head.APIVersion, "/")
	if !ok {
		group = ""
	}
	kind, ok := source.Lookup(group, head.Kind)
	if !ok {
		t.Fatalf("kind %s/%s is not known", group, head.Kind)
	}
	v := kind.New()
	if err := yaml.UnmarshalStrict(doc, v); err != nil {
		t.Fatalf("%v in %s", err, doc)
	}
	if v.GetNamespace() == "" && kind.Namespaced {
		v.SetNamespace(source.DefaultNamespace)
	}
	if v.GetGeneration() == 0 {
		v.SetGeneration(1)
	}
	if s, ok := v.(*corev1.Secret); ok {
		unfold(s)
	}
	return object(t, v)
}

// unfold does what the API server does with stringData.
func unfold(s *corev1.Secret) {
	for k, v := range s.StringData {
		if s.Data == nil {
			s.Data = map[string][]byte{}
		}
		s.Data[k] = []byte(v)
	}
	s.StringData = nil
}

// object wraps a value. Annotations of tests say what a source would know.
func object(t testing.TB, v source.Typed) source.Object {
	t.Helper()
	kind := v.GetObjectKind().GroupVersionKind()
	o := source.Object{
		Ref:    source.Ref{Group: kind.Group, Kind: kind.Kind, Namespace: v.GetNamespace(), Name: v.GetName()},
		Value:  v,
		Origin: source.Origin{File: "files/in.yaml", Line: 1, Document: 1},
	}
	if text, ok := v.GetAnnotations()["test/broken"]; ok {
		o.Broken = &source.Breakage{
			Reason:           "spec.rules[0]: unknown field",
			NamespaceUnknown: strings.Contains(text, "namespace"),
			TargetsUnknown:   strings.Contains(text, "targets"),
		}
	}
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(append(text, fmt.Sprint(o.Broken)...))
	o.Hash = hex.EncodeToString(sum[:])
	return o
}

// translated is the state after all objects of a text.
func translated(t testing.TB, c Config, text string) (*Translator, Result) {
	t.Helper()
	tr := newTranslator(t, c)
	return tr, tr.Apply(source.Delta{Upserts: read(t, text)}, noon())
}
