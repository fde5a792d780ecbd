package testdocs

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/hopgate/hopgate/cmd/hopgate/laptop"
	"github.com/hopgate/hopgate/internal/testenv"
)

// edit is one change of the program's source: what stands there once, and what
// stands there instead.
type edit struct{ file, from, to string }

// edits put the program into the world of a page. The rest is as it is.
func edits() []edit {
	const builtIn = "gateway/translate/builtin.go"
	return []edit{
		{builtIn, `Port: 3128,`, `Port: docsPort("HOPGATE_DOCS_PROXY"),`},
		{builtIn, `Port: 8080,`, `Port: docsPort("HOPGATE_DOCS_HTTP"),`},
		{builtIn, "\t\tGatewayClassName: builtInClass,\n", "\t\tGatewayClassName: builtInClass,\n" + `
			Infrastructure: &gatewayv1.GatewayInfrastructure{ParametersRef: &gatewayv1.LocalParametersReference{
				Group: source.GroupHopgate, Kind: kindConfig, Name: docsWorld,
			}},` + "\n"},
		{builtIn, "wanted.add(newGateway())\n", "wanted.add(newGateway())\n\t\twanted.add(docsConfig())\n"},
		{"cmd/hopgate/run.go", `"127.0.0.1:9900"`, `"127.0.0.1:" + os.Getenv("HOPGATE_DOCS_HEALTH")`},
	}
}

// program builds hopgate for the world of a page, and returns the folder that it
// is in. What stands in place of a source is an overlay of the Go command: the
// tree is not touched.
func program(t *testing.T) string {
	t.Helper()
	root, dir := testenv.Root(t), t.TempDir()
	replace := map[string]string{
		filepath.Join(root, "gateway", "translate", "docs_world.go"): filepath.Join(root, "internal", "testdocs", "testdata", "world.go.txt"),
	}
	// What is read here and imported below makes a result of this test as old as
	// the program: go test would not know of what go build reads.
	sources, err := filepath.Glob(filepath.Join(root, "cmd", "hopgate", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range sources {
		if _, err := os.Stat(f); err != nil {
			t.Fatal(err)
		}
	}
	texts := map[string]string{}
	for _, e := range edits() {
		text, ok := texts[e.file]
		if !ok {
			raw, err := os.ReadFile(filepath.Join(root, e.file))
			if err != nil {
				t.Fatal(err)
			}
			text = string(raw)
		}
		if n := strings.Count(text, e.from); n != 1 {
			t.Fatalf("%s has %q %d times: edits must follow what it has become", e.file, e.from, n)
		}
		texts[e.file] = strings.Replace(text, e.from, e.to, 1)
	}
	for file, text := range texts {
		to := filepath.Join(dir, strings.ReplaceAll(file, "/", "_"))
		write(t, to, text)
		replace[filepath.Join(root, file)] = to
	}
	raw, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	overlay := filepath.Join(dir, "overlay.json")
	write(t, overlay, string(raw))
	bin := filepath.Join(dir, "bin")
	cmd := exec.Command("go", "build", "-overlay", overlay, "-o", filepath.Join(bin, "hopgate"), "./cmd/hopgate")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build hopgate: %v\n%s", err, out)
	}
	return bin
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
