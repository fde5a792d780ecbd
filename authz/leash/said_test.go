package leash

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	procfilterv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	procv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/hopgate/hopgate/authz/rawproto"
	"github.com/hopgate/hopgate/gateway/api/wire"
	"github.com/hopgate/hopgate/internal/testproto"
)

// sight is what a view tells, in texts.
type sight struct {
	Kind                                       string
	Hop, Mode                                  string
	Status, ContentType, ContentEncoding, Body string
	End                                        bool
}

func sightOf(m *said) sight {
	return sight{
		Kind: kindName(m.kind), Hop: string(m.hop), Mode: m.mode.String(),
		Status: string(m.status), ContentType: string(m.contentType), ContentEncoding: string(m.contentEncoding), Body: string(m.body), End: m.end,
	}
}

func kindName(k kind) string {
	return [...]string{"none", "request headers", "response headers", "request body", "response body", "request trailers", "response trailers"}[k]
}

// sightBy is the same by proto.Unmarshal.
func sightBy(m *procv3.ProcessingRequest) sight {
	s := sight{Kind: "none", Mode: m.GetProtocolConfig().GetResponseBodyMode().String()}
	s.Hop = m.GetMetadataContext().GetFilterMetadata()[wire.AuthzNamespace].GetFields()[wire.MetaHopID].GetStringValue()
	headers := func(kind string, h *procv3.HttpHeaders) {
		s.Kind = kind
		for _, f := range h.GetHeaders().GetHeaders() {
			v := string(f.GetRawValue())
			if v == "" {
				v = f.GetValue()
			}
			switch f.GetKey() {
			case ":status":
				s.Status = v
			case "content-type":
				s.ContentType = v
			case "content-encoding":
				s.ContentEncoding = v
			}
		}
	}
	switch r := m.GetRequest().(type) {
	case *procv3.ProcessingRequest_RequestHeaders:
		headers("request headers", r.RequestHeaders)
	case *procv3.ProcessingRequest_ResponseHeaders:
		headers("response headers", r.ResponseHeaders)
	case *procv3.ProcessingRequest_RequestBody:
		s.Kind, s.Body, s.End = "request body", string(r.RequestBody.GetBody()), r.RequestBody.GetEndOfStream()
	case *procv3.ProcessingRequest_ResponseBody:
		s.Kind, s.Body, s.End = "response body", string(r.ResponseBody.GetBody()), r.ResponseBody.GetEndOfStream()
	case *procv3.ProcessingRequest_RequestTrailers:
		s.Kind = "request trailers"
	case *procv3.ProcessingRequest_ResponseTrailers:
		s.Kind = "response trailers"
	}
	return s
}

// dice make messages of all that Envoy may send, and of what it never does.
type dice struct{ *rand.Rand }

func (d dice) one(of ...string) string { return of[d.IntN(len(of))] }

func (d dice) text() string {
	return d.one("", "a", "200", "text/event-stream", idOf(1).String(), wire.MetaHopID, wire.AuthzNamespace, "ünï", "\x00", strings.Repeat("x", 200))
}

func (d dice) value() *structpb.Value {
	switch d.IntN(6) {
	case 0:
		return structpb.NewNumberValue(7)
	case 1:
		return structpb.NewStructValue(&structpb.Struct{Fields: map[string]*structpb.Value{d.text(): structpb.NewBoolValue(true)}})
	case 2:
		return &structpb.Value{}
	default:
		return structpb.NewStringValue(d.text())
	}
}

func (d dice) metadata() *corev3.Metadata {
	if d.IntN(5) == 0 {
		return nil
	}
	ours := &structpb.Struct{Fields: map[string]*structpb.Value{d.text(): d.value(), wire.MetaHopID: d.value()}}
	return &corev3.Metadata{
		FilterMetadata:      map[string]*structpb.Struct{wire.AuthzNamespace: ours, d.text(): {}},
		TypedFilterMetadata: map[string]*anypb.Any{d.text(): {TypeUrl: d.text()}},
	}
}

func (d dice) headers() *procv3.HttpHeaders {
	h := &corev3.HeaderMap{}
	for range d.IntN(6) {
		v := &corev3.HeaderValue{Key: d.one(":status", "content-type", "content-encoding", d.text()), RawValue: []byte(d.text())}
		if d.IntN(4) == 0 {
			v.Value = d.text()
		}
		h.Headers = append(h.Headers, v)
	}
	return &procv3.HttpHeaders{Headers: h, EndOfStream: d.IntN(2) == 0}
}

func (d dice) message() *procv3.ProcessingRequest {
	m := &procv3.ProcessingRequest{MetadataContext: d.metadata(), Attributes: map[string]*structpb.Struct{d.text(): {}}}
	if d.IntN(3) > 0 {
		m.ProtocolConfig = &procv3.ProtocolConfiguration{
			RequestBodyMode: procfilterv3.ProcessingMode_BodySendMode(d.IntN(7)), ResponseBodyMode: procfilterv3.ProcessingMode_BodySendMode(d.IntN(7)),
		}
	}
	body := &procv3.HttpBody{Body: []byte(d.text()), EndOfStream: d.IntN(2) == 0}
	switch d.IntN(7) {
	case 0:
		m.Request = &procv3.ProcessingRequest_RequestHeaders{RequestHeaders: d.headers()}
	case 1:
		m.Request = &procv3.ProcessingRequest_ResponseHeaders{ResponseHeaders: d.headers()}
	case 2:
		m.Request = &procv3.ProcessingRequest_RequestBody{RequestBody: body}
	case 3:
		m.Request = &procv3.ProcessingRequest_ResponseBody{ResponseBody: body}
	case 4:
		m.Request = &procv3.ProcessingRequest_RequestTrailers{RequestTrailers: &procv3.HttpTrailers{Trailers: d.headers().GetHeaders()}}
	case 5:
		m.Request = &procv3.ProcessingRequest_ResponseTrailers{ResponseTrailers: &procv3.HttpTrailers{}}
	}
	return m
}

// holdSight fails unless the view of b is what proto.Unmarshal makes of it, or
// an error. It reports whether there was something to compare.
func holdSight(t testing.TB, b []byte) bool {
	t.Helper()
	before := bytes.Clone(b)
	var v said
	err := v.ReadProto(mem.BufferSlice{mem.SliceBuffer(b)})
	if !bytes.Equal(before, b) {
		t.Fatalf("reading changed the bytes: %x", before)
	}
	m := new(procv3.ProcessingRequest)
	if perr := proto.Unmarshal(b, m); perr != nil || err != nil {
		return false
	}
	if diff := cmp.Diff(sightBy(m), sightOf(&v)); diff != "" {
		t.Fatalf("view differs (-proto +view):\n%s\nin %x", diff, b)
	}
	if v.kind == kindResponseBody {
		holdPassage(t, &v, m.GetResponseBody())
	}
	return true
}

// holdPassage fails unless a piece that passes is what it was.
func holdPassage(t testing.TB, v *said, b *procv3.HttpBody) {
	t.Helper()
	if diff := cmp.Diff(bodyLine(bodyOn(b.GetBody(), b.GetEndOfStream())), bodyLine(unwired(passOn(v)))); diff != "" {
		t.Fatalf("a piece passes as another (-was +is):\n%s", diff)
	}
}

// TestSightOfMessages: what Envoy can say is read as it is said.
func TestSightOfMessages(t *testing.T) {
	t.Parallel()
	d := dice{rand.New(rand.NewPCG(1, 2))}
	for range 5000 {
		m := d.message()
		b, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if !holdSight(t, b) {
			t.Fatalf("not read: %v", m)
		}
	}
}

// TestSightOfMutations is the differential of 20,000 mutations.
func TestSightOfMutations(t *testing.T) {
	t.Parallel()
	d := dice{rand.New(rand.NewPCG(3, 4))}
	message := func() []byte {
		b, err := proto.MarshalOptions{Deterministic: true}.Marshal(d.message())
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	compared := 0
	for range 20_000 {
		if holdSight(t, testproto.Mutate(d.Rand, message(), message())) {
			compared++
		}
	}
	if compared < 2000 {
		t.Errorf("only %d of 20000 mutations were compared", compared)
	}
}

// FuzzSaid holds the view against proto.Unmarshal.
func FuzzSaid(f *testing.F) {
	d := dice{rand.New(rand.NewPCG(5, 6))}
	for range 32 {
		b, err := proto.MarshalOptions{Deterministic: true}.Marshal(d.message())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) { holdSight(t, b) })
}

// TestSaidRefuses what can be read in two ways, and what is too large: Envoy
// sends neither, and the call ends in an error, which breaks the hop off.
func TestSaidRefuses(t *testing.T) {
	t.Parallel()
	raw := func(m *procv3.ProcessingRequest) []byte {
		b, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	open := raw(opening(idOf(1).String()))
	space := func(parts ...[]byte) []byte { // metadata of our namespace
		return rawproto.AppendMessage(nil, 8, rawproto.AppendMessage(nil, 1, append(rawproto.AppendText(nil, 1, wire.AuthzNamespace), bytes.Join(parts, nil)...)))
	}
	id := func(s string) []byte { // one field of a Struct
		return rawproto.AppendMessage(nil, 1, append(rawproto.AppendText(nil, 1, wire.MetaHopID), rawproto.AppendMessage(nil, 2, rawproto.AppendText(nil, 3, s))...))
	}
	for _, tt := range []struct {
		name string
		b    []byte
		want error
	}{
		{"two kinds", append(bytes.Clone(open), raw(trailers())...), errSaidTwice},
		{"metadata twice", append(space(rawproto.AppendMessage(nil, 2, id("a"))), space(rawproto.AppendMessage(nil, 2, id("b")))...), errSaidTwice},
		{"a namespace's value twice", space(rawproto.AppendMessage(nil, 2, id("a")), rawproto.AppendMessage(nil, 2, id("b"))), errSaidTwice},
		{"an id twice", space(rawproto.AppendMessage(nil, 2, append(id("a"), id("b")...))), errSaidTwice},
		{"cut off", open[:len(open)-1], rawproto.ErrMalformed},
		{"headers as a number", rawproto.AppendNumber(nil, 2, 1), rawproto.ErrMalformed},
		{"a mode as a text", rawproto.AppendMessage(nil, 11, rawproto.AppendText(nil, 2, "x")), rawproto.ErrMalformed},
		{"an id as a number of another kind", space(rawproto.AppendMessage(nil, 2, rawproto.AppendMessage(nil, 1, append(
			rawproto.AppendText(nil, 1, wire.MetaHopID), rawproto.AppendMessage(nil, 2, rawproto.AppendNumber(nil, 2, 1))...)))), rawproto.ErrMalformed},
		{"an end as a text", rawproto.AppendMessage(nil, 5, rawproto.AppendText(nil, 2, "x")), rawproto.ErrMalformed},
		{"too large", raw(piece(strings.Repeat("x", maxPiece), false)), errLarge},
	} {
		var v said
		if err := v.ReadProto(mem.BufferSlice{mem.SliceBuffer(tt.b)}); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
}

// TestPhrases are what the generated code would write.
func TestPhrases(t *testing.T) {
	t.Parallel()
	p := newPhrases()
	for _, tt := range []struct {
		name string
		is   *phrase
		want *procv3.ProcessingResponse
	}{
		{"leash", p.goOn(&Hop{}), &procv3.ProcessingResponse{Response: &procv3.ProcessingResponse_RequestHeaders{RequestHeaders: &procv3.HeadersResponse{}}}},
		{"leash that hears", p.goOn(&Hop{Heard: func(*Answer) {}}), &procv3.ProcessingResponse{
			Response: &procv3.ProcessingResponse_RequestHeaders{RequestHeaders: &procv3.HeadersResponse{}},
			ModeOverride: &procfilterv3.ProcessingMode{
				RequestHeaderMode: procfilterv3.ProcessingMode_SEND, ResponseHeaderMode: procfilterv3.ProcessingMode_SEND,
				RequestTrailerMode: procfilterv3.ProcessingMode_SKIP, ResponseTrailerMode: procfilterv3.ProcessingMode_SEND,
			},
		}},
		{"relay", p.goOn(&Hop{Relay: true}), &procv3.ProcessingResponse{Response: &procv3.ProcessingResponse_RequestHeaders{RequestHeaders: &procv3.HeadersResponse{
			Response: &procv3.CommonResponse{HeaderMutation: &procv3.HeaderMutation{RemoveHeaders: []string{"accept-encoding"}}},
		}}}},
		{"headers", p.headers, &procv3.ProcessingResponse{Response: &procv3.ProcessingResponse_ResponseHeaders{ResponseHeaders: &procv3.HeadersResponse{}}}},
		{"trailers", p.trailers, &procv3.ProcessingResponse{Response: &procv3.ProcessingResponse_ResponseTrailers{ResponseTrailers: &procv3.TrailersResponse{}}}},
	} {
		for range 2 { // the same each time
			if got := unwired(tt.is); !proto.Equal(got, tt.want) {
				t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
			}
		}
	}
}

// TestPassages of all sizes are what the generated code would write, from one
// buffer and from several, and the bytes are given back.
func TestPassages(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, 127, 128, 2000, 16384, 1 << 20} {
		for _, end := range []bool{false, true} {
			m := piece(strings.Repeat("x", size), end)
			for name, data := range map[string]mem.BufferSlice{"one": joined(wired(m)), "two": wired(m)} {
				var v said
				if err := v.ReadProto(data); err != nil {
					t.Fatal(err)
				}
				got := unwired(passOn(&v))
				if want := bodyOn([]byte(strings.Repeat("x", size)), end); !proto.Equal(got, want) {
					t.Errorf("%d bytes of %s buffer, end %v: it passes as another", size, name, end)
				}
				v.free()
			}
		}
	}
}

func joined(b mem.BufferSlice) mem.BufferSlice {
	return mem.BufferSlice{mem.Copy(b.Materialize(), mem.DefaultBufferPool())}
}

// TestHoldsAreCheap: what one hop, and one event of a relay, may allocate here.
func TestHoldsAreCheap(t *testing.T) {
	p := newPhrases()
	first, event := joined(wired(opening(idOf(1).String()))), joined(wired(piece("data: some of it has been read\n\n", false)))
	var v said
	read := func(b mem.BufferSlice) {
		if err := v.ReadProto(b); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name string
		most float64
		do   func()
	}{
		{"an opening", 0, func() {
			read(first)
			if _, _, err := hopOf(&v); err != nil {
				t.Fatal(err)
			}
			_ = p.goOn(&Hop{}).WriteProto()
			v.free()
		}},
		{"an event", 2, func() {
			read(event)
			b := passOn(&v).WriteProto()
			v.free()
			b.Free()
		}},
	} {
		if got := testing.AllocsPerRun(200, tt.do); got > tt.most {
			t.Errorf("%s allocates %v times, and at most %v", tt.name, got, tt.most)
		}
	}
}
