package schema_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/hopgate/hopgate/gateway/source"
	"github.com/hopgate/hopgate/gateway/source/schema"
)

func TestUnknownKind(t *testing.T) {
	t.Parallel()
	value, findings := schema.New().Check(source.Kind{Kind: "Pod", Version: "v1"}, map[string]any{"spec": nil})
	if value != nil || len(findings) != 1 || findings[0].Severity != source.Error {
		t.Errorf("got %v, %v", value, findings)
	}
}

// TestEveryKindCompiles finds schemas that are missing or odd.
func TestEveryKindCompiles(t *testing.T) {
	t.Parallel()
	checker := schema.New()
	for _, k := range source.Kinds() {
		_, findings := checker.Check(k, map[string]any{"metadata": map[string]any{"name": "x"}, "oddField": 1})
		if !strings.Contains(render(t, nil, findings), `unknown field "oddField"`) {
			t.Errorf("%s: an unknown field is not found: %v", k.Kind, findings)
		}
		if strings.Contains(render(t, nil, findings), "load schema") {
			t.Errorf("%s: %v", k.Kind, findings)
		}
	}
}

// TestErrorMeansNothing holds that a value never comes with an error, nor
// nothing without one.
func TestErrorMeansNothing(t *testing.T) {
	t.Parallel()
	checker := schema.New()
	eachCase(t, func(name string, text []byte) {
		kind, obj := parse(t, text)
		value, findings := checker.Check(kind, obj)
		hasError := false
		for _, f := range findings {
			hasError = hasError || f.Severity == source.Error
		}
		if (value == nil) != hasError {
			t.Errorf("%s: value %v with findings %v", name, value, findings)
		}
	})
}

// TestSecretsStaySecret looks for the values of Secrets in what is said.
func TestSecretsStaySecret(t *testing.T) {
	t.Parallel()
	checker := schema.New()
	for _, text := range []string{
		`{apiVersion: v1, kind: Secret, metadata: {name: s}, data: {a: hunter2!}}`,
		`{apiVersion: v1, kind: Secret, metadata: {name: s}, data: hunter2}`,
		`{apiVersion: v1, kind: Secret, metadata: {name: s}, data: {a: {hunter2: hunter2}}}`,
		`{apiVersion: v1, kind: Secret, metadata: {name: s}, stringData: {a: [hunter2]}}`,
		`{apiVersion: v1, kind: Secret, metadata: {name: s}, stringData: hunter2}`,
		`{apiVersion: v1, kind: Secret, metadata: {name: s}, immutable: hunter2}`,
		`{apiVersion: v1, kind: Secret, metadata: {name: s}, type: {a: hunter2}}`,
		`{apiVersion: v1, kind: Secret, metadata: [hunter2]}`,
	} {
		kind, obj := parse(t, []byte(text))
		value, findings := checker.Check(kind, obj)
		if value != nil || len(findings) == 0 {
			t.Errorf("%s is accepted", text)
		}
		said := strings.ReplaceAll(render(t, nil, findings), `unknown field "hunter2"`, "")
		for line := range strings.SplitSeq(said, "\n") {
			if _, after, ok := strings.Cut(line, ": "); ok && strings.Contains(after, "hunter2") {
				t.Errorf("%s: %s", text, line)
			}
		}
	}
}

// TestConcurrentUse compiles and checks from many goroutines at once.
func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	checker := schema.New()
	text := []byte(`{apiVersion: hopgate.dev/v1alpha1, kind: Credential, metadata: {name: c}, spec: {targetRef: {kind: XBackend, name: b}, secret: {type: File, file: x}}}`)
	var wg sync.WaitGroup
	for range 8 {
		kind, obj := parse(t, text)
		wg.Go(func() {
			if value, findings := checker.Check(kind, obj); value == nil {
				t.Errorf("refused: %v", findings)
			}
		})
	}
	wg.Wait()
}

func TestNormalizeXBackend(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, in, want string }{
		{
			"status", `{"status":{"ancestors":[{"ancestorRef":{"name":"g"},"controllerName":"c"},"odd"]}}`,
			`{"status":{"parents":[{"controllerName":"c","parentRef":{"name":"g"}},"odd"]}}`,
		},
		{"status of 1.6", `{"status":{"parents":[]}}`, `{"status":{"parents":[]}}`},
		{"port", `{"spec":{"port":{"number":1}}}`, `{"spec":{"port":{"port":1}}}`},
		{"port of 1.6", `{"spec":{"port":{"port":1,"name":"x"}}}`, `{"spec":{"port":{"port":1,"name":"x"}}}`},
		{"two ports", `{"spec":{"port":{"number":1,"port":2}}}`, `{"spec":{"port":{"number":1,"port":2}}}`},
		{"no TLS", `{"spec":{"tls":{"mode":"None"}}}`, `{"spec":{}}`},
		{"TLS with more", `{"spec":{"tls":{"mode":"None","validation":{}}}}`, `{"spec":{"tls":{"mode":"None","validation":{}}}}`},
		{"nothing", `{}`, `{}`},
		{"odd", `{"spec":[],"status":"x"}`, `{"spec":[],"status":"x"}`},
	} {
		var obj, want map[string]any
		if err := json.Unmarshal([]byte(tc.in), &obj); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(tc.want), &want); err != nil {
			t.Fatal(err)
		}
		schema.NormalizeXBackend(obj)
		if diff := cmp.Diff(want, obj); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.name, diff)
		}
	}
}

func TestNearest(t *testing.T) {
	t.Parallel()
	names := []string{"targetRefs", "mode", "rules", "name", "namespace"}
	for _, tc := range []struct {
		name string
		most int
		want string
	}{
		{"targetRef", 3, "targetRefs"},
		{"TARGETREFS", 0, "targetRefs"},
		{"rulse", 1, "rules"},
		{"nmae", 1, "name"},
		{"ruels", 0, ""},
		{"something", 3, ""},
		{"", 2, ""},
		{strings.Repeat("x", 10_000), 10_000, ""},
	} {
		if got := schema.Nearest(tc.name, names, tc.most); got != tc.want {
			t.Errorf("%.20q within %d: got %q, want %q", tc.name, tc.most, got, tc.want)
		}
	}
	if got := schema.Nearest("a", []string{strings.Repeat("a", 100)}, 200); got != "" {
		t.Errorf("a long candidate is near: %q", got)
	}
}

// eachCase calls f for each input of testdata.
func eachCase(t *testing.T, f func(name string, text []byte)) {
	t.Helper()
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range archive.Files {
			if strings.HasSuffix(file.Name, ".yaml") {
				f(path+"/"+file.Name, file.Data)
			}
		}
	}
}

// upstream calls f for each object of a kind that we read in a folder of the
// Gateway API module.
func upstream(t *testing.T, folder string, f func(path string, kind source.Kind, obj map[string]any)) {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/gateway-api").Output()
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(strings.TrimSpace(string(out)), filepath.FromSlash(folder))
	err = filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || filepath.Ext(path) != ".yaml" {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for doc := range bytes.SplitSeq(append([]byte("\n"), text...), []byte("\n---")) {
			if kind, obj := parse(t, doc); kind.Kind != "" {
				f(path, kind, obj)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestUpstreamExamples holds that what the project shows as right is accepted.
func TestUpstreamExamples(t *testing.T) {
	t.Parallel()
	checker, n := schema.New(), 0
	upstream(t, "examples", func(path string, kind source.Kind, obj map[string]any) {
		n++
		if value, findings := checker.Check(kind, obj); value == nil {
			t.Errorf("%s: %s", path, render(t, nil, findings))
		}
	})
	if n < 30 {
		t.Errorf("only %d objects", n)
	}
}

// TestUpstreamInvalidExamples holds that what the project shows as wrong, and
// its CRDs refuse, is refused.
func TestUpstreamInvalidExamples(t *testing.T) {
	t.Parallel()
	checker, n := schema.New(), 0
	upstream(t, "hack/invalid-examples", func(path string, kind source.Kind, obj map[string]any) {
		n++
		if value, _ := checker.Check(kind, obj); value != nil {
			t.Errorf("%s is accepted", path)
		}
	})
	if n < 25 {
		t.Errorf("only %d objects", n)
	}
}
