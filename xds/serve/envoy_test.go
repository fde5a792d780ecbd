package serve

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/hopgate/hopgate/internal/testenv"
)

// web is one listener with one cluster and its routes.
func web(port int, up netip.AddrPort, fs ...fragment) []*Resource {
	return []*Resource{edsCluster("one", time.Second), endpoints("one", up), rdsListener("web", netipPort(port)), table("web", fs...)}
}

func TestEnvoyStarts(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{MinVersion: Version{1, 39, 3}})
	port := freePort(t)
	set := web(port, upstream(t, "one"), plainRoute("a", "one"), plainRoute("b", "two"), plainRoute("c", "three"), plainRoute("d", "four"))
	for _, n := range []string{"two", "three"} {
		set = append(set, edsCluster(n, time.Second), endpoints(n, upstream(t, n)))
	}
	set = append(set, staticCluster("four", upstream(t, "four")), edsCluster("idle", time.Second))
	b.wait(b.set(set...))
	for host, want := range map[string]string{"a": "200 one", "b": "200 two", "c": "200 three", "d": "200 four"} {
		b.until(port, host, want)
	}
	if !b.s.Ready() {
		t.Error("not ready")
	}
	testenv.Wait(t, "all programmed", func() bool { return !strings.Contains(b.seen.states(), "Pending") })
	if st := b.s.Snapshot().Streams[0]; st.Refused != 0 || st.Stale != 0 || st.Node.Version != (Version{1, 40, 0}) {
		t.Errorf("%+v", st)
	}
}

func TestEnvoyBelowTheFloorIsRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{MinVersion: Version{1, 99, 0}})
	b.set(edsCluster("one", time.Second))
	testenv.Wait(t, "a try", func() bool {
		n := b.stat("cluster.xds.upstream_rq_total")
		return n != "" && n != "0"
	})
	if st := b.s.Snapshot(); st.Ready {
		t.Errorf("%+v", st)
	}
}

// load asks for a host without end, and counts what did not succeed.
type load struct {
	done, failed atomic.Int64
	first        atomic.Value
	stop         func()
}

func (b *bench) load(port int, host string) *load {
	l := &load{}
	ctx, cancel := context.WithCancel(b.t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			got := b.get(port, host)
			if l.done.Add(1); !strings.HasPrefix(got, "200 ") {
				l.failed.Add(1)
				l.first.CompareAndSwap(nil, got)
			}
		}
	}()
	l.stop = func() { cancel(); <-ended }
	return l
}

// more waits for n more answers.
func (l *load) more(t *testing.T, n int64) {
	t.Helper()
	from := l.done.Load()
	testenv.Wait(t, "more requests", func() bool { return l.done.Load() >= from+n })
}

func TestEnvoyLosesNoRequestInAChange(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{Linger: 100 * time.Millisecond})
	one, two, port := upstream(t, "one"), upstream(t, "two"), freePort(t)
	base := web(port, one, plainRoute("a", "one"), plainRoute("keep", "one"))
	b.wait(b.set(base...))
	b.until(port, "a", "200 one")
	l, keep := b.load(port, "a"), b.load(port, "keep")
	for i := range 10 {
		// To a new cluster, which is then changed, and back, and it goes.
		there := append(web(port, one, plainRoute("a", "two"), plainRoute("keep", "one")), edsCluster("two", time.Second), endpoints("two", two))
		b.wait(b.set(there...))
		b.until(port, "a", "200 two")
		there[4] = edsCluster("two", time.Duration(i+2)*time.Second)
		b.wait(b.set(there...))
		l.more(t, 5)
		b.wait(b.set(base...))
		b.until(port, "a", "200 one")
		testenv.Wait(t, "the cluster is gone", func() bool { return b.stat("cluster_manager.active_clusters") == "2" })
		l.more(t, 5)
	}
	l.stop()
	keep.stop()
	t.Logf("%d requests on the changed route, %d beside it", l.done.Load(), keep.done.Load())
	for _, x := range []*load{l, keep} {
		if n := x.failed.Load(); n > 0 {
			t.Errorf("%d of %d failed, the first: %v", n, x.done.Load(), x.first.Load())
		}
	}
}

// hugeRegex compiles in Go and is over Envoy's default program size.
const hugeRegex = "/(a{1,500}|b{1,400})"

func TestEnvoyRefusesSomeRoutesAmongAThousand(t *testing.T) {
	t.Parallel()
	for _, bad := range [][]int{{617}, {3, 940}, {500, 501}} {
		t.Run(fmt.Sprint(bad), func(t *testing.T) {
			t.Parallel()
			b := newBench(t, Config{})
			port := freePort(t)
			up := upstream(t, "one")
			b.wait(b.set(web(port, up, plainRoute("x", "one"))...))
			var fs []fragment
			for _, h := range hostNames(1000) {
				fs = append(fs, plainRoute(h, "one"))
			}
			for _, i := range bad {
				fs[i].regex = hugeRegex
			}
			rev := b.set(web(port, up, fs...)...)
			begun := time.Now()
			b.wait(rev)
			st := b.s.Snapshot()
			t.Logf("isolated in %s, %d refusals, %d responses", time.Since(begun).Round(time.Millisecond), st.Streams[0].Refused, st.Streams[0].Sent)
			b.until(port, "h0000", "200 one")
			b.until(port, "h0999", "200 one")
			b.until(port, "x", "404 ")
			if len(st.Parked) != len(bad) {
				t.Fatalf("parked %+v", st.Parked)
			}
			for i, p := range st.Parked {
				if want := "HTTPRoute/ns/" + fs[bad[i]].host; p.Owner != want || p.Message == "" {
					t.Errorf("parked %+v, want %s", p, want)
				}
				b.until(port, fs[bad[i]].host, "404 ")
			}
			t.Log(st.Parked[0].Message)
		})
	}
}

func TestEnvoyKeepsTheLastGoodPart(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{})
	port := freePort(t)
	up := upstream(t, "one")
	b.wait(b.set(web(port, up, plainRoute("a", "one"), plainRoute("b", "one"))...))
	b.until(port, "a", "200 one")
	b.wait(b.set(web(port, up, fragment{host: "a", cluster: "one", regex: hugeRegex}, plainRoute("c", "one"))...))
	b.until(port, "a", "200 one")
	b.until(port, "c", "200 one")
	b.until(port, "b", "404 ")
	testenv.Wait(t, "the outcome", func() bool { return strings.Contains(b.seen.states(), "HTTPRoute/a Rejected") })
	b.wait(b.set(web(port, up, fragment{host: "a", cluster: "one", regex: "/x"}, plainRoute("c", "one"))...))
	b.until(port, "a", "404 ")
	testenv.Wait(t, "the outcome", func() bool { return strings.Contains(b.seen.states(), "HTTPRoute/a Programmed") })
}

func TestEnvoyRefusesACluster(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{})
	port := freePort(t)
	up := upstream(t, "one")
	// Valid by the generated rules; Envoy wants an EDS configuration.
	bad := one(TypeCluster, "bad", owner("Service", "bad"), &clusterv3.Cluster{
		Name: "bad", ConnectTimeout: durationpb.New(time.Second),
		ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_EDS},
	})
	set := append(web(port, up, plainRoute("a", "one"), plainRoute("b", "bad")), bad)
	b.wait(b.set(set...))
	b.until(port, "a", "200 one")
	b.until(port, "b", "503 ")
	st := b.s.Snapshot()
	if len(st.Parked) != 1 || st.Parked[0].Resource != (Key{TypeCluster, "bad"}) || st.Streams[0].Refused != 1 {
		t.Errorf("%+v", st)
	}
	testenv.Wait(t, "the outcome", func() bool { return strings.Contains(b.seen.states(), "Service/bad Rejected") })
	set[4] = staticCluster("bad", up)
	b.wait(b.set(set...))
	b.until(port, "b", "200 one")
}

func TestEnvoyReconnects(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{Linger: 100 * time.Millisecond})
	port := freePort(t)
	up := upstream(t, "one")
	first := append(web(port, up, plainRoute("a", "two")), edsCluster("two", time.Second), endpoints("two", up))
	b.wait(b.set(first...))
	b.until(port, "a", "200 one")
	l := b.load(port, "a")
	l.more(t, 20)
	b.stopServer()
	l.more(t, 20)
	// The server that comes back knows nothing of the cluster that is in use.
	b.startServer(Config{Linger: 100 * time.Millisecond})
	b.wait(b.set(web(port, up, plainRoute("a", "one"))...))
	testenv.Wait(t, "the old cluster is gone", func() bool { return b.stat("cluster_manager.active_clusters") == "2" })
	l.more(t, 20)
	l.stop()
	if n := l.failed.Load(); n > 0 {
		t.Errorf("%d of %d failed, the first: %v", n, l.done.Load(), l.first.Load())
	}
	// The endpoints are said again where they were known before Envoy came back.
	if st := b.s.Snapshot().Streams[0]; st.Sent != 2 && st.Sent != 3 {
		t.Errorf("sent %d, want the route table, a removal, and perhaps the endpoints: %+v", st.Sent, st)
	}
}

func TestEnvoyAddressInUse(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{})
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := taken.Addr().(*net.TCPAddr).Port
	b.wait(b.set(web(port, upstream(t, "one"), plainRoute("a", "one"))...))
	st := b.s.Snapshot()
	if len(st.Parked) != 1 || st.Parked[0].Resource != (Key{TypeListener, "web"}) || !strings.Contains(st.Parked[0].Message, "in use") {
		t.Fatalf("%+v", st.Parked)
	}
	testenv.Wait(t, "the outcome", func() bool { return strings.Contains(b.seen.states(), "Gateway/web Rejected") })
	t.Log(st.Parked[0].Message)
	taken.Close()
	if err := b.s.Retry(TypeListener, "web"); err != nil {
		t.Fatal(err)
	}
	b.until(port, "a", "200 one")
	testenv.Wait(t, "the outcome", func() bool { return strings.Contains(b.seen.states(), "Gateway/web Programmed") })
}

func TestEnvoyListenerTakesOverAnAddress(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{})
	port := freePort(t)
	up := upstream(t, "one")
	set := web(port, up, plainRoute("a", "one"))
	b.wait(b.set(set...))
	b.until(port, "a", "200 one")
	for i, n := range []string{"api", "web", "third"} {
		set[2], set[3] = rdsListener(n, netipPort(port)), table(n, plainRoute("a", "one"), plainRoute(n, "one"))
		b.wait(b.set(set...))
		b.until(port, n, "200 one")
		if st := b.s.Snapshot(); len(st.Parked) > 0 {
			t.Fatalf("%d: %+v", i, st.Parked)
		}
	}
}

func TestEnvoyWarmsAnUpdatedCluster(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{})
	port := freePort(t)
	set := web(port, upstream(t, "one"), plainRoute("a", "one"))
	b.wait(b.set(set...))
	b.until(port, "a", "200 one")
	set[0] = edsCluster("one", 2*time.Second)
	b.wait(b.set(set...))
	testenv.Wait(t, "no cluster is warming", func() bool { return b.stat("cluster_manager.warming_clusters") == "0" })
	b.until(port, "a", "200 one")
}

// A cluster that was updated when the stream broke waits for endpoints, and
// Envoy asks for them as if it had them.
func TestEnvoyWarmsAClusterAfterAReconnect(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{})
	port := freePort(t)
	set := web(port, upstream(t, "one"), plainRoute("a", "one"))
	b.wait(b.set(set...))
	b.until(port, "a", "200 one")
	set[0] = edsCluster("one", 2*time.Second)
	b.mute.Store(true)
	b.set(set...)
	testenv.Wait(t, "the cluster is warming", func() bool { return b.stat("cluster_manager.warming_clusters") == "1" })
	b.stopServer()
	b.mute.Store(false)
	b.startServer(Config{})
	b.wait(b.set(set...))
	testenv.Wait(t, "no cluster is warming", func() bool { return b.stat("cluster_manager.warming_clusters") == "0" })
	b.until(port, "a", "200 one")
}
