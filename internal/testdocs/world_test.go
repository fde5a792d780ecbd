package testdocs

import (
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/internal/testenv"
)

// world is what is around a page: free ports in place of the documented ones,
// and a site that stands for example.com and the names below it.
type world struct {
	bin, envoy string
	// roots is a PEM file that clients trust the site by.
	roots string
	// tls and plain are the site's ports, in place of 443 and 80.
	tls, plain string
	// proxy, http and health are in place of 3128, 8080 and 9900, names of 5353.
	proxy, http, health, names string
	// goEnv has the Go command build with what it has built before.
	goEnv []string
}

// newWorld starts the site. Each page has ports of its own.
func newWorld(t *testing.T, bin string) *world {
	t.Helper()
	site := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello from %s\n", strings.Split(r.Host, ":")[0])
	})
	mux := http.NewServeMux()
	mux.Handle("/", site)
	mux.Handle("/hello.git/", http.StripPrefix("/hello.git/", http.FileServer(http.Dir(repository(t)))))
	mux.Handle("/simple/hello/", packages(t))
	secure, open := httptest.NewTLSServer(mux), httptest.NewServer(mux)
	t.Cleanup(secure.Close)
	t.Cleanup(open.Close)
	w := &world{bin: bin, envoy: testenv.Envoy(t), roots: filepath.Join(t.TempDir(), "roots.pem")}
	write(t, w.roots, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw})))
	w.tls, w.plain = port(t, secure.URL), port(t, open.URL)
	out, err := exec.Command("go", "env", "GOCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	w.goEnv = []string{"GOCACHE=" + strings.TrimSpace(string(out))}
	free := []int{testenv.Port(t), testenv.Port(t), testenv.Port(t)}
	slices.Sort(free) // what is shown in order stays in that order
	w.proxy, w.http, w.health = strconv.Itoa(free[0]), strconv.Itoa(free[1]), strconv.Itoa(free[2])
	w.names = strconv.Itoa(testenv.Port(t))
	return w
}

func port(t *testing.T, raw string) string {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u.Port()
}

// real is a text of a page as it is in this world: the one place where the two
// differ. To change a text twice makes no difference.
func (w *world) real(text string) string {
	for _, p := range []struct{ documented, here string }{
		{`\b3128\b`, w.proxy},
		{`\b8080\b`, w.http},
		{`\b9900\b`, w.health},
		{`\b5353\b`, w.names},
		{`\bport: 443\b`, "port: " + w.tls},
		{`\bports: 443  is 443\b`, "ports: " + w.tls + "  is " + w.tls},
		{`\[443\]`, "[" + w.tls + "]"},
		{`\[80\]`, "[" + w.plain + "]"},
		{`(example\.com):443\b`, "${1}:" + w.tls},
		{`(example\.com):80\b`, "${1}:" + w.plain},
		{`(https://(?:[a-z]+\.)?example\.com)([^:a-z.-]|$)`, "${1}:" + w.tls + "${2}"},
		{`(http://(?:[a-z]+\.)?example\.com)([^:a-z.-]|$)`, "${1}:" + w.plain + "${2}"},
	} {
		text = regexp.MustCompile(p.documented).ReplaceAllString(text, p.here)
	}
	return text
}

// environment is that of a page's shell: its own home, and this world's roots for
// every client.
func (w *world) environment(home string) []string {
	env := []string{
		"HOME=" + home, "TMPDIR=" + home, "PATH=" + w.bin + string(os.PathListSeparator) + os.Getenv("PATH"), "LANG=C", "NO_COLOR=1",
		"ENVOY_PATH=" + w.envoy,
		"HOPGATE_DOCS_PROXY=" + w.proxy, "HOPGATE_DOCS_HTTP=" + w.http, "HOPGATE_DOCS_HEALTH=" + w.health,
		"HOPGATE_DOCS_TLS=" + w.tls, "HOPGATE_DOCS_PLAIN=" + w.plain,
		"CURL_CA_BUNDLE=" + w.roots, "SSL_CERT_FILE=" + w.roots, "REQUESTS_CA_BUNDLE=" + w.roots, "NODE_EXTRA_CA_CERTS=" + w.roots,
		"GIT_SSL_CAINFO=" + w.roots, "PIP_CERT=" + w.roots, "PIP_INDEX_URL=https://packages.example.com:" + w.tls + "/simple/",
		"PIP_DISABLE_PIP_VERSION_CHECK=1", "PIP_CONFIG_FILE=" + os.DevNull, "GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_CONFIG_SYSTEM=" + os.DevNull,
	}
	for _, keep := range []string{"NODE_PATH", "PYENV_ROOT"} {
		if v := os.Getenv(keep); v != "" {
			env = append(env, keep+"="+v)
		}
	}
	return append(env, w.goEnv...)
}

// repository is a folder with a bare Git repository that any web server can
// serve.
func repository(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if _, err := exec.LookPath("git"); err != nil {
		return dir
	}
	for _, args := range [][]string{
		{"init", "-q", "-b", "main", "src"},
		{"-C", "src", "commit", "-q", "--allow-empty", "-m", "hello"},
		{"clone", "-q", "--bare", "src", "bare"},
		{"-C", "bare", "update-server-info"},
	} {
		cmd := exec.Command("git", append([]string{"-c", "user.name=docs", "-c", "user.email=docs@example.com"}, args...)...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_SYSTEM="+os.DevNull)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	return filepath.Join(dir, "bare")
}
