package clients

import (
	"bytes"
	"io"
	"net/http"
	"net/http/cgi"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// repositories is a Git server of the smart protocol (gitprotocol-http(5)):
// git's own.
func (s *site) repositories(t testing.TB) http.Handler {
	t.Helper()
	bin, err := exec.LookPath("git")
	if err != nil {
		return http.NotFoundHandler()
	}
	root := t.TempDir()
	for _, name := range names {
		repository(t, root, name)
	}
	server := &cgi.Handler{
		Path: bin, Args: []string{"http-backend"}, Dir: root,
		Env: []string{"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_NOSYSTEM=1", "HOME=" + root},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/endless.git/git-upload-pack") {
			asked, err := io.ReadAll(r.Body)
			if err != nil {
				return // who asked has gone
			}
			if bytes.Contains(asked, []byte("command=fetch")) {
				w.Header().Set("Content-Type", "application/x-git-upload-pack-result")
				_, _ = w.Write([]byte("000dpackfile\n")) // who asked may have gone
				s.stop(w, r)
				return
			}
			r.Body = io.NopCloser(bytes.NewReader(asked))
		}
		server.ServeHTTP(w, r)
	})
}

// repository makes a bare one, with one file.
func repository(t testing.TB, root, name string) {
	t.Helper()
	src := filepath.Join(t.TempDir(), name)
	git(t, root, "init", "-q", "-b", "main", src)
	if err := os.WriteFile(filepath.Join(src, "README"), []byte(says(name)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	git(t, src, "add", "README")
	git(t, src, "commit", "-q", "-m", "hello")
	git(t, root, "clone", "-q", "--bare", src, name+".git")
}

func git(t testing.TB, dir string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", append([]string{"-c", "user.name=e2e", "-c", "user.email=e2e@example.com"}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
}
