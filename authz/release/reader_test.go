package release

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/hopgate/hopgate/authz/surface/registry"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/internal/testenv"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// straight leads to loopback, or fails.
type straight struct{ err error }

func (s straight) Addresses(context.Context, string, uint16) ([]netip.Addr, error) {
	return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, s.err
}

// index is a registry that answers by h, and counts how often it was asked.
type index struct {
	feedv1.Registry
	asked atomic.Int32
	url   *url.URL
}

func newIndex(t *testing.T, protocol string, h http.HandlerFunc) *index {
	t.Helper()
	x := &index{Registry: feedv1.Registry{Ref: "XBackend/agents/x", Protocol: protocol, Hostname: "registry.example", Path: "/curated"}}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x.asked.Add(1)
		h(w, r)
	}))
	t.Cleanup(s.Close)
	var err error
	if x.url, err = url.Parse(s.URL); err != nil {
		t.Fatal(err)
	}
	port, err := strconv.ParseUint(x.url.Port(), 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	x.Port = uint16(port)
	return x
}

func newReader(t *testing.T, c Config) *Reader {
	t.Helper()
	if c.Wait == 0 {
		c.Wait = time.Minute
	}
	r, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

const (
	pypiPage = `{"meta":{"api-version":"1.1"},"files":[
{"filename":"a-1.0.tar.gz","url":"https://files.example/packages/a-1.0.tar.gz","upload-time":"2026-01-02T03:04:05.678Z"},
{"filename":"a-2.0.tar.gz","url":"../../packages/a-2.0.tar.gz","upload-time":"2026-02-02T00:00:00Z"},
{"filename":"a-3.0.tar.gz","url":"https://files.example/packages/a-3.0.tar.gz"},
{"filename":"a-4.0.tar.gz","url":"https://files.example/packages/a-4.0.tar.gz","upload-time":"yesterday"},
{"filename":"a-6.0+cpu.tar.gz","url":"https://files.example/packages/a-6.0%2Bcpu.tar.gz","upload-time":"2026-01-02T00:00:00Z"},
{"filename":"a-7.0.tar.gz","url":"https://files.example/packages/a-7.0.tar.gz","upload-time":"0001-01-01T00:00:00Z"},
{"filename":"a-8.0.tar.gz","url":"https://files.example/packages/x%2Fa-8.0.tar.gz","upload-time":"2026-01-02T00:00:00Z"},
{"filename":"a-5.0.tar.gz","url":"https://files.example/packages/a-5.0.tar.gz","upload-time":"2020-02-02T00:00:00Z"},
{"filename":"a-5.0.tar.gz","url":"https://files.example/packages/b/a-5.0.tar.gz","upload-time":"2020-02-02T00:00:00Z"}]}`
	npmPage   = `{"name":"@a/b","time":{"created":"2020-01-01T00:00:00.000Z","1.0.0":"2026-01-02T03:04:05.678Z","2.5.0":"1970-01-01T00:00:00.000Z","unpublished":{"time":"x"}},"versions":{"1.0.0":{"time":{"3.0.0":"2020-01-01T00:00:00Z"}}}}`
	cargoPage = `{"name":"a","vers":"1.0.0","pubtime":"2026-01-02T03:04:05Z"}
{"name":"a","vers":"0.9.0"}
{"name":"a","vers":"0.8.0","pubtime":"1970-01-01T00:00:00Z"}
`
)

func answers(t *testing.T, path, kind, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.EscapedPath() != path {
			t.Errorf("asked for %s, want %s", r.URL.EscapedPath(), path)
		}
		if kind != "" {
			w.Header().Set("content-type", kind)
		}
		fmt.Fprint(w, text)
	}
}

func TestPublished(t *testing.T) {
	t.Parallel()
	pypiAt := func(file, host, path string) Question {
		return Question{Name: "a", File: file, Host: host, Port: 443, Path: path}
	}
	for _, tc := range []struct {
		name, protocol, path, kind, text string
		q                                Question
		want                             string
	}{
		{"python", registry.PyPI, "/curated/simple/a/", typePyPI, pypiPage, pypiAt("a-1.0.tar.gz", "files.example", "/packages/a-1.0.tar.gz"), "2026-01-02T03:04:05.678Z"},
		{"python, on a route", registry.PyPI, "/curated/simple/a/", typePyPI, pypiPage, pypiAt("a-1.0.tar.gz", "", "/packages/a-1.0.tar.gz"), "2026-01-02T03:04:05.678Z"},
		{"python, of another host", registry.PyPI, "/curated/simple/a/", typePyPI, pypiPage, pypiAt("a-1.0.tar.gz", "evil.example", "/packages/a-1.0.tar.gz"), "unknown"},
		{"python, at another path", registry.PyPI, "/curated/simple/a/", typePyPI, pypiPage, pypiAt("a-1.0.tar.gz", "files.example", "/evil/a-1.0.tar.gz"), "unknown"},
		{"python, listed by a relative URL", registry.PyPI, "/curated/simple/a/", typePyPI, pypiPage, pypiAt("a-2.0.tar.gz", "", "/curated/packages/a-2.0.tar.gz"), "2026-02-02T00:00:00Z"},
		{"python, without a time", registry.PyPI, "/curated/simple/a/", typePyPI, pypiPage, pypiAt("a-3.0.tar.gz", "files.example", "/packages/a-3.0.tar.gz"), "unknown"},
		{"python, with no time", registry.PyPI, "/curated/simple/a/", typePyPI, pypiPage, pypiAt("a-4.0.tar.gz", "files.example", "/packages/a-4.0.tar.gz"), "unknown"},
		{"python, listed twice", registry.PyPI, "/curated/simple/a/", typePyPI, pypiPage, pypiAt("a-5.0.tar.gz", "files.example", "/packages/a-5.0.tar.gz"), "unknown"},
		{"python, of a local version", registry.PyPI, "/curated/simple/a/", typePyPI, pypiPage, pypiAt("a-6.0+cpu.tar.gz", "files.example", "/packages/a-6.0+cpu.tar.gz"), "2026-01-02T00:00:00Z"},
		{"python, at no time", registry.PyPI, "/curated/simple/a/", typePyPI, pypiPage, pypiAt("a-7.0.tar.gz", "files.example", "/packages/a-7.0.tar.gz"), "unknown"},
		{"python, at a path that no request has", registry.PyPI, "/curated/simple/a/", typePyPI, pypiPage, pypiAt("a-8.0.tar.gz", "files.example", ""), "unknown"},
		{"python, an index of HTML", registry.PyPI, "/curated/simple/a/", "text/html", "<html>", pypiAt("a-1.0.tar.gz", "files.example", "/packages/a-1.0.tar.gz"), "unknown"},
		{"python, no JSON", registry.PyPI, "/curated/simple/a/", typePyPI, "{", pypiAt("a-1.0.tar.gz", "files.example", "/packages/a-1.0.tar.gz"), "error"},
		{"npm", registry.NPM, "/curated/@a%2fb", "application/json", npmPage, Question{Name: "@a/b", Version: "1.0.0"}, "2026-01-02T03:04:05.678Z"},
		{"npm, another version", registry.NPM, "/curated/@a%2fb", "application/json", npmPage, Question{Name: "@a/b", Version: "2.0.0"}, "unknown"},
		{"npm, at no time", registry.NPM, "/curated/@a%2fb", "application/json", npmPage, Question{Name: "@a/b", Version: "2.5.0"}, "unknown"},
		{"npm, a time that is not the document's", registry.NPM, "/curated/@a%2fb", "application/json", npmPage, Question{Name: "@a/b", Version: "3.0.0"}, "unknown"},
		{"npm, half a document", registry.NPM, "/curated/@a%2fb", "application/json", `{"time":{"1.0.0":"2026-01-02T03:04:05Z"}`, Question{Name: "@a/b", Version: "1.0.0"}, "error"},
		{"npm, no object", registry.NPM, "/curated/@a%2fb", "application/json", `[]`, Question{Name: "@a/b", Version: "1.0.0"}, "error"},
		{"cargo, at no time", registry.Cargo, "/curated/1/a", "", cargoPage, Question{Name: "a", Version: "0.8.0"}, "unknown"},
		{"cargo", registry.Cargo, "/curated/1/a", "", cargoPage, Question{Name: "a", Version: "1.0.0"}, "2026-01-02T03:04:05Z"},
		{"cargo, before it was said", registry.Cargo, "/curated/1/a", "", cargoPage, Question{Name: "a", Version: "0.9.0"}, "unknown"},
		{"cargo, no JSON", registry.Cargo, "/curated/1/a", "", "x\n", Question{Name: "a", Version: "1.0.0"}, "error"},
		{"a protocol that does not say", registry.OCI, "", "", "", Question{Name: "a", Version: "latest"}, "unknown"},
		{"no name", registry.NPM, "", "", "", Question{}, "unknown"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			x := newIndex(t, tc.protocol, answers(t, tc.path, tc.kind, tc.text))
			tc.q.Index, tc.q.Exit = &x.Registry, straight{}
			at, err := newReader(t, Config{}).Published(t.Context(), &tc.q)
			got := at.Format(time.RFC3339Nano)
			switch {
			case errors.Is(err, ErrUnknown):
				got = "unknown"
			case err != nil:
				got = "error"
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}

// What goes wrong is an error, and not kept: who asks again tries again.
func TestFailures(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		h    http.HandlerFunc
		exit straight
		c    Config
		want string
	}{
		"a redirect is not followed": {h: func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) }, want: "it answers 302"},
		"an error":                   {h: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, want: "it answers 500"},
		"too long":                   {h: func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, `{"x":%q}`, strings.Repeat("y", 4096)) }, c: Config{Bytes: 1024}, want: errTooLong.Error()},
		"no address":                 {h: func(http.ResponseWriter, *http.Request) {}, exit: straight{errors.New("it is private")}, want: "it is private"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := newIndex(t, registry.NPM, tc.h)
			r := newReader(t, tc.c)
			for range 2 {
				_, err := r.Published(t.Context(), &Question{Index: &x.Registry, Name: "a", Version: "1", Exit: tc.exit})
				if err == nil || !strings.Contains(err.Error(), tc.want) || errors.Is(err, ErrUnknown) {
					t.Errorf("%v, want %s", err, tc.want)
				}
			}
			if n := x.asked.Load(); tc.exit.err == nil && n != 2 {
				t.Errorf("asked %d times", n)
			}
		})
	}
}

// A package that is gone has no releases.
func TestGone(t *testing.T) {
	t.Parallel()
	x := newIndex(t, registry.NPM, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) })
	if _, err := newReader(t, Config{}).Published(t.Context(), &Question{Index: &x.Registry, Name: "a", Version: "1", Exit: straight{}}); !errors.Is(err, ErrUnknown) {
		t.Errorf("%v", err)
	}
}

// The list is asked for once; what it does not have is looked for again, not
// sooner than Again.
func TestKept(t *testing.T) {
	t.Parallel()
	var now atomic.Int64
	clock := func() time.Time { return time.Unix(now.Load(), 0) }
	x := newIndex(t, registry.NPM, answers(t, "/curated/a", "", `{"time":{"1.0.0":"2026-01-02T03:04:05Z"}}`))
	r := newReader(t, Config{Now: clock, Keep: 10 * time.Minute, Again: 30 * time.Second})
	for _, step := range []struct {
		at      int64
		version string
		asked   int32
	}{
		{0, "1.0.0", 1}, {29, "1.0.0", 1}, {29, "2.0.0", 1}, {31, "2.0.0", 2}, {32, "2.0.0", 2}, {100, "1.0.0", 2}, {700, "1.0.0", 3},
	} {
		now.Store(step.at)
		_, err := r.Published(t.Context(), &Question{Index: &x.Registry, Name: "a", Version: step.version, Exit: straight{}, Headers: [][2]string{{"authorization", "Bearer x"}}})
		if (err == nil) != (step.version == "1.0.0") || err != nil && !errors.Is(err, ErrUnknown) {
			t.Errorf("at %d: %v", step.at, err)
		}
		if n := x.asked.Load(); n != step.asked {
			t.Errorf("at %d it was asked %d times, want %d", step.at, n, step.asked)
		}
	}
}

// What one Gateway or XBackend was told is not another one's: it may lead
// elsewhere, or have another credential.
func TestKeptApart(t *testing.T) {
	t.Parallel()
	x := newIndex(t, registry.NPM, answers(t, "/curated/a", "", `{"time":{"1.0.0":"2026-01-02T03:04:05Z"}}`))
	r := newReader(t, Config{})
	other := x.Registry
	other.Ref = "XBackend/others/x"
	for i, q := range []Question{
		{Gateway: "agents/egress", Index: &x.Registry}, {Gateway: "others/egress", Index: &x.Registry}, {Gateway: "agents/egress", Index: &other},
	} {
		q.Name, q.Version, q.Exit = "a", "1.0.0", straight{}
		if _, err := r.Published(t.Context(), &q); err != nil {
			t.Error(err)
		}
		if n := x.asked.Load(); n != int32(i)+1 {
			t.Errorf("asked %d times after %d", n, i+1)
		}
	}
}

// Lists that are long make room by themselves.
func TestEntries(t *testing.T) {
	t.Parallel()
	x := newIndex(t, registry.NPM, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"time":{"1.0.0":"2026-01-02T03:04:05Z","2.0.0":"2026-01-02T03:04:05Z"}}`)
	})
	r := newReader(t, Config{Entries: 5})
	ask := func(name string) {
		if _, err := r.Published(t.Context(), &Question{Index: &x.Registry, Name: name, Version: "1.0.0", Exit: straight{}}); err != nil {
			t.Error(err)
		}
	}
	for i, tc := range []struct {
		name  string
		asked int32
	}{{"a", 1}, {"b", 2}, {"a", 2}, {"c", 3}, {"a", 3}, {"b", 4}} {
		ask(tc.name)
		if n := x.asked.Load(); n != tc.asked {
			t.Errorf("step %d: asked %d times, want %d", i, n, tc.asked)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.entries != 4 || r.lists.Len() != 2 {
		t.Errorf("%d entries in %d lists", r.entries, r.lists.Len())
	}
}

// Who waits too long is told so, and whoever asks later finds the answer. Of
// many that ask at once few are asked for.
func TestSlow(t *testing.T) {
	t.Parallel()
	let := make(chan struct{})
	x := newIndex(t, registry.NPM, func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-let:
		case <-r.Context().Done():
		}
		fmt.Fprint(w, `{"time":{"1.0.0":"2026-01-02T03:04:05Z"}}`)
	})
	r := newReader(t, Config{AtOnce: 1, Fetch: time.Minute, Wait: time.Minute})
	q := Question{Index: &x.Registry, Name: "a", Version: "1.0.0", Exit: straight{}}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Published(ctx, &q); !errors.Is(err, ErrLate) {
		t.Errorf("%v", err)
	}
	other := q
	other.Name = "b"
	if _, err := r.Published(t.Context(), &other); !errors.Is(err, ErrBusy) {
		t.Errorf("%v", err)
	}
	close(let)
	testenv.Wait(t, "the answer", func() bool { _, err := r.Published(t.Context(), &q); return err == nil })
	if n := x.asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

// An index that is slow leaves room to ask others.
func TestSlowIndex(t *testing.T) {
	t.Parallel()
	x := newIndex(t, registry.NPM, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	y := newIndex(t, registry.NPM, answers(t, "/curated/a", "", `{"time":{"1.0.0":"2026-01-02T03:04:05Z"}}`))
	y.Ref = "XBackend/agents/y"
	r := newReader(t, Config{AtOnce: 4, Fetch: time.Minute})
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for _, name := range []string{"a", "b"} {
		if _, err := r.Published(gone, &Question{Index: &x.Registry, Name: name, Version: "1.0.0", Exit: straight{}}); !errors.Is(err, ErrLate) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := r.Published(t.Context(), &Question{Index: &x.Registry, Name: "c", Version: "1.0.0", Exit: straight{}}); !errors.Is(err, ErrBusy) {
		t.Errorf("one more of the slow one: %v", err)
	}
	if _, err := r.Published(t.Context(), &Question{Index: &y.Registry, Name: "a", Version: "1.0.0", Exit: straight{}}); err != nil {
		t.Errorf("another one: %v", err)
	}
}

func FuzzAnswers(f *testing.F) {
	for _, s := range []string{pypiPage, npmPage, cargoPage, "", "{}", "[]", "null", `{"files":[{"url":"%zz"}]}`, `{"time":null}`} {
		f.Add(s)
	}
	page, err := url.Parse("http://registry.example/simple/a/")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, s string) {
		files, err := readPyPI(strings.NewReader(s), page)
		for name, x := range files {
			if err != nil || x.published.IsZero() && !strings.Contains(s, "0001-01-01") || x.host == "" {
				t.Errorf("%q is listed as %+v, %v", name, x, err)
			}
		}
		if list, err := readNPM(strings.NewReader(s)); err != nil && list != nil {
			t.Errorf("npm: %v, %v", list, err)
		}
		if list, err := readCargo(strings.NewReader(s)); err != nil && len(list) > maxListed {
			t.Errorf("cargo: %d, %v", len(list), err)
		}
	})
}
