package file

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hopgate/hopgate/gateway/source"
	"github.com/hopgate/hopgate/gateway/source/schema"
)

const goodService = `apiVersion: v1
kind: Service
metadata: {name: good}
spec: {ports: [{port: 80}]}
`

func serviceText(name string, port int) string {
	return fmt.Sprintf("apiVersion: v1\nkind: Service\nmetadata: {name: %s}\nspec: {ports: [{port: %d}]}\n", name, port)
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// load reads a folder once, and returns the names of the services and the
// problems, without the folder.
func load(t testing.TB, dir string) (services, problems string) {
	t.Helper()
	s, err := New(Config{Paths: []string{dir}})
	if err != nil {
		t.Fatal(err)
	}
	return summary(s.Load(), dir)
}

func summary(d source.Delta, dir string) (services, problems string) {
	var names, texts []string
	for _, o := range d.Upserts {
		names = append(names, o.Ref.Name)
	}
	for _, p := range d.Problems {
		texts = append(texts, strings.ReplaceAll(p.String(), dir+"/", ""))
	}
	return strings.Join(names, " "), strings.Join(texts, "\n")
}

// TestBadFiles holds that a bad file has its problem, and its neighbour serves.
func TestBadFiles(t *testing.T) {
	t.Parallel()
	random := make([]byte, 100_000)
	for i, r := 0, rand.New(rand.NewPCG(1, 2)); i < len(random); i++ {
		random[i] = byte(r.Uint32())
	}
	for _, tc := range []struct{ name, text, want string }{
		{
			"10 MB", strings.Repeat("# comment\n", 1<<20),
			"bad.yaml: the file has 10485760 bytes, more than the 4194304 that are read; split it (not served)",
		},
		{"random bytes", string(random), "bad.yaml:1:1: byte 0x86 is not UTF-8; save it as UTF-8 text (not served)"},
		{"NUL bytes", "\x00\x00\x00\x00", "bad.yaml:1:1: NUL byte: this is no text; save it as UTF-8 text (not served)"},
		{"UTF-16", "\xff\xfea\x00:\x00", "bad.yaml:1:1: is UTF-16; save it as UTF-8 (not served)"},
		{
			"truncated", "apiVersion: v1\nkind: Service\nmetadata: {name: x",
			"bad.yaml:3:1: Service: is no YAML: did not find expected ',' or '}'; close the bracket, or put the value in quotes (not served)",
		},
		{
			"a large document", "a: |\n" + strings.Repeat("  0123456789\n", 130_000),
			"bad.yaml:1:1: the document has 1690005 bytes, more than the 1572864 of an object; split it (not served)",
		},
		{
			"many documents", strings.Repeat("---\na\n", maxFileDocuments+1),
			"bad.yaml: the file has 10001 documents, more than the 10000 that are read; split it (not served)",
		},
		{"empty", "", "bad.yaml: the file is empty; remove the file to remove its objects"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, filepath.Join(dir, "good.yaml"), goodService)
			write(t, filepath.Join(dir, "bad.yaml"), tc.text)
			services, problems := load(t, dir)
			if services != "good" || problems != tc.want {
				t.Errorf("serves %q with\n%s\nwant\n%s", services, problems, tc.want)
			}
		})
	}
}

// TestTruncatedAnywhere cuts a file at each byte: what comes before the cut is
// read, nothing panics, and nothing of the document that was cut is invented.
func TestTruncatedAnywhere(t *testing.T) {
	t.Parallel()
	whole := serviceText("first", 80) + "---\n" + routeText(1)
	docs := documents{checker: schema.New(), shown: "a.yaml", dir: "/"}
	first := len(serviceText("first", 80))
	for cut := range len(whole) {
		for i, c := range split([]byte(whole[:cut])) {
			o := docs.read(c)
			// Within the marker of the next document the first has two dashes more.
			if i == 0 && (cut == first || cut >= first+len("---")) && o.state != good {
				t.Fatalf("cut at %d: the first document is not good: %v", cut, o.problems)
			}
			if o.state == bad && len(o.problems) == 0 {
				t.Fatalf("cut at %d: bad without a problem", cut)
			}
		}
	}
}

func TestProblemsAreBounded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.yaml"), strings.Repeat("---\nkeys: []\n", 3000)+strings.Repeat("---\ntext\n", 500))
	s, err := New(Config{Paths: []string{dir}})
	if err != nil {
		t.Fatal(err)
	}
	problems := s.Load().Problems
	if len(problems) != maxProblems+1 {
		t.Fatalf("problems: %d", len(problems))
	}
	errors := 0
	for _, p := range problems {
		if p.Severity == source.Error {
			errors++
		}
	}
	// All the errors, though they come last in the file, and the last line.
	if errors != 501 || problems[maxProblems].Message != "and 2500 more problems" {
		t.Errorf("errors: %d, last: %s", errors, problems[maxProblems])
	}
}

// TestTotalSize holds that files in order of their path are read until there
// is no more room.
func TestTotalSize(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	filler := "#" + strings.Repeat("x", maxFileBytes-100) + "\n"
	for i := range maxTotalBytes / maxFileBytes {
		write(t, filepath.Join(dir, fmt.Sprintf("a%02d.yaml", i)), filler)
	}
	write(t, filepath.Join(dir, "b.yaml"), goodService)
	services, problems := load(t, dir)
	if services != "good" || problems != "" {
		t.Fatalf("%q\n%s", services, problems)
	}
	write(t, filepath.Join(dir, "a99.yaml"), filler)
	services, problems = load(t, dir)
	if services != "good" || !strings.HasPrefix(problems, "a99.yaml: all files together have more than the 67108864 bytes that are read; name fewer files (not served)") {
		t.Errorf("%q\n%s", services, problems)
	}
}

// TestOnlyWhatChangedIsParsed counts the documents that are parsed.
func TestOnlyWhatChangedIsParsed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for i := range 20 {
		write(t, filepath.Join(dir, fmt.Sprintf("%02d.yaml", i)), serviceText(fmt.Sprintf("s%d", i), 80)+"---\n"+serviceText(fmt.Sprintf("t%d", i), 80))
	}
	f := &files{checker: schema.New()}
	parse := func() int { return updateFrom(f, dir, time.Now()) }
	if got := parse(); got != 40 {
		t.Errorf("first: %d", got)
	}
	if got := parse(); got != 0 {
		t.Errorf("nothing changed: %d", got)
	}
	write(t, filepath.Join(dir, "07.yaml"), serviceText("s7", 81)+"---\n"+serviceText("t7", 80))
	if got := parse(); got != 1 {
		t.Errorf("one document of one file changed: %d", got)
	}
	write(t, filepath.Join(dir, "08.yaml"), "# moved\n\n"+serviceText("s8", 80)+"---\n"+serviceText("t8", 80))
	if got := parse(); got != 1 {
		t.Errorf("a comment before the first document: %d", got)
	}
}

// TestSecondWriteInOneTick holds that a change is seen that shows in no time
// and no size of the file.
func TestSecondWriteInOneTick(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "a.yaml")
	write(t, path, serviceText("a", 80))
	at := time.Now()
	f := &files{checker: schema.New()}
	set := func(text string) {
		write(t, path, text)
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	set(serviceText("a", 80))
	updateFrom(f, dir, at.Add(time.Second))
	set(serviceText("a", 81))
	if got := updateFrom(f, dir, at.Add(time.Second)); got != 1 {
		t.Errorf("within a second the change is not seen: %d", got)
	}
	// Later the times are trusted: what has them is not read again.
	updateFrom(f, dir, at.Add(time.Minute))
	p := f.byPath[path]
	updateFrom(f, dir, at.Add(time.Minute))
	if f.byPath[path] != p {
		t.Error("a file that did not change is read again")
	}
}

func TestValuesAreShared(t *testing.T) {
	t.Parallel()
	r := newRunner(t, schema.New())
	r.step(map[string][]byte{"a.yaml": []byte(serviceText("a", 80))})
	ref := source.Ref{Kind: "Service", Namespace: "default", Name: "a"}
	before := r.before[ref]
	r.step(map[string][]byte{"b.yaml": []byte("# elsewhere, and other text\n" + strings.Replace(serviceText("a", 80), "port: 80", "port:  80", 1))})
	after := r.before[ref]
	if after.Value != before.Value || after.Hash != before.Hash || after.Origin == before.Origin {
		t.Errorf("before %+v, after %+v", before, after)
	}
}

func TestLocateObject(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.yaml"), "# x\n"+serviceText("a", 80)+"---\n"+serviceText("b", 81))
	write(t, filepath.Join(dir, "c.json"), `{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"k": "v"}}`)
	s, err := New(Config{Paths: []string{dir}})
	if err != nil {
		t.Fatal(err)
	}
	s.Load()
	for _, tc := range []struct {
		kind, name, field, want string
	}{
		{"Service", "b", "spec.ports[0].port", "a.yaml:10:17"},
		{"Service", "a", "", "a.yaml:2:1"},
		{"ConfigMap", "c", "data.k", "c.json:1:79"},
		{"Service", "none", "", ":0:0"},
	} {
		file, line, column := s.Locate(source.Ref{Kind: tc.kind, Namespace: "default", Name: tc.name}, tc.field)
		if got := fmt.Sprintf("%s:%d:%d", strings.TrimPrefix(file, dir+"/"), line, column); got != tc.want {
			t.Errorf("%s %s: got %s, want %s", tc.name, tc.field, got, tc.want)
		}
	}
}

func TestLocateBroken(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.yaml"), "\napiVersion: hopgate.dev/v1alpha1\nkind: AccessPolicy\nmetadata: {name: a, namespace: ns}\nspec: [\n")
	s, err := New(Config{Paths: []string{dir}})
	if err != nil {
		t.Fatal(err)
	}
	s.Load()
	ref := source.Ref{Group: source.GroupHopgate, Kind: "AccessPolicy", Namespace: "ns", Name: "a"}
	if file, line, column := s.Locate(ref, "spec"); filepath.Base(file) != "a.yaml" || line != 2 || column != 0 {
		t.Errorf("%s:%d:%d", file, line, column)
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for _, paths := range [][]string{nil, {}, {""}, {"a", ""}} {
		if _, err := New(Config{Paths: paths}); err == nil {
			t.Errorf("%q is accepted", paths)
		}
	}
	s, err := New(Config{Paths: []string{"a"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Run(t.Context()); err == nil {
		t.Error("Run without a Sink is accepted")
	}
}

// panics is a reader that fails as no library should.
func TestPanicIsAProblem(t *testing.T) {
	t.Parallel()
	docs := documents{checker: nil, shown: "a.yaml"}
	o := docs.read(chunk{line: 3, document: 1, text: []byte("apiVersion: hopgate.dev/v1alpha1\nkind: AccessPolicy\nmetadata: {name: a}\n")})
	if o.state != bad || len(o.problems) != 1 || o.problems[0].Line != 3 || o.broken == nil || !o.broken.Broken.TargetsUnknown {
		t.Errorf("%+v", o)
	}
}

// TestNoSecretInProblems looks for a secret in everything that is said of
// documents in which it stands where it should not.
func TestNoSecretInProblems(t *testing.T) {
	t.Parallel()
	checker := schema.New()
	frame := "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData:\n  password: %s\n"
	for _, value := range []string{
		"*hunter2", "&hunter2", "!hunter2", "!!hunter2 x", "%hunter2", "@hunter2", "`hunter2", "\"hunter2", "'hunter2",
		"{hunter2", "[hunter2", "hunter2: x", "|hunter2", ">hunter2", "\\hunter2", "\"\\hunter2\"", "hunter2\n hunter2:", "\thunter2", "hunter2\x00", "hunter2\xff",
		"0777700777", "123456789012345678901234567890", "{hunter2: hunter2}", "[hunter2]", "!!binary hunter2", "!!int hunter2", "? hunter2", "- hunter2",
	} {
		for _, asJSON := range []bool{false, true} {
			docs := documents{checker: checker, shown: "a.yaml", json: asJSON}
			o := docs.read(chunk{line: 1, document: 1, text: fmt.Appendf(nil, frame, value)})
			for _, p := range o.problems {
				if strings.Contains(p.Message+p.Mend, "hunter2") || strings.Contains(p.Message, "7777") || strings.Contains(p.Message, "1234567") {
					t.Errorf("%q: %s", value, p)
				}
			}
		}
	}
}

func FuzzLoad(f *testing.F) {
	for _, seed := range []string{
		goodService, routeText(1), "", "---\n---\n", "a: &a [*a]", "\xff\xfe", "\ufeffa: b\r\n---\r\n", "? [a]\n: {b: c}", "\r\r\r?",
		"apiVersion: hopgate.dev/v1alpha1\nkind: AccessPolicy\nmetadata: {name: a, namespace: ns}\nspec:\n  rules: [{name: a, action: Allow, to: {type: Hosts, hosts: [{names: [x]}]}}]\n",
		"apiVersion: hopgate.dev/v1alpha1\nkind: GatewayConfig\nmetadata: {name: a}\nspec: {limits: {bodyBytes: {tools: 1e-9}}}\n",
		"apiVersion: gateway.networking.x-k8s.io/v1alpha1\nkind: XBackend\nmetadata: {name: a}\nspec: {type: ExternalHostname, port: {number: 1}, externalHostname: {hostname: a.b}}\n",
		"apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {a: b}\n",
		`{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"\u0061": "\ud83d\ude00"}}`,
		"apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: a, labels: {kubernetes.io/service-name: a}}\naddressType: IPv4\nendpoints: [{addresses: [127.0.0.1]}]\n",
	} {
		f.Add([]byte(seed), false)
		f.Add([]byte(seed), true)
	}
	checker := schema.New()
	f.Fuzz(func(t *testing.T, text []byte, asJSON bool) {
		name := "a.yaml"
		if asJSON {
			name = "a.json"
		}
		dir := t.TempDir()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := New(Config{Paths: []string{dir}, Checker: checker})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		d := s.Load()
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("it took %v", took)
		}
		checkDelta(t, d, text)
	})
}

// checkDelta holds what is true of each Delta of one file.
func checkDelta(t *testing.T, d source.Delta, text []byte) {
	lines := 1
	// YAML 1.1 has more line ends than editors show.
	for _, end := range []string{"\n", "\r", "\u0085", "\u2028", "\u2029"} {
		lines += bytes.Count(text, []byte(end))
	}
	for _, o := range d.Upserts {
		if o.Value == nil || o.Ref.Name == "" || o.Hash == "" || o.Value.GetName() != o.Ref.Name || o.Value.GetNamespace() != o.Ref.Namespace {
			t.Errorf("object %+v", o)
		}
		if o.Origin.Line < 1 || o.Origin.Line > lines {
			t.Errorf("%s is at line %d of %d", o.Ref, o.Origin.Line, lines)
		}
	}
	for _, p := range d.Problems {
		if p.Message == "" || p.Severity == "" || p.Line > lines+1 {
			t.Errorf("problem %+v in %d lines", p, lines)
		}
	}
}

// updateFrom lists a folder and reads it.
func updateFrom(f *files, dir string, now time.Time) int {
	l := scan([]string{dir})
	return f.update(&l, now)
}

// TestAFolderThatGoesWhileItIsRead loses nothing: files that are listed and
// are not there went alone, or their folder did.
func TestAFolderThatGoesWhileItIsRead(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "config")
	write(t, filepath.Join(dir, "a.yaml"), serviceText("a", 80))
	s, err := New(Config{Paths: []string{dir}})
	if err != nil {
		t.Fatal(err)
	}
	s.Load()
	listed := scan([]string{dir})
	must(t, os.Rename(dir, dir+".away"))
	if s.files.update(&listed, time.Now()); !listed.torn || len(s.files.byPath) != 1 {
		t.Errorf("torn %v, files %v: what is gone was not kept", listed.torn, s.paths())
	}
	if d := s.Load(); len(d.Upserts) != 1 {
		t.Errorf("%d objects serve on, want 1", len(d.Upserts))
	}
	must(t, os.Rename(dir+".away", dir))
	must(t, os.Remove(filepath.Join(dir, "a.yaml")))
	if d := s.Load(); len(d.Upserts) != 0 {
		t.Errorf("%d objects serve, want none: the file was removed", len(d.Upserts))
	}
}
