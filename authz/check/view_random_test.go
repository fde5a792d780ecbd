package check

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/hopgate/hopgate/internal/testproto"
)

// roll makes messages of all that Envoy may send, and of what it never does.
type roll struct{ *rand.Rand }

func (r roll) one(of ...string) string { return of[r.IntN(len(of))] }

func (r roll) text() string {
	return r.one("", "a", "txn-token", "target", "GET", "/x?y=1", "spiffe://corp/a", "192.0.2.1", "ünï", "\x00", "e=route;g=agents/egress;l=agents")
}

func (r roll) address() *corev3.Address {
	switch r.IntN(5) {
	case 0:
		return nil
	case 1:
		return &corev3.Address{Address: &corev3.Address_Pipe{Pipe: &corev3.Pipe{Path: r.text()}}}
	case 2:
		return &corev3.Address{Address: &corev3.Address_EnvoyInternalAddress{EnvoyInternalAddress: &corev3.EnvoyInternalAddress{EndpointId: r.text()}}}
	}
	s := &corev3.SocketAddress{Address: r.text(), ResolverName: r.text(), Ipv4Compat: r.IntN(2) == 0}
	switch r.IntN(3) {
	case 0:
		s.PortSpecifier = &corev3.SocketAddress_PortValue{PortValue: r.Uint32()}
	case 1:
		s.PortSpecifier = &corev3.SocketAddress_NamedPort{NamedPort: r.text()}
	}
	return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: s}}
}

func (r roll) peer() *authv3.AttributeContext_Peer {
	return &authv3.AttributeContext_Peer{
		Address: r.address(), Service: r.text(), Principal: r.text(), Certificate: r.text(), Labels: map[string]string{r.text(): r.text()},
	}
}

func (r roll) headers() *corev3.HeaderMap {
	if r.IntN(12) == 0 {
		return nil
	}
	m := &corev3.HeaderMap{}
	for range r.IntN(8) {
		v := &corev3.HeaderValue{Key: r.one(append(headerNames(), r.text())...)}
		switch r.IntN(12) {
		case 0:
			v.Value = r.text()
		case 1:
			v.Value, v.RawValue = r.text(), []byte(r.text())
		default:
			v.RawValue = []byte(r.one(r.text(), "\xff\xfe"))
		}
		m.Headers = append(m.Headers, v)
	}
	return m
}

func (r roll) message() *authv3.CheckRequest {
	h := &authv3.AttributeContext_HttpRequest{
		Id: r.text(), Method: r.text(), Path: r.text(), Host: r.text(), Scheme: r.text(), Query: r.text(), Fragment: r.text(),
		Protocol: r.one("HTTP/1.0", "HTTP/1.1", "HTTP/2"), Size: r.Int64N(100) - 1, RawBody: []byte(r.text()), HeaderMap: r.headers(),
	}
	if r.IntN(20) == 0 {
		h.Headers = map[string]string{r.text(): r.text()}
	}
	if r.IntN(20) == 0 {
		h.Body = r.text()
	}
	m := &authv3.AttributeContext{
		Source: r.peer(), Destination: r.peer(), Request: &authv3.AttributeContext_Request{Time: timestamppb.New(start()), Http: h},
		ContextExtensions: map[string]string{r.text(): r.text(), r.one("target", "other"): r.text()},
		MetadataContext:   &corev3.Metadata{FilterMetadata: map[string]*structpb.Struct{r.text(): {}}},
		TlsSession:        &authv3.AttributeContext_TLSSession{Sni: r.text()},
	}
	return &authv3.CheckRequest{Attributes: m}
}

// holdView fails unless the view of b is what proto.Unmarshal makes of it, or
// an error. It reports whether there was something to compare.
func holdView(t testing.TB, b []byte) bool {
	t.Helper()
	before := bytes.Clone(b)
	var got Request
	err := got.Read(b)
	if !bytes.Equal(before, b) {
		t.Fatalf("Read changed its bytes: %x", before)
	}
	m := new(authv3.CheckRequest)
	if perr := proto.Unmarshal(b, m); perr != nil || err != nil {
		return false
	}
	if unseen(m) {
		t.Fatalf("a view was taken of what no view tells: %v in %x", m, b)
	}
	want := viewOf(m)
	holdWords(t, m, &got)
	got.lines = nil // they are held above
	if reflect.DeepEqual(want, got) {
		return true
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(Request{}), cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("view differs (-proto +view):\n%s\nin %x", diff, b)
	}
	return true
}

// TestViewOfMessages: what Envoy can say is read as it is said, and nothing
// that can be told is refused.
func TestViewOfMessages(t *testing.T) {
	t.Parallel()
	r := roll{rand.New(rand.NewPCG(1, 2))}
	read := 0
	for range 5000 {
		m := r.message()
		b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		ok := holdView(t, b)
		if ok == unseen(m) {
			t.Fatalf("read: %v, but unseen: %v in %v", ok, unseen(m), m)
		}
		if ok {
			read++
		}
	}
	if read < 2500 {
		t.Errorf("only %d of 5000 messages are read", read)
	}
}

// TestViewOfMutations is the differential of 20,000 mutations.
func TestViewOfMutations(t *testing.T) {
	t.Parallel()
	r := roll{rand.New(rand.NewPCG(3, 4))}
	var seeds [][]byte
	for range 64 {
		b, err := proto.MarshalOptions{Deterministic: true}.Marshal(r.message())
		if err != nil {
			t.Fatal(err)
		}
		seeds = append(seeds, b)
	}
	compared := 0
	for range 20_000 {
		if holdView(t, testproto.Mutate(r.Rand, seeds[r.IntN(len(seeds))], seeds[r.IntN(len(seeds))])) {
			compared++
		}
	}
	if compared < 2000 {
		t.Errorf("only %d of 20000 mutations were compared", compared)
	}
}

// FuzzView holds the view against proto.Unmarshal.
func FuzzView(f *testing.F) {
	r := roll{rand.New(rand.NewPCG(5, 6))}
	for range 32 {
		b, err := proto.MarshalOptions{Deterministic: true}.Marshal(r.message())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(attributes(raw(), sourceOf(message(1, message(1, text(2, "192.0.2.1"), number(3, 80)), message(2, text(1, "x")))))))
	f.Add([]byte(attributes(raw(), extension(text(1, "target"), text(2, "a")), extension(text(1, "target")))))
	f.Fuzz(func(t *testing.T, b []byte) { holdView(t, b) })
}
