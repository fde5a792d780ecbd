package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/internal/testenv"
	"github.com/hopgate/hopgate/internal/testgateway"
)

// attempt is one row of the corpus of attempts to get out, which the packages
// below this one are held to too: the same row must fare alike everywhere.
type attempt struct {
	ID     string   `json:"id"`
	Expect string   `json:"expect"`
	Target *string  `json:"target"`
	Host   *string  `json:"host"`
	Path   string   `json:"path"`
	Inside []string `json:"inside"`
	Hosts  []string `json:"hosts"`
	LeftTo string   `json:"left_to"`
	Gives  string   `json:"gives"`
	Why    string   `json:"why"`
}

func corpus(t testing.TB) []attempt {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(testenv.Root(t), "authz", "surface", "egress", "testdata", "corpus.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var out []attempt
	for line := range bytes.Lines(raw) {
		var a attempt
		if err := json.Unmarshal(line, &a); err != nil {
			t.Fatal(err)
		}
		out = append(out, a)
	}
	return out
}

// exits are the settings by which a row wants to get out, and one host more
// that shows when they are in force.
func (a attempt) exits(resolver, marker string) string {
	hosts := []string{"{name: " + marker + ", addresses: [10.96.0.8], ports: [443]}"}
	for _, h := range a.Hosts {
		hosts = append(hosts, "{name: "+h+", addresses: [10.96.0.7], ports: [443]}")
	}
	var ranges []string
	for _, r := range a.Inside {
		ranges = append(ranges, strconv.Quote(r))
	}
	return fmt.Sprintf("egress: {resolvers: [%q], insideRanges: [%s], hosts: [%s]}", resolver, strings.Join(ranges, ", "), strings.Join(hosts, ", "))
}

// request is what a raw client writes. A row without a destination is one
// about its path.
func (a attempt) request(auth string) string {
	path := a.Path
	if path == "" {
		path = "/"
	}
	switch {
	case a.Target != nil:
		return "CONNECT " + *a.Target + " HTTP/1.1\r\nHost: allowed.example\r\n" + auth + "\r\n"
	case a.Host != nil:
		return "GET " + path + " HTTP/1.1\r\nHost: " + *a.Host + "\r\n" + auth + "\r\n"
	default:
		return "GET http://allowed.example" + path + " HTTP/1.1\r\nHost: allowed.example\r\n" + auth + "\r\n"
	}
}

// ports are all that rows name: somebody listens there.
func ports(rows []attempt) []uint16 {
	seen := map[uint16]bool{80: true, 443: true}
	out := []uint16{80, 443}
	for _, a := range rows {
		for _, s := range []*string{a.Target, a.Host} {
			if s == nil {
				continue
			}
			n, err := strconv.ParseUint((*s)[strings.LastIndex(*s, ":")+1:], 10, 16)
			if p := uint16(n); err == nil && p != 0 && !seen[p] {
				seen[p] = true
				out = append(out, p)
			}
		}
	}
	return out
}

// listedRule is all that rows get which rules must stop.
const listedRule = `{name: listed, from: {agents: [{name: listed}]}, to: {type: Hosts, hosts: [{names: ["**.allowed.example"]}]}, action: Allow, with: {tls: Opaque}}`

// TestCorpus sends each attempt to get out through a real Envoy, byte for byte,
// to a gateway whose rules let everything pass that rules can: no byte may come
// where it should not, and what is allowed must come where it says.
func TestCorpus(t *testing.T) {
	t.Parallel()
	if !ownInternet(t) {
		return
	}
	rows := corpus(t)
	all := ports(rows)
	r := rowsRun{world: newInternet(t, all...), zone: newZone(t)}
	r.zone.otherwise("198.200.0.1")
	r.g = openGateway(t, r.zone, strings.ReplaceAll(fmt.Sprint(all), " ", ", "))
	r.g.Write("listed.yaml", policy("listed", listedRule))
	r.all, r.listed = r.g.Token(), r.g.Token(agent("listed"))
	r.settle(t, attempt{})
	for _, a := range rows {
		if a.LeftTo == "envoy" {
			continue // it is about bytes that the row does not have
		}
		t.Run(a.ID, func(t *testing.T) { r.run(t, a) })
	}
	if r.opened < 25 {
		t.Errorf("only %d attempts came through, so that little was tried", r.opened)
	}
}

// rowsRun sends rows, one after the other.
type rowsRun struct {
	g           *testgateway.Gateway
	world       *internet
	zone        *zone
	all, listed string // tokens
	exits       string // those that are in force
	settled     int    // how often they changed
	opened      int    // rows that came through
}

// run sends one row, and looks at what became of it.
func (r *rowsRun) run(t *testing.T, a attempt) {
	r.settle(t, a)
	token := r.all
	if a.LeftTo == "policy" {
		token = r.listed
	}
	before := len(r.world.visits())
	status, at := r.send(t, a.request(proxyAuth(token)), a.Target != nil)
	visits := r.world.visits()[before:]
	switch {
	case a.Expect == "allow" && (status != http.StatusOK || len(visits) != 1):
		t.Errorf("%s: answer %d, connections to %v", a.Why, status, visits)
	case a.Expect == "allow":
		r.opened++
		r.compare(t, a, at)
	case a.Target == nil && status == http.StatusOK:
		r.readAlike(t, visits)
	case status == http.StatusOK || len(visits) > 0:
		t.Errorf("%s: answer %d, connections to %v", a.Why, status, visits)
	}
}

// settle has the settings of a row in force.
func (r *rowsRun) settle(t *testing.T, a attempt) {
	t.Helper()
	want := a.exits("", "")
	if want == r.exits {
		return
	}
	r.exits = want
	r.settled++
	marker := fmt.Sprintf("marker-%d.example", r.settled)
	r.g.Write("config.yaml", config(a.exits(r.zone.addr.String(), marker)))
	testenv.Wait(t, "the settings to be in force", func() bool {
		status, at := r.send(t, "CONNECT "+marker+":443 HTTP/1.1\r\nHost: x\r\n"+proxyAuth(r.all)+"\r\n", true)
		return status == http.StatusOK && at == "10.96.0.8:443"
	})
}

// send writes a request as it is, and asks who is at the other end.
func (r *rowsRun) send(t *testing.T, request string, isTunnel bool) (status int, at string) {
	t.Helper()
	c := dial(t, r.g.Proxy)
	defer c.Close()
	if _, err := io.WriteString(c, request); err != nil {
		return 0, ""
	}
	method := http.MethodGet
	if isTunnel {
		method = http.MethodConnect
	}
	res, err := http.ReadResponse(c.r, &http.Request{Method: method})
	if err != nil {
		return 0, "" // Envoy has closed
	}
	if isTunnel && res.StatusCode == http.StatusOK {
		if _, err := io.WriteString(c, "hello\r\n"); err != nil {
			return 0, ""
		}
		if res, err = http.ReadResponse(c.r, nil); err != nil {
			return 0, ""
		}
	}
	_, _ = io.Copy(io.Discard, res.Body) // a tunnel may end as it likes
	return res.StatusCode, res.Header.Get("X-Address")
}

// compare holds where an allowed row came against where it was to go.
func (r *rowsRun) compare(t *testing.T, a attempt, at string) {
	if a.Gives == "" {
		return
	}
	host, port, err := net.SplitHostPort(a.Gives)
	if err != nil {
		t.Fatal(err)
	}
	want := "198.200.0.1"
	if len(a.Hosts) > 0 {
		want = "10.96.0.7"
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		want = ip.String()
	}
	if at != net.JoinHostPort(want, port) {
		t.Errorf("%s: it came to %s, want %s:%s", a.Why, at, want, port)
	}
}

// readAlike is for what Envoy mends before it asks: white space around a host,
// dots in a path. What was judged must be what was sent on.
func (r *rowsRun) readAlike(t *testing.T, visits []visit) {
	if len(visits) != 1 {
		t.Fatalf("connections to %v", visits)
	}
	v := visits[0]
	host, _, _ := strings.Cut(v.host, ":")
	r.g.Recorded(t, "a hop to "+v.host+v.path, func(rec audit.Record) bool {
		return rec.Kind == audit.KindBegin && rec.Host == host && rec.Path == v.path
	})
	for _, odd := range []string{"/../", "/./", "//", "\\", "%2e", "%2f", "%5c"} {
		if strings.Contains(strings.ToLower(v.path), odd) {
			t.Errorf("the path that was sent on can be read in two ways: %s", v.path)
		}
	}
}
