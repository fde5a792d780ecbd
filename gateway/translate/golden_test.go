package translate

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/hopgate/hopgate/gateway/source"
)

func update() bool { return flag.Lookup("update").Value.String() == "true" }

func TestMain(m *testing.M) {
	flag.Bool("update", false, "write the goldens anew")
	flag.Parse()
	os.Exit(m.Run())
}

// TestGolden translates the objects in in.yaml of each file. The first words of
// the comment may choose the Config: "plain" is that of Kubernetes, "await"
// waits for Envoy.
func TestGolden(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no goldens: %v", err)
	}
	material := newMaterial(t)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			golden(t, file, material)
		})
	}
}

func golden(t *testing.T, file string, material *strings.Replacer) {
	t.Helper()
	a, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	c := filesConfig()
	if strings.HasPrefix(string(a.Comment), "plain") {
		c = plainConfig()
	}
	c.AwaitEnvoy = strings.Contains(string(a.Comment), "await")
	tr := newTranslator(t, c)
	r := tr.Apply(source.Delta{Upserts: read(t, material.Replace(string(a.Files[0].Data)))}, noon())
	got := map[string]string{
		"graph.yaml": show(t, r.Graph),
		"feed.yaml":  strings.ReplaceAll(show(t, r.Feed), r.Feed.Revision, "REVISION"),
		"status":     showStatuses(r.Statuses),
	}
	next := &txtar.Archive{Comment: a.Comment, Files: a.Files[:1]}
	for _, f := range a.Files[1:] {
		if diff := cmp.Diff(string(f.Data), got[f.Name]); diff != "" && !update() {
			t.Errorf("%s (-want +got):\n%s", f.Name, diff)
		}
		next.Files = append(next.Files, txtar.File{Name: f.Name, Data: []byte(got[f.Name])})
	}
	if len(a.Files) < 2 {
		t.Error("no golden in the file: add status, graph.yaml or feed.yaml")
	}
	if update() {
		if err := os.WriteFile(file, txtar.Format(next), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
