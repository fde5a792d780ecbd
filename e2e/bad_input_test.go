package e2e

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/cmd/hopgate/laptop"
	"github.com/hopgate/hopgate/internal/testenv"
	"github.com/hopgate/hopgate/internal/testgateway"
)

// badFile is a file that a gateway should not have been given, and what people
// are told of it.
type badFile struct {
	name, file string
	text       string
	told       []string
}

func badFiles() []badFile {
	random := make([]byte, 64<<10)
	r := rand.NewChaCha8([32]byte{7})
	_, _ = r.Read(random) // it never fails
	whole := route("half", "page", "/half")
	return []badFile{
		{"random bytes", "random.yaml", string(random), []string{"random.yaml"}},
		{"10 MB", "large.yaml", strings.Repeat("# nothing\n", 1<<20), []string{"large.yaml", "4194304"}},
		{"10 MB of one value", "long.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: " + strings.Repeat("x", 10<<20) + "}\n", []string{"long.yaml"}},
		{"truncated YAML", "half.yaml", whole[:strings.Index(whole, "backendRefs")+8], []string{"half.yaml:", "HTTPRoute/half"}},
		{"truncated JSON", "half.json", `{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"`, []string{"half.json:1:"}},
		{"an object twice", "twice.yaml", route("twice", "page", "/one") + route("twice", "page", "/two"), []string{"twice.yaml:12:", "HTTPRoute/default/twice"}},
		{"an object of another file", "copy.yaml", backend("page", "1", plain), []string{"EndpointSlice/default/page"}},
		{"a key twice", "keys.yaml", strings.Replace(route("keys", "page", "/keys"), "spec:", "spec: {}\nspec:", 1), []string{"keys.yaml:6:", "spec"}},
		{"an unknown kind", "kind.yaml", "apiVersion: hopgate.dev/v1alpha1\nkind: Widget\nmetadata: {name: x}\n", []string{"kind.yaml:", "Widget"}},
		{"a reference to nothing", "nothing.yaml", route("nothing", "nobody", "/nothing"), []string{"HTTPRoute/default/nothing", "ResolvedRefs", "nobody"}},
		{"a cycle", "cycle.yaml", "a: &a {b: *a}\n", []string{"cycle.yaml:"}},
		{"aliases without end", "aliases.yaml", aliases(), []string{"aliases.yaml:"}},
		{"a regular expression", "regex.yaml", strings.Replace(route("regex", "page", "/a(b"), "PathPrefix", "RegularExpression", 1), []string{"HTTPRoute/default/regex", "no regular expression"}},
		{"a look ahead", "ahead.yaml", strings.Replace(route("ahead", "page", "/(?=x)"), "PathPrefix", "RegularExpression", 1), []string{"HTTPRoute/default/ahead"}},
		{"a large expression", "program.yaml", strings.Replace(route("program", "page", "/(ab?){600}"), "PathPrefix", "RegularExpression", 1), []string{"HTTPRoute/default/program", "instructions"}},
	}
}

// aliases is a small text that is a large value.
func aliases() string {
	var b strings.Builder
	b.WriteString("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n")
	for i := 1; i < 12; i++ {
		n, last := string(rune('a'+i)), string(rune('a'+i-1))
		if i == 1 {
			last = "a0"
		}
		b.WriteString(n + ": &" + n + " [" + strings.Repeat("*"+last+",", 9) + "*" + last + "]\n")
	}
	return b.String()
}

// TestBadInput: whatever lies in the folder besides, people are told where it
// is wrong and everything else is served.
func TestBadInput(t *testing.T) {
	t.Parallel()
	u := newUpstream(t, nil)
	g := testgateway.New(t, map[string]string{
		"gateway.yaml": testgateway.Listeners + config() + service("page", u.port(), plain, "/page"),
		"policy.yaml":  policy("all", allow("all", "{type: HTTP, http: [{paths: ['/page/**']}]}")),
	})
	g.Write("random.yaml", badFiles()[0].text)
	if err := os.Symlink(g.Files, filepath.Join(g.Files, "loop")); err != nil {
		t.Fatal(err)
	}
	g.Launch()
	testenv.Wait(t, "the gateway to be ready", g.Ready)
	for _, b := range badFiles() {
		g.Write(b.file, b.text)
		told(t, g, b.told...)
		becomes(t, g, "/page/x", 200)
		if err := os.Remove(filepath.Join(g.Files, b.file)); err != nil {
			t.Fatal(err)
		}
	}
	g.Write("last.yaml", route("last", "page", "/page/last"))
	becomes(t, g, "/page/last", 200)
}

// TestCostlyPolicy: an expression beyond the bound is refused at its policy,
// which then denies what it guards; what it does not guard is open.
func TestCostlyPolicy(t *testing.T) {
	t.Parallel()
	u := newUpstream(t, nil)
	g := testgateway.Run(t, map[string]string{
		"gateway.yaml": testgateway.Listeners + config() + service("page", u.port(), plain, "/page") + service("guarded", u.port(), plain, "/guarded"),
		"policy.yaml":  policy("all", allow("all", "{type: HTTP, http: [{paths: ['/**']}]}")),
		"costly.yaml": strings.Replace(policy("costly",
			`{name: costly, to: {type: HTTP, http: [{paths: ['/**']}]}, when: ["scopes.all(a, scopes.all(b, scopes.all(c, scopes.all(d, a + b != c + d))))"], action: Allow}`),
			"kind: Gateway, name: egress", "kind: HTTPRoute, name: guarded", 1),
	})
	told(t, g, "AccessPolicy/default/costly", "cost")
	becomes(t, g, "/page/x", 200)
	get(t, g, "/guarded/x", g.Token()).want(t, 403, "policy_rejected")
}

// TestLongStatePath: a state folder whose path is too long for a socket is no
// obstacle.
func TestLongStatePath(t *testing.T) {
	t.Parallel()
	u := newUpstream(t, nil)
	g := testgateway.New(t, map[string]string{
		"gateway.yaml": testgateway.Listeners + config() + service("page", u.port(), plain, "/page"),
		"policy.yaml":  policy("all", allow("all", "{type: HTTP, http: [{paths: ['/page/**']}]}")),
	})
	g.State = filepath.Join(g.State, strings.Repeat("long/", 40))
	long := filepath.Join(t.TempDir(), strings.Repeat("r", 120))
	for _, dir := range []string{g.State, long} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	g.Launch(func(c *laptop.Config) {
		c.Getenv = func(name string) string {
			if name == "XDG_RUNTIME_DIR" {
				return long
			}
			return os.Getenv(name)
		}
	})
	testenv.Wait(t, "the gateway to be ready", g.Ready)
	becomes(t, g, "/page/x", 200)
	if n := len(g.Socket()); n > 107 {
		t.Errorf("the socket's path has %d bytes", n)
	}
}

// TestForeignProcess: another process at the guard's socket, of the same user
// too, is not answered, and it shows in the log.
func TestForeignProcess(t *testing.T) {
	t.Parallel()
	u := newUpstream(t, nil)
	g := pages(t, u)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), roleEnv+"="+roleDialler, doorEnv+"="+g.Socket())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("another process was let in: %v: %s", err, out)
	}
	testenv.Wait(t, "a word in the log", func() bool {
		return strings.Contains(g.Log.String(), "refused a process at the guard's socket")
	})
	get(t, g, "/page/x", g.Token()).want(t, 200, "")
	if st, err := os.Stat(filepath.Dir(g.Socket())); err != nil || st.Mode().Perm() != 0o700 {
		t.Errorf("the socket's folder is %v, %v", st.Mode(), err)
	}
}
