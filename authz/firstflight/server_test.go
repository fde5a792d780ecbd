package firstflight_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"testing"
	"time"

	netprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/network_ext_proc/v3"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/hopgate/hopgate/authz/check"
	"github.com/hopgate/hopgate/authz/firstflight"
	"github.com/hopgate/hopgate/authz/leash"
	"github.com/hopgate/hopgate/authz/surface/clienthello"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// judge refuses names.
type judge map[string]string

func (j judge) Hello(_ *leash.Hop, c clienthello.Hello, err error) string {
	if err != nil {
		return j["unreadable"]
	}
	return j[c.ServerName]
}

// bench is the service, and a hop that lives.
type bench struct {
	client netprocv3.NetworkExternalProcessorClient
	hop    leash.ID
	cut    chan leash.Cut
	ended  chan leash.Ending
	live   *leash.Register
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{hop: leash.ID{1}, cut: make(chan leash.Cut, 1), ended: make(chan leash.Ending, 1)}
	b.live = leash.NewRegister(leash.Config{Now: time.Now, Ended: func(_ *leash.Hop, e leash.Ending) { b.ended <- e }})
	if err := b.live.Enter(&leash.Hop{ID: b.hop, Held: true}); err != nil {
		t.Fatal(err)
	}
	if _, ok := b.live.Open(b.hop, false, func(c leash.Cut) { b.cut <- c }); !ok {
		t.Fatal("the hop has no hold")
	}
	l := bufconn.Listen(1 << 20)
	s := grpc.NewServer(grpc.ForceServerCodecV2(check.NewCodec(check.NewBudget(1 << 20))))
	firstflight.New(b.live, judge{"closed.example": "tls_hidden", "unreadable": "tls_unreadable"}, time.Now, slog.New(slog.DiscardHandler)).Register(s)
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() { s.Stop(); <-done })
	c, err := grpc.NewClient("passthrough:///guard", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	b.client = netprocv3.NewNetworkExternalProcessorClient(c)
	return b
}

// begin opens a side stream for hops of these ids.
func (b *bench) begin(t *testing.T, ids ...string) netprocv3.NetworkExternalProcessor_ProcessClient {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	s, err := b.client.Process(metadata.NewOutgoingContext(ctx, metadata.MD{wire.CallParent: ids}))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func say(t *testing.T, s netprocv3.NetworkExternalProcessor_ProcessClient, data []byte, end bool) {
	t.Helper()
	if err := s.Send(&netprocv3.ProcessingRequest{ReadData: &netprocv3.Data{Data: data, EndOfStream: end}}); err != nil {
		t.Fatal(err)
	}
}

func hear(t *testing.T, s netprocv3.NetworkExternalProcessor_ProcessClient) *netprocv3.ProcessingResponse {
	t.Helper()
	m, err := s.Recv()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// sent is the first flight of Go's client.
func sent(t testing.TB, c *tls.Config) []byte {
	t.Helper()
	here, there := net.Pipe()
	done := make(chan error, 1)
	go func() { done <- tls.Client(here, c).Handshake() }()
	b := make([]byte, clienthello.MaxBytes)
	n, err := there.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	there.Close()
	<-done
	return b[:n]
}

// early is a ClientHello of TLS 1.2 that says that data follows, and data.
func early() []byte {
	body := append(append([]byte{3, 3}, make([]byte, 32)...), 0, 0, 2, 0x13, 1, 1, 0, 0, 4, 0, 42, 0, 0)
	m := append([]byte{1, 0, 0, byte(len(body))}, body...)
	return append(append([]byte{22, 3, 1, 0, byte(len(m))}, m...), 23, 3, 3, 0, 1, 7)
}

func TestWhatPasses(t *testing.T) {
	t.Parallel()
	whole := sent(t, &tls.Config{ServerName: "open.example"})
	for name, sizes := range map[string][]int{"at once": {len(whole)}, "in pieces": {1, 100, len(whole) - 101}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			s := b.begin(t, b.hop.String())
			rest := whole
			for _, n := range sizes {
				say(t, s, rest[:n], false)
				rest = rest[n:]
			}
			m := hear(t, s)
			if !bytes.Equal(m.GetReadData().GetData(), whole) || !m.GetCloseStreamToExtProcServer() || m.GetConnectionStatus() != netprocv3.ProcessingResponse_CONTINUE {
				t.Errorf("answered %v", m)
			}
			if _, ok := b.live.Live(b.hop); !ok {
				t.Error("the hop does not live on")
			}
		})
	}
}

// What is sent early cannot be told from what is on its way already: the side
// stream goes on.
func TestWhatIsSentEarly(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	s := b.begin(t, b.hop.String())
	say(t, s, early(), false)
	if m := hear(t, s); !bytes.Equal(m.GetReadData().GetData(), early()) || m.GetCloseStreamToExtProcServer() {
		t.Errorf("answered %v", m)
	}
	say(t, s, []byte("more"), true)
	if m := hear(t, s); string(m.GetReadData().GetData()) != "more" || !m.GetReadData().GetEndOfStream() || m.GetCloseStreamToExtProcServer() {
		t.Errorf("answered %v", m)
	}
}

// asksForMore is a client whose first ClientHello most servers have it repeat.
func asksForMore(name string) *tls.Config {
	return &tls.Config{ServerName: name, CurvePreferences: []tls.CurveID{tls.CurveP384, tls.CurveP521}}
}

// TestSecondHello: a client that is likely to be asked for a second ClientHello
// is read until then, and says the same again.
func TestSecondHello(t *testing.T) {
	t.Parallel()
	first := sent(t, asksForMore("open.example"))
	cipher := []byte{20, 3, 3, 0, 1, 1}
	for _, tc := range []struct {
		name string
		next []byte
		// pieces are the sizes of what is said; the rest is said at once.
		pieces []int
		// over: the side stream ends; else it goes on. alert: it is refused.
		over  bool
		alert byte
		code  string
	}{
		{name: "the same", next: append(cipher, sent(t, asksForMore("open.example"))...), over: true},
		{name: "the same, in pieces", next: append(cipher, sent(t, asksForMore("open.example"))...), pieces: []int{3, 8, 90}, over: true},
		{name: "another name", next: append(cipher, sent(t, asksForMore("other.example"))...), alert: 47, code: "tls_unreadable"},
		{name: "another name, in pieces", next: append(cipher, sent(t, asksForMore("other.example"))...), pieces: []int{6, 1, 1, 1, 1, 1, 70}, alert: 47, code: "tls_unreadable"},
		{name: "a name that is refused", next: sent(t, asksForMore("closed.example")), alert: 47, code: "tls_hidden"},
		{name: "what cannot be read", next: []byte{22, 3, 3, 0, 0}, alert: 50, code: "tls_unreadable"},
		{name: "no second", next: append(cipher, 23, 3, 3, 0, 2, 7, 7)},
		{name: "no second, in pieces", next: append(cipher, 23, 3, 3, 0, 2, 7, 7), pieces: []int{1, 4, 2}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			s := b.begin(t, b.hop.String())
			say(t, s, first, false)
			if m := hear(t, s); !bytes.Equal(m.GetReadData().GetData(), first) || m.GetCloseStreamToExtProcServer() {
				t.Fatalf("the first is answered by %v", m)
			}
			rest := tc.next
			for _, n := range tc.pieces {
				say(t, s, rest[:n], false)
				rest = rest[n:]
			}
			say(t, s, rest, false)
			var passed []byte
			for tc.alert == 0 && len(passed) < len(tc.next) || tc.alert != 0 {
				m := hear(t, s)
				if tc.alert != 0 && m.GetWriteData() != nil {
					if diff := cmp.Diff([]byte{21, 3, 3, 0, 2, 2, tc.alert}, m.GetWriteData().GetData()); diff != "" {
						t.Errorf("the alert differs (-want +got):\n%s", diff)
					}
					break
				}
				passed = append(passed, m.GetReadData().GetData()...)
				if last := len(passed) == len(tc.next); m.GetCloseStreamToExtProcServer() != (last && tc.over) {
					t.Fatalf("after %d of %d bytes the side stream ends: %v", len(passed), len(tc.next), m.GetCloseStreamToExtProcServer())
				}
			}
			if tc.alert == 0 {
				if !bytes.Equal(passed, tc.next) {
					t.Errorf("passed %x, want %x", passed, tc.next)
				}
				return
			}
			if bytes.Contains(passed, []byte(".example")) {
				t.Errorf("the name has passed: %q", passed)
			}
			if c := <-b.cut; c.Code != tc.code {
				t.Errorf("cut as %+v", c)
			}
		})
	}
}

// Who is followed, and sends faster than can be passed on, is ended.
func TestTooFast(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	s := b.begin(t, b.hop.String())
	say(t, s, sent(t, asksForMore("open.example")), false)
	hear(t, s)
	piece := append([]byte{23, 3, 3, 0x40, 0}, make([]byte, 1<<14)...)
	for range 64 << 20 / len(piece) {
		// An error means that the side stream has ended, which Recv says too.
		if s.Send(&netprocv3.ProcessingRequest{ReadData: &netprocv3.Data{Data: piece}}) != nil {
			break
		}
		if _, err := s.Recv(); err != nil {
			break
		}
	}
	if c := <-b.cut; c.Code != "overloaded" || c.Detail != wire.DetailLimit {
		t.Errorf("cut as %+v", c)
	}
}

// A second ClientHello that ends before it is whole is refused.
func TestHalfASecondHello(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	s := b.begin(t, b.hop.String())
	say(t, s, sent(t, asksForMore("open.example")), false)
	hear(t, s)
	say(t, s, sent(t, asksForMore("open.example"))[:60], true)
	if m := hear(t, s); m.GetWriteData() == nil || m.GetReadData() != nil {
		t.Errorf("answered %v", m)
	}
	if c := <-b.cut; c.Code != "tls_unreadable" {
		t.Errorf("cut as %+v", c)
	}
}

func TestWhatIsRefused(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		sent []byte
		end  bool
		code string
		want byte
	}{
		{"a name", sent(t, &tls.Config{ServerName: "closed.example"}), false, "tls_hidden", 49},
		{"no TLS", []byte("GET / HTTP/1.1\r\n\r\n"), false, "tls_unreadable", 50},
		{"half a hello", sent(t, &tls.Config{ServerName: "open.example"})[:50], true, "tls_unreadable", 50},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			s := b.begin(t, b.hop.String())
			say(t, s, tc.sent, tc.end)
			if diff := cmp.Diff([]byte{21, 3, 1, 0, 2, 2, tc.want}, hear(t, s).GetWriteData().GetData()); diff != "" {
				t.Errorf("the alert differs (-want +got):\n%s", diff)
			}
			if m := hear(t, s); m.GetConnectionStatus() != netprocv3.ProcessingResponse_CLOSE || m.GetReadData() != nil {
				t.Errorf("answered %v", m)
			}
			if _, ok := b.live.Live(b.hop); ok {
				t.Error("the hop lives on")
			}
			// The tunnel that does not end by its alert is broken off.
			if c := <-b.cut; c.Code != tc.code || c.Detail != wire.DetailRefused {
				t.Errorf("cut as %+v", c)
			}
		})
	}
}

func TestHopsThatAreNone(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for name, ids := range map[string][]string{
		"no id": nil, "two ids": {b.hop.String(), b.hop.String()}, "no id at all": {"-"}, "another's": {leash.ID{2}.String()},
	} {
		s := b.begin(t, ids...)
		_, err := s.Recv()
		if c := status.Code(err); err == nil || errors.Is(err, io.EOF) || c == codes.OK {
			t.Errorf("%s: the side stream ends by %v, which lets the tunnel pass", name, err)
		}
	}
}

// An orderly end would let the tunnel pass unread.
func TestNeverAnOrderlyEnd(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	s := b.begin(t, b.hop.String())
	if err := s.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Recv(); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("the side stream ends by %v", err)
	}
}
