package testdocs

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/internal/testenv"
)

// reader is somebody who follows a page.
type reader struct {
	t     *testing.T
	world *world
	shell *shell
	dir   string
	// running is the process of hopgate run, in the shell's words; empty: none.
	running string
	// log is what it shows.
	log string
}

// follow does everything that a page says, in order.
func follow(t *testing.T, p page, w *world) {
	dir := testenv.ShortDir(t)
	r := &reader{t: t, world: w, dir: dir, shell: newShell(t, dir, w.environment(dir))}
	t.Cleanup(func() {
		if t.Failed() && r.log != "" {
			t.Logf("hopgate run shows:\n%s", r.shell.read(r.log))
		}
	})
	for _, b := range p.blocks {
		r.block(b)
	}
	r.stop()
}

func (r *reader) block(b block) {
	switch b.verb {
	case "skip", "client":
		return
	case "if":
		if _, code := r.shell.do(b.arg); code != 0 {
			r.t.Logf("%s: not typed, since this machine lacks something: %s", b.at(), b.arg)
			return
		}
	case "file":
		write(r.t, filepath.Join(r.dir, b.arg), r.world.real(b.text))
		return
	case "shown":
		r.shown(b)
		return
	case "stop":
		r.stop()
		return
	}
	if b.lang != "sh" && b.lang != "console" {
		return
	}
	for _, c := range b.commands(complete) {
		r.command(b, c)
	}
}

// shown waits for the lines of a block to be shown by hopgate run.
func (r *reader) shown(b block) {
	for line := range strings.Lines(b.text) {
		want := pattern([]string{strings.TrimSpace(r.world.real(line))}, true)
		found := func() bool {
			for have := range strings.Lines(r.shell.read(r.log)) {
				if want.MatchString(strings.TrimSpace(plain(have)) + "\n") {
					return true
				}
			}
			return false
		}
		if r.log == "" {
			r.t.Fatalf("%s: nothing runs", b.at())
		}
		testenv.Wait(r.t, fmt.Sprintf("%s to be shown: %s", b.at(), line), found)
	}
}

func (r *reader) command(b block, c command) {
	where := fmt.Sprintf("%s:%d", b.page, c.line)
	if strings.HasPrefix(c.text, "hopgate run ") {
		r.start(where, c)
		return
	}
	printed, code := r.shell.do(r.world.real(c.text))
	r.adopt()
	switch {
	case b.lang == "sh" || len(c.prints) == 0:
		if code != 0 {
			r.t.Errorf("%s: %s\nended with %d:\n%s", where, c.text, code, printed)
		}
		if b.lang == "console" && strings.TrimSpace(printed) != "" {
			r.t.Errorf("%s: %s\nprints, and the page does not say so:\n%s", where, c.text, printed)
		}
	case !pattern(r.lines(c.prints), false).MatchString(plain(without(printed))):
		r.t.Errorf("%s: %s\nprints:\n%s\nand not:\n%s", where, c.text, without(printed), strings.Join(r.lines(c.prints), "\n"))
	}
}

func (r *reader) lines(prints []string) []string {
	return strings.Split(r.world.real(strings.Join(prints, "\n")), "\n")
}

// without leaves out what is there for the sake of the test.
func without(printed string) string {
	var b strings.Builder
	for line := range strings.Lines(printed) {
		if !strings.Contains(line, "docs-world") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// adopt puts objects that a command has written into this world.
func (r *reader) adopt() {
	err := filepath.WalkDir(r.dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".yaml" {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if text := r.world.real(string(raw)); text != string(raw) {
			return os.WriteFile(path, []byte(text), 0o600)
		}
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

// start runs the gateway beside the shell, in place of one that runs already,
// and waits until it is ready.
func (r *reader) start(where string, c command) {
	r.stop()
	log := fmt.Sprintf("%s/.run-%d", r.dir, r.shell.n)
	pid, code := r.shell.do(fmt.Sprintf("%s >%s 2>&1 & echo $!", r.world.real(c.text), log))
	if code != 0 {
		r.t.Fatalf("%s: %s: %s", where, c.text, pid)
	}
	r.running, r.log = strings.TrimSpace(pid), log
	testenv.Wait(r.t, where+": the gateway to be ready", func() bool {
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		res, err := client.Get("http://127.0.0.1:" + r.world.health + "/readyz")
		if err != nil {
			return false
		}
		defer res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
	if len(c.prints) == 0 {
		return
	}
	want := pattern(r.lines(c.prints), true)
	testenv.Wait(r.t, fmt.Sprintf("%s: %s to print\n%s", where, c.text, strings.Join(c.prints, "\n")), func() bool {
		return want.MatchString(plain(without(r.shell.read(log))))
	})
}

// stop ends what runs, and wants a good end.
func (r *reader) stop() {
	if r.running == "" {
		return
	}
	if _, code := r.shell.do("kill " + r.running + " && wait " + r.running); code != 0 {
		r.t.Errorf("hopgate run ended with %d:\n%s", code, r.shell.read(r.log))
	}
	r.running = ""
}
