package testdocs

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"sigs.k8s.io/yaml"

	"github.com/hopgate/hopgate/internal/testenv"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestPages follows every page, and checks the objects that it shows.
func TestPages(t *testing.T) {
	t.Parallel()
	testenv.Envoy(t)
	bin := program(t)
	for _, p := range pages(t) {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, bin)
			follow(t, p, w)
			for _, b := range p.blocks {
				if b.lang == "yaml" && b.verb != "skip" && strings.Contains(b.text, "kind: ") {
					good(t, b, w)
				}
			}
		})
	}
	t.Run("commands", func(t *testing.T) {
		t.Parallel()
		commandsExist(t, filepath.Join(bin, "hopgate"))
	})
}

// good has hopgate check look at the objects of a block. Those in namespace
// agents stand beside what they refer to.
func good(t *testing.T, b block, w *world) {
	t.Helper()
	dir := testenv.ShortDir(t)
	write(t, filepath.Join(dir, "block.yaml"), w.real(b.text))
	args := []string{"check", "-f", "block.yaml"}
	if strings.Contains(b.text, "namespace: agents") {
		scene, err := filepath.Abs(filepath.Join("testdata", "agents.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		args = append(args, "-f", scene)
	}
	hopgate := filepath.Join(w.bin, "hopgate")
	if strings.Contains(b.text, "tls: Inspect") {
		ca := exec.Command(hopgate, "ca", "init")
		ca.Env = w.environment(dir)
		if out, err := ca.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", b.at(), err, out)
		}
	}
	cmd := exec.Command(hopgate, args...)
	cmd.Dir, cmd.Env = dir, w.environment(dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", b.at(), err, out)
	}
}

// commandsExist asks for help about each command that a page names.
func commandsExist(t *testing.T, hopgate string) {
	named := regexp.MustCompile(`(?m)(?:^|\$ |\$\(|\| )hopgate ((?:(?:audit|ca|token|completion) )?[a-z]+)`)
	seen := map[string]bool{}
	for _, p := range pages(t) {
		for _, m := range named.FindAllStringSubmatch(code(p), -1) {
			if seen[m[1]] {
				continue
			}
			seen[m[1]] = true
			if out, err := exec.Command(hopgate, append([]string{"help"}, strings.Fields(m[1])...)...).CombinedOutput(); err != nil {
				t.Errorf("%s names hopgate %s: %s", p.name, m[1], out)
			}
		}
	}
	if len(seen) < 8 {
		t.Errorf("pages name %d commands only: %v", len(seen), seen)
	}
}

// code is what a page has in code: between backticks, or in a shell.
func code(p page) string {
	var b strings.Builder
	for _, m := range regexp.MustCompile("`([^`\n]+)`").FindAllStringSubmatch(p.text, -1) {
		b.WriteString(m[1] + "\n")
	}
	for _, bl := range p.blocks {
		if bl.lang == "sh" || bl.lang == "console" {
			b.WriteString(bl.text)
		}
	}
	return b.String()
}

// Blocks say what they are, and few are not tried.
func TestBlocks(t *testing.T) {
	t.Parallel()
	languages := []string{"sh", "console", "yaml", "json", "text"}
	var skipped, tried, typed int
	for _, p := range pages(t) {
		for _, b := range p.blocks {
			if !slices.Contains(languages, b.lang) {
				t.Errorf("%s: a block of %q, want one of %v", b.at(), b.lang, languages)
			}
			if b.lang == "json" && !json.Valid([]byte(b.text)) {
				t.Errorf("%s: it is no JSON", b.at())
			}
			switch {
			case b.verb == "skip":
				skipped++
				if len(b.arg) < 12 {
					t.Errorf("%s: %q is no reason", b.at(), b.arg)
				}
			case b.verb == "client":
				// e2e/clients types it, and counts
			case b.verb == "if":
				tried++
			case b.verb != "type" && b.verb != "stop" && (b.lang == "sh" || b.lang == "console"):
				typed += len(b.commands(complete))
			}
		}
	}
	if skipped > 3 || tried > 7 {
		t.Errorf("%d blocks are not typed, %d on some machines only", skipped, tried)
	}
	if typed < 30 {
		t.Errorf("only %d commands are typed", typed)
	}
}

// The policy of the README is the one that init writes.
func TestFirstPolicy(t *testing.T) {
	t.Parallel()
	var shown, written any
	for _, p := range pages(t) {
		for _, b := range p.blocks {
			if b.lang == "yaml" && p.name == "README.md" && shown == nil {
				if err := yaml.Unmarshal([]byte(b.text), &shown); err != nil {
					t.Fatal(err)
				}
				if n := strings.Count(b.text, "\n"); n > 15 {
					t.Errorf("%s: it has %d lines", b.at(), n)
				}
			}
		}
	}
	raw, err := os.ReadFile(filepath.Join(testenv.Root(t), "cmd", "hopgate", "start", "policy.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(raw, &written); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(written, shown); diff != "" {
		t.Errorf("the README shows another policy than init writes (-init +README):\n%s", diff)
	}
}

// texts are the pages, and those that are for people who work on hopgate.
func texts(t *testing.T) []page {
	t.Helper()
	all := pages(t)
	for _, name := range []string{"ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"} {
		raw, err := os.ReadFile(filepath.Join(testenv.Root(t), name))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, page{name: name, text: string(raw)})
	}
	return all
}

// Folders that a page names are there.
func TestFolders(t *testing.T) {
	t.Parallel()
	root := testenv.Root(t)
	folder := regexp.MustCompile("`((?:cmd|gateway|xds|authz|internal|examples|docs|e2e|config)(?:/[a-z0-9.{},_-]+)+)`")
	n := 0
	for _, p := range texts(t) {
		for _, m := range folder.FindAllStringSubmatch(p.text, -1) {
			for _, path := range alternatives(m[1]) {
				n++
				if _, err := os.Stat(filepath.Join(root, path)); err != nil {
					t.Errorf("%s names %s: %v", p.name, path, err)
				}
			}
		}
	}
	if n < 15 {
		t.Errorf("only %d folders are named", n)
	}
}

// alternatives are a/b and a/c of a/{b,c}.
func alternatives(path string) []string {
	before, rest, ok := strings.Cut(path, "{")
	inside, after, closed := strings.Cut(rest, "}")
	if !ok || !closed {
		return []string{path}
	}
	var out []string
	for a := range strings.SplitSeq(inside, ",") {
		out = append(out, before+a+after)
	}
	return out
}

// Links lead somewhere, and every page is linked from the README.
func TestLinks(t *testing.T) {
	t.Parallel()
	root := testenv.Root(t)
	link := regexp.MustCompile(`\]\(([^)#\s]+)(#[^)]*)?\)`)
	linked := map[string]bool{}
	all := texts(t)
	for _, p := range all {
		for _, m := range link.FindAllStringSubmatch(p.text, -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			to := filepath.Join(filepath.Dir(p.name), m[1])
			if _, err := os.Stat(filepath.Join(root, to)); err != nil {
				t.Errorf("%s links to %s: %v", p.name, m[1], err)
			}
			if p.name == "README.md" {
				linked[filepath.ToSlash(to)] = true
			}
		}
	}
	for _, p := range all {
		if p.name != "README.md" && !linked[p.name] {
			t.Errorf("the README does not link to %s", p.name)
		}
	}
}
