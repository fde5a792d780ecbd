package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/authz/audit"
	places "github.com/hopgate/hopgate/authz/surface/egress"
	"github.com/hopgate/hopgate/internal/testcorpus"
	"github.com/hopgate/hopgate/internal/testgateway"
)

// TestCorpusPaths tries the path of each row about paths on a plain request to
// the proxy, and on a route. The proxy refuses what the row says that it must.
// A route is chosen by the path, and Envoy normalises that before anybody
// chooses or judges: whatever comes through, the backend sees the one path that
// was judged, in a form that has one reading.
func TestCorpusPaths(t *testing.T) {
	t.Parallel()
	site := newUpstream(t, said("site"))
	hosts := map[bool]string{false: "site.example:" + site.port(), true: "keep.example:" + site.port()}
	g := testgateway.Run(t, map[string]string{
		"gateway.yaml": testgateway.Listeners + config(egress("", hosts[false], hosts[true])),
		"site.yaml":    service("site", site.port(), plain, "/"),
		"policy.yaml": policy("paths",
			fmt.Sprintf(`{name: proxy, to: {type: HTTP, http: [{hosts: [site.example], ports: [%s], methods: [GET], paths: ["/public/**"]}]}, action: Allow}`, site.port()),
			`{name: route, to: {type: HTTP, http: [{hosts: [route.example], methods: [GET], paths: ["/public/**"]}]}, action: Allow}`,
			fmt.Sprintf(`{name: keep, to: {type: HTTP, http: [{hosts: [keep.example, keep-route.example], ports: [%s, ${HTTP}], methods: [GET], paths: ["/public/**"], encodedSlashes: Keep}]}, action: Allow}`, site.port())),
	})
	token := g.Token()
	tried := 0
	for _, r := range testcorpus.Rows(t) {
		if r.Class != "path" || r.Path == "" || !r.Rules.Inspect || r.Setup.Method != "" {
			continue
		}
		tried++
		host := hosts[r.Rules.EncodedSlash]
		before := len(site.paths())
		got := statusOf(t, g.Proxy, "GET http://"+host+r.Path+" HTTP/1.1\r\nHost: "+host+"\r\n"+proxyAuth(token)+"\r\n")
		came := site.paths()[before:]
		if allowed := got == http.StatusOK; allowed != (r.Expect == testcorpus.Allow) || allowed != (len(came) == 1) {
			t.Errorf("%s by the proxy: answer %d, and the site saw %q, want %s (%s)", r.ID, got, came, r.Expect, r.Why)
		}
		onRoute(t, g, site, &r, token)
	}
	if tried < 60 {
		t.Errorf("only %d paths were tried", tried)
	}
}

// onRoute tries a path on a route.
func onRoute(t *testing.T, g *testgateway.Gateway, site *upstream, r *testcorpus.Row, token string) {
	t.Helper()
	host, read := "route.example", places.CanonicalPath
	if r.Rules.EncodedSlash {
		host, read = "keep-route.example", places.KeptPath
	}
	before := len(site.paths())
	got := statusOf(t, g.HTTP, "GET "+r.Path+" HTTP/1.1\r\nHost: "+host+"\r\nTxn-Token: "+token+"\r\n\r\n")
	came := site.paths()[before:]
	if got != http.StatusOK {
		if r.Expect == testcorpus.Allow || len(came) > 0 {
			t.Errorf("%s on a route: answer %d, and the site saw %q, want %s (%s)", r.ID, got, came, r.Expect, r.Why)
		}
		return
	}
	seen := site.requests()
	judged, err := read(seen[len(seen)-1].RequestURI)
	if err != nil || !strings.HasPrefix(judged, "/public/") {
		t.Errorf("%s on a route: the site saw %q, which is read as %q, %v (%s)", r.ID, came[0], judged, err, r.Why)
		return
	}
	g.Recorded(t, "the path that was judged", func(rec audit.Record) bool {
		return rec.Kind == audit.KindBegin && rec.Host == host && rec.Path == judged
	})
}

// statusOf is that of the answer to raw bytes; 0: there is none.
func statusOf(t *testing.T, port int, request string) int {
	t.Helper()
	c := dial(t, port)
	defer c.Close()
	c.say(t, request)
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0
	}
	_, _ = io.Copy(io.Discard, res.Body) // it may end as it likes
	return res.StatusCode
}
