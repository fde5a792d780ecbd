package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/cmd/hopgate/laptop"
	"github.com/hopgate/hopgate/internal/testenv"
	"github.com/hopgate/hopgate/internal/testgateway"
)

// TestDrain: at SIGTERM what has begun comes to its end, what is new is
// refused, and the process ends well with its Envoy.
func TestDrain(t *testing.T) {
	t.Parallel()
	goOn := make(chan struct{})
	u := newUpstream(t, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "first ")
		if http.NewResponseController(w).Flush() != nil {
			return
		}
		<-goOn
		fmt.Fprint(w, "last")
	})
	g := testgateway.New(t, map[string]string{
		"gateway.yaml": testgateway.Listeners + config() + service("page", u.port(), plain, "/page"),
		"policy.yaml":  policy("all", allow("page", "{type: HTTP, http: [{paths: ['/page/**']}]}")),
	})
	c := startChild(t, g)
	res, err := newClient(t).Do(request(t, "GET", g.URL("/page/x"), g.Token(), ""))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	testenv.Wait(t, "new connections to be refused", func() bool { return !serves(g.HTTP) && !serves(g.Proxy) })
	if !alive(c.envoy) {
		t.Error("Envoy is gone before what it serves")
	}
	close(goOn)
	if a := read(t, res); a.body != "first last" {
		t.Errorf("the answer is cut: %q", a.body)
	}
	if err := c.Wait(); err != nil {
		t.Errorf("the gateway ended badly: %v\n%s", err, g.Log)
	}
	if alive(c.envoy) {
		t.Error("Envoy outlives the gateway")
	}
	end := g.Recorded(t, "the end", func(r audit.Record) bool { return r.Kind == audit.KindEnd })
	if end.End != audit.EndDone {
		t.Errorf("it ended as %q", end.End)
	}
	if !verify(t, g).Closed {
		t.Error("the record was not closed")
	}
}

// TestDrainEnds: what does not come to its end in time is cut, and recorded.
func TestDrainEnds(t *testing.T) {
	t.Parallel()
	u := newUpstream(t, ticks)
	g := testgateway.Run(t, map[string]string{
		"gateway.yaml": testgateway.Listeners + config() + service("page", u.port(), plain, "/page"),
		"policy.yaml":  policy("all", allow("page", "{type: HTTP, http: [{paths: ['/page/**']}]}")),
	}, func(c *laptop.Config) { c.Grace = time.Second })
	end := begin(body(t, newClient(t), request(t, "GET", g.URL("/page/x"), g.Token(), "")))
	open := g.Recorded(t, "the beginning", func(r audit.Record) bool { return r.Kind == audit.KindBegin })
	asked := time.Now()
	if err := g.Stop(); err != nil {
		t.Fatal(err)
	}
	e := <-end
	if lived := e.at.Sub(asked); e.bytes == 0 || lived < 900*time.Millisecond || lived > 5*time.Second {
		t.Errorf("it was cut %s after the end was asked for, with a grace of 1s", lived)
	}
	last := g.Recorded(t, "its end", func(r audit.Record) bool { return r.Kind == audit.KindEnd && r.Hop == open.Hop })
	if last.End != audit.EndShutdown {
		t.Errorf("it ended as %q, %+v", last.End, last)
	}
	verify(t, g)
}

// TestDrainSaysGoodbye: where there is a place for a word, who is cut at the end
// of the grace period is told to come again.
func TestDrainSaysGoodbye(t *testing.T) {
	t.Parallel()
	c := newCutOff(t, func(c *laptop.Config) { c.Grace = time.Second })
	token := c.by("mine", "coder")
	tool := listen(body(t, newClient(t), request(t, "POST", c.URL("/mcp"), token, searchCall)))
	socket := listen(webSocket(t, &streams{Gateway: c.Gateway, token: token}))
	testenv.Wait(t, "both streams to live", func() bool { return len(c.Guard().Streams()) == 2 })
	if err := c.Stop(); err != nil {
		t.Fatal(err)
	}
	if h := <-tool; !strings.Contains(h.tail, `"shutting_down"`) || !strings.Contains(h.tail, `"later"`) || h.err != nil {
		t.Errorf("the tool's stream ended by %v with %q", h.err, h.tail)
	}
	if h := <-socket; !strings.Contains(h.tail, "\x03\xe9shutting_down: ") {
		t.Errorf("the WebSocket ended by %v with %q", h.err, h.tail)
	}
	ends := 0
	c.Recorded(t, "both ends", func(r audit.Record) bool {
		if r.Kind == audit.KindEnd && r.End == audit.EndShutdown && r.Code == "shutting_down" && r.BytesOut > 0 {
			ends++
		}
		return ends == 2
	})
}
