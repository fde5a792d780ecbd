package leash

import (
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/hopgate/hopgate/authz/rawproto"
)

// Fields of an envoy.service.ext_proc.v3.ProcessingResponse, and of what is in
// it.
const (
	fieldRequestHeaders   = 1
	fieldResponseHeaders  = 2
	fieldRequestBody      = 3
	fieldResponseBody     = 4
	fieldRequestTrailers  = 5
	fieldResponseTrailers = 6
	fieldModeOverride     = 9

	// A ProcessingMode has a mode for each part, and here two of them.
	fieldRequestHeaderMode   = 1
	fieldResponseHeaderMode  = 2
	fieldRequestTrailerMode  = 5
	fieldResponseTrailerMode = 6
	modeSend                 = 1
	modeSkip                 = 2

	// A response to headers or to a body holds a CommonResponse.
	fieldCommon         = 1
	fieldHeaderMutation = 2
	fieldRemoveHeaders  = 2
	fieldBodyMutation   = 3
	fieldStreamed       = 3
	fieldBody           = 1
	fieldEndOfStream    = 2
)

// chunk is bytes that are a buffer by their address, which costs no allocation.
type chunk struct{ mem.SliceBuffer }

// phrase is a response that is the same each time (rawproto.Writer).
type phrase struct {
	chunk
	list [1]mem.Buffer
}

// WriteProto gives its bytes, which nobody changes.
func (p *phrase) WriteProto() mem.BufferSlice { return p.list[:] }

func newPhrase(b []byte) *phrase {
	p := &phrase{chunk: chunk{b}}
	p.list[0] = &p.chunk
	return p
}

// phrases are the responses by which what Envoy has said goes on as it is.
type phrases struct {
	leash, hearing, relay, headers, trailers, requestTrailers *phrase
}

func newPhrases() *phrases {
	// On a relay the answer must not be encoded, or no word of ours could be
	// put into it.
	plain := rawproto.AppendMessage(nil, fieldHeaderMutation, rawproto.AppendText(nil, fieldRemoveHeaders, "accept-encoding"))
	return &phrases{
		leash:    newPhrase(rawproto.AppendMessage(nil, fieldRequestHeaders, nil)),
		hearing:  newPhrase(rawproto.AppendMessage(rawproto.AppendMessage(nil, fieldRequestHeaders, nil), fieldModeOverride, hearing())),
		relay:    newPhrase(rawproto.AppendMessage(nil, fieldRequestHeaders, rawproto.AppendMessage(nil, fieldCommon, plain))),
		headers:  newPhrase(rawproto.AppendMessage(nil, fieldResponseHeaders, nil)),
		trailers: newPhrase(rawproto.AppendMessage(nil, fieldResponseTrailers, nil)),

		requestTrailers: newPhrase(rawproto.AppendMessage(nil, fieldRequestTrailers, nil)),
	}
}

// hearing is the ProcessingMode of a leash that hears the answer's headers too.
func hearing() []byte {
	b := rawproto.AppendNumber(nil, fieldRequestHeaderMode, modeSend)
	b = rawproto.AppendNumber(b, fieldResponseHeaderMode, modeSend)
	b = rawproto.AppendNumber(b, fieldRequestTrailerMode, modeSkip)
	return rawproto.AppendNumber(b, fieldResponseTrailerMode, modeSend)
}

// goOn lets the request pass.
func (p *phrases) goOn(h *Hop) *phrase {
	switch {
	case h.Relay:
		return p.relay
	case h.Heard != nil:
		return p.hearing
	default:
		return p.leash
	}
}

const (
	// headSpace is for five tags and lengths, tailSpace for one tag and a bool.
	headSpace = 5 * (1 + 5)
	tailSpace = 2
)

// passage is a piece of an answer that passes as it is: its bytes are those that
// Envoy has sent (rawproto.Writer).
type passage struct {
	head, tail chunk
	list       [3]mem.Buffer
	used       int
	space      [headSpace + tailSpace]byte
}

// WriteProto gives its bytes. It is for one call.
func (p *passage) WriteProto() mem.BufferSlice { return p.list[:p.used] }

func (p *passage) add(b mem.Buffer) {
	p.list[p.used] = b
	p.used++
}

// passOn lets a piece of a body pass. It takes a reference to m's bytes, which
// whoever sends it gives back.
func passOn(m *said) *passage {
	p := &passage{}
	p.tail.SliceBuffer = p.space[headSpace:headSpace]
	if m.end {
		p.tail.SliceBuffer = rawproto.AppendNumber(p.space[headSpace:headSpace], fieldEndOfStream, 1)
	}
	streamed := len(p.tail.SliceBuffer)
	if len(m.body) > 0 {
		streamed += rawproto.SizeMessage(fieldBody, len(m.body))
	}
	mutation := rawproto.SizeMessage(fieldStreamed, streamed)
	common := rawproto.SizeMessage(fieldBodyMutation, mutation)
	about := protowire.Number(fieldResponseBody)
	if m.kind == kindRequestBody {
		about = fieldRequestBody
	}
	b := rawproto.AppendLength(p.space[:0:headSpace], about, rawproto.SizeMessage(fieldCommon, common))
	b = rawproto.AppendLength(b, fieldCommon, common)
	b = rawproto.AppendLength(b, fieldBodyMutation, mutation)
	b = rawproto.AppendLength(b, fieldStreamed, streamed)
	if len(m.body) > 0 {
		b = rawproto.AppendLength(b, fieldBody, len(m.body))
	}
	p.head.SliceBuffer = b
	p.add(&p.head)
	if len(m.body) > 0 {
		p.add(m.bodyBuffer())
	}
	if m.end {
		p.add(&p.tail)
	}
	return p
}

// bodyBuffer is a reference to the body's bytes where they are.
func (m *said) bodyBuffer() mem.Buffer {
	all := m.buf.ReadOnlyData()
	at := cap(all) - cap(m.body)
	if at >= 0 && at+len(m.body) <= len(all) && &all[at] == &m.body[0] {
		return m.buf.Slice(at, at+len(m.body))
	}
	return mem.Copy(m.body, mem.DefaultBufferPool())
}

var (
	_ rawproto.Writer = (*phrase)(nil)
	_ rawproto.Writer = (*passage)(nil)
	_ rawproto.Reader = (*said)(nil)
)
