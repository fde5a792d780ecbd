package e2e

import (
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/cmd/hopgate/laptop"
	"github.com/hopgate/hopgate/internal/testenv"
	"github.com/hopgate/hopgate/internal/testgateway"
)

// The secrets of the gateway, which nobody but their backends sees. A percent
// sign is what Envoy's formatters would read.
const (
	modelSecret = "sk-7f31-%REQ(txn-token)%-model"
	fileSecret  = "sk-9c02-%%-file"
)

const modelObjects = `
apiVersion: hopgate.dev/v1alpha1
kind: Credential
metadata: {name: models}
spec: {targetRef: {kind: Service, name: models}, prefix: "Bearer ", secret: {type: Environment, environment: MODEL_KEY}}
---
apiVersion: hopgate.dev/v1alpha1
kind: Credential
metadata: {name: page}
spec: {targetRef: {kind: Service, name: page}, header: x-api-key, secret: {type: File, file: page.key}}
---
apiVersion: hopgate.dev/v1alpha1
kind: Credential
metadata: {name: absent}
spec: {targetRef: {kind: Service, name: absent}, secret: {type: Environment, environment: NO_SUCH_KEY}}
---
`

// provider is a model provider that keeps a hash of each body.
type provider struct {
	*upstream
	bodies chan [32]byte
	// heard is a client that has read the first part of a streamed answer.
	heard chan struct{}
}

func newProvider(t testing.TB) *provider {
	t.Helper()
	p := &provider{bodies: make(chan [32]byte, 8), heard: make(chan struct{})}
	p.upstream = newUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		p.bodies <- sha256.Sum256(b)
		if !strings.Contains(string(b), `"stream":true`) {
			fmt.Fprint(w, `{"choices":[{"message":{"content":"42"}}]}`)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, "data: forty\n\n")
		if http.NewResponseController(w).Flush() != nil {
			return
		}
		select {
		case <-p.heard:
			fmt.Fprint(w, "data: two\n\n")
		case <-r.Context().Done():
		}
	})
	return p
}

func newModels(t testing.TB) (*testgateway.Gateway, *provider) {
	t.Helper()
	p := newProvider(t)
	health := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(testenv.Port(t)))
	g := testgateway.Run(t, map[string]string{
		"gateway.yaml": testgateway.Listeners + config() + service("models", p.port(), openAI, "/v1") + service("page", p.port(), plain, "/page") +
			service("absent", p.port(), plain, "/absent") + modelObjects,
		"page.key": fileSecret + "\n",
		"policy.yaml": policy("all", allow("models", "{type: Models, models: [{providers: [{name: models}], names: ['small-*']}]}"),
			allow("pages", "{type: HTTP, http: [{methods: [GET, POST]}]}")),
	}, testgateway.HealthOn(health), func(c *laptop.Config) {
		c.Getenv = func(name string) string {
			if name == "MODEL_KEY" {
				return modelSecret
			}
			return os.Getenv(name)
		}
	})
	return g, p
}

func chat(g *testgateway.Gateway, model, prompt string, stream bool) call {
	return call{
		method: "POST", path: "/v1/chat/completions", token: g.Token(), contentType: "application/json",
		body:   fmt.Sprintf(`{"model":%q,"stream":%t,"messages":[{"role":"user","content":%q}]}`, model, stream, prompt),
		header: map[string]string{"Authorization": "Bearer of-the-agent"},
	}
}

// TestModels: a long request and a streamed answer pass as they are, a model
// that is not listed is denied in the provider's own words, and the credential
// is the gateway's.
func TestModels(t *testing.T) {
	t.Parallel()
	g, p := newModels(t)
	long := chat(g, "small-1", strings.Repeat("x", 300<<10), false)
	long.do(t, g).want(t, 200, "")
	if <-p.bodies != sha256.Sum256([]byte(long.body)) {
		t.Error("the request was changed on its way")
	}
	for _, tc := range []struct{ name, path, body, code string }{
		{"another model", "/v1/chat/completions", `{"model":"large-1","messages":[]}`, "no_rule"},
		{"two models", "/v1/chat/completions", `{"model":"small-1","model":"large-1","messages":[]}`, "body_unreadable"},
		{"a model in another case", "/v1/chat/completions", `{"model":"small-1","Model":"large-1","messages":[]}`, "body_unreadable"},
		{"no model", "/v1/chat/completions", `{"messages":[]}`, "body_unreadable"},
		{"another operation", "/v1/images/generations", `{"model":"small-1","prompt":"x"}`, "no_rule"},
		{"no operation", "/v1/files", `{"model":"small-1"}`, ""},
	} {
		a := call{method: "POST", path: tc.path, token: g.Token(), contentType: "application/json", body: tc.body}.do(t, g)
		if a.status < 400 || a.status > 404 || tc.code != "" && a.code() != tc.code || !strings.HasPrefix(a.body, `{"error":{"message":`) {
			t.Errorf("%s: %d %q %s", tc.name, a.status, a.code(), a.body)
		}
	}
	streamed(t, g, p)
	get(t, g, "/page/x", g.Token()).want(t, 200, "")
	get(t, g, "/absent/x", g.Token()).want(t, 503, "credential_unavailable")
	for _, r := range p.requests() {
		want := map[bool][2]string{true: {"Bearer " + modelSecret, ""}, false: {"", fileSecret}}[strings.HasPrefix(r.URL.Path, "/v1/")]
		if got := [2]string{r.Header.Get("Authorization"), r.Header.Get("X-Api-Key")}; got != want {
			t.Errorf("%s has %q, want %q", r.URL.Path, got, want)
		}
	}
	if n := len(p.requests()); n != 3 {
		t.Errorf("%d requests came through, want 3", n)
	}
}

// streamed reads a streamed answer part by part: the second is sent only when
// the first has come.
func streamed(t *testing.T, g *testgateway.Gateway, p *provider) {
	t.Helper()
	c := chat(g, "small-1", "x", true)
	res, err := newClient(t).Do(request(t, c.method, g.URL(c.path), c.token, c.body))
	if err != nil {
		t.Fatal(err)
	}
	first := make([]byte, len("data: forty\n\n"))
	if _, err := io.ReadFull(res.Body, first); err != nil {
		t.Fatal(err)
	}
	close(p.heard)
	if rest := read(t, res).body; string(first) != "data: forty\n\n" || rest != "data: two\n\n" {
		t.Errorf("the answer is %q, %q", first, rest)
	}
	end := g.Recorded(t, "the end of the answer", func(r audit.Record) bool { return r.Kind == audit.KindEnd && r.BytesOut == 24 })
	if end.End != audit.EndDone || end.Status != 200 {
		t.Errorf("it ended as %q, %d", end.End, end.Status)
	}
}

// TestSecretsStayHidden: what is put on requests is to be seen nowhere else,
// and neither are tokens.
func TestSecretsStayHidden(t *testing.T) {
	t.Parallel()
	g, _ := newModels(t)
	token := g.Token()
	answers := []answer{
		chat(g, "small-1", "x", false).do(t, g), chat(g, "large-1", "x", false).do(t, g),
		get(t, g, "/page/x", token), get(t, g, "/nowhere", token), get(t, g, "/absent/x", token),
	}
	shown := map[string]string{"the log": g.Log.String(), "what people are told": g.Told.String()}
	for i, a := range answers {
		shown[fmt.Sprint("answer ", i)] = fmt.Sprint(a.header, a.body)
	}
	for _, page := range []string{"/config_dump?include_eds", "/stats", "/clusters", "/listeners", "/server_info", "/certs", "/runtime", "/memory"} {
		text, err := g.Envoy().Admin().Get(t.Context(), page)
		if err != nil {
			t.Fatal(err)
		}
		shown["Envoy's "+page] = text
	}
	req, err := http.NewRequestWithContext(t.Context(), "GET", fmt.Sprintf("http://%s/metrics", g.HealthAddress()), nil)
	if err != nil {
		t.Fatal(err)
	}
	shown["the metrics"] = send(t, newClient(t), req).body
	if err := g.Stop(); err != nil {
		t.Fatal(err)
	}
	for name, text := range stateFiles(t, g.State) {
		shown["the state folder's "+name] = text
	}
	for where, text := range shown {
		for _, secret := range []string{modelSecret, fileSecret, "sk-7f31", "sk-9c02", strings.Split(token, ".")[2], "of-the-agent"} {
			if strings.Contains(text, secret) {
				t.Errorf("%s shows %q", where, secret)
			}
		}
	}
	if !strings.Contains(shown["Envoy's /config_dump?include_eds"], "hopgate.dev") && len(shown["the state folder's audit.jsonl"]) == 0 {
		t.Error("nothing was looked at")
	}
}

func stateFiles(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		out[filepath.Base(path)] = string(raw)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestUserTextIsNoFormat: what users write into headers is not a format that
// would hand out what others sent.
func TestUserTextIsNoFormat(t *testing.T) {
	t.Parallel()
	u := newUpstream(t, nil)
	g := testgateway.Run(t, map[string]string{
		"gateway.yaml": testgateway.Listeners + config() + backend("page", u.port(), plain) + `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: page}
spec:
  parentRefs: [{name: egress, sectionName: agents}]
  rules:
  - matches: [{path: {type: PathPrefix, value: /page}}]
    filters:
    - {type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: x-mine, value: "100% %REQ(authorization)% %%"}]}}
    backendRefs: [{name: page, port: 80}]
`,
		"policy.yaml": policy("all", allow("pages", "{type: HTTP, http: [{methods: [GET]}]}")),
	})
	call{method: "GET", path: "/page/x", token: g.Token(), header: map[string]string{"Authorization": "of-the-agent"}}.do(t, g).want(t, 200, "")
	if got := u.requests()[0].Header.Get("X-Mine"); got != "100% %REQ(authorization)% %%" {
		t.Errorf("the header is %q", got)
	}
}
