package schema_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
	kjson "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/yaml"

	"github.com/hopgate/hopgate/gateway/source"
	"github.com/hopgate/hopgate/gateway/source/schema"
)

var update = flag.Bool("update", false, "write the wanted results")

// parse turns the text of one object into what a Checker takes.
func parse(t testing.TB, text []byte) (source.Kind, map[string]any) {
	t.Helper()
	raw, err := yaml.YAMLToJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	var obj map[string]any
	if err := kjson.Unmarshal(raw, &obj); err != nil {
		t.Fatal(err)
	}
	apiVersion, _ := obj["apiVersion"].(string)
	group, _, ok := strings.Cut(apiVersion, "/")
	if !ok {
		group = ""
	}
	name, _ := obj["kind"].(string)
	kind, _ := source.Lookup(group, name)
	return kind, obj
}

// render is what became of an object: itself, or the findings.
func render(t testing.TB, value source.Typed, findings []schema.Finding) string {
	t.Helper()
	var b strings.Builder
	for _, f := range findings {
		fmt.Fprintf(&b, "%s %s: %s", f.Severity, f.Field, f.Message)
		if f.Mend != "" {
			fmt.Fprintf(&b, "; %s", f.Mend)
		}
		b.WriteByte('\n')
	}
	if value == nil {
		return b.String()
	}
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	out, err := yaml.JSONToYAML(text)
	if err != nil {
		t.Fatal(err)
	}
	return b.String() + string(out)
}

// TestGolden checks each NAME.yaml of testdata/*.txtar against NAME.want.
func TestGolden(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	checker := schema.New()
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			golden(t, checker, path)
		})
	}
}

func golden(t *testing.T, checker *schema.Checker, path string) {
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	out := &txtar.Archive{Comment: archive.Comment}
	for _, f := range archive.Files {
		want[f.Name] = string(f.Data)
	}
	for _, f := range archive.Files {
		name, isInput := strings.CutSuffix(f.Name, ".yaml")
		if !isInput {
			continue
		}
		kind, obj := parse(t, f.Data)
		value, findings := checker.Check(kind, obj)
		got := render(t, value, findings)
		if diff := cmp.Diff(want[name+".want"], got); diff != "" && !*update {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		out.Files = append(out.Files, f, txtar.File{Name: name + ".want", Data: []byte(got)})
	}
	if *update {
		if err := os.WriteFile(path, txtar.Format(out), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
