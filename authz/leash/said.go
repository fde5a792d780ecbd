package leash

import (
	"errors"

	procfilterv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/hopgate/hopgate/authz/rawproto"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

// kind is what a message of Envoy is about.
type kind uint8

const (
	kindNone kind = iota
	kindRequestHeaders
	kindResponseHeaders
	kindRequestBody
	kindResponseBody
	kindRequestTrailers
	kindResponseTrailers
)

func (k kind) String() string {
	switch k {
	case kindRequestHeaders:
		return "request headers"
	case kindResponseHeaders:
		return "response headers"
	case kindRequestBody, kindResponseBody:
		return "body"
	default:
		return "other"
	}
}

// maxPiece bounds one message of Envoy: a piece of an answer is at most what
// Envoy keeps for a connection, which is 1 MiB, and what had come before it
// looked.
const maxPiece = 4 << 20

var (
	// errSaidTwice is of a message that says something twice that can be said
	// once: Envoy never sends one, and what it would be taken for is not to be
	// guessed.
	errSaidTwice = errors.New("a message on a hold says one thing twice")
	errLarge     = errors.New("a message on a hold is larger than any piece of an answer")
)

// said is a view of an envoy.service.ext_proc.v3.ProcessingRequest. Its
// slices are parts of the bytes it was read from, which are there until the next
// one is read, or free.
type said struct {
	kind kind
	naming
	// mode is that of the answer's body, requestMode that of the request's.
	mode, requestMode procfilterv3.ProcessingMode_BodySendMode
	// status, contentType and contentEncoding are headers.
	status, contentType, contentEncoding []byte
	// location is where a redirect leads to; locations counts them.
	location  []byte
	locations int
	// body is a piece of a body; end: the last one.
	body []byte
	end  bool

	hasMetadata, hasConfig bool
	buf                    mem.Buffer
}

// naming is the hop that metadata is of.
type naming struct {
	// hop is what dynamic metadata has for the hop's id.
	hop    []byte
	hasHop bool
}

// ReadProto takes a view of what Envoy sent (rawproto.Reader).
func (m *said) ReadProto(data mem.BufferSlice) error {
	m.free()
	if data.Len() > maxPiece {
		return errLarge
	}
	m.buf = data.MaterializeToBuffer(mem.DefaultBufferPool())
	return m.read(m.buf.ReadOnlyData())
}

// free gives back what the view is of.
func (m *said) free() {
	if m.buf != nil {
		m.buf.Free()
	}
	*m = said{}
}

// read takes a view of b. A field is read as proto.Unmarshal reads it, or is an
// error.
func (m *said) read(b []byte) error { return rawproto.Fields(b, m.field) }

func (m *said) field(num protowire.Number, v rawproto.Value) error {
	switch num {
	case 2:
		return m.one(kindRequestHeaders, v, m.headers)
	case 3:
		return m.one(kindResponseHeaders, v, m.headers)
	case 4:
		return m.one(kindRequestBody, v, m.piece)
	case 5:
		return m.one(kindResponseBody, v, m.piece)
	case 6:
		return m.one(kindRequestTrailers, v, ignore)
	case 7:
		return m.one(kindResponseTrailers, v, ignore)
	case 8:
		return once(&m.hasMetadata, v, m.metadata)
	case 11:
		return once(&m.hasConfig, v, m.config)
	}
	return nil
}

// one reads a member of the oneof.
func (m *said) one(k kind, v rawproto.Value, f func(protowire.Number, rawproto.Value) error) error {
	if m.kind != kindNone {
		return errSaidTwice
	}
	m.kind = k
	return v.Fields(f)
}

// once reads a message that is there once at most.
func once(had *bool, v rawproto.Value, f func(protowire.Number, rawproto.Value) error) error {
	if *had {
		return errSaidTwice
	}
	*had = true
	return v.Fields(f)
}

func ignore(protowire.Number, rawproto.Value) error { return nil }

func (m *said) headers(num protowire.Number, v rawproto.Value) error {
	if num == 1 {
		return v.Fields(m.headerMap)
	}
	return nil
}

func (m *said) headerMap(num protowire.Number, v rawproto.Value) error {
	if num != 1 {
		return nil
	}
	var h header
	if err := v.Fields(h.field); err != nil {
		return err
	}
	switch string(h.key) {
	case ":status":
		m.status = h.says()
	case "content-type":
		m.contentType = h.says()
	case "content-encoding":
		m.contentEncoding = h.says()
	case "location":
		m.location = h.says()
		m.locations++
	}
	return nil
}

// header is one HeaderValue while it is read.
type header struct{ key, value, raw []byte }

func (h *header) field(num protowire.Number, v rawproto.Value) error {
	switch num {
	case 1:
		return text(&h.key, v)
	case 2:
		return text(&h.value, v)
	case 3:
		return text(&h.raw, v)
	}
	return nil
}

// says is the value, in whichever of the two forms it came.
func (h *header) says() []byte {
	if len(h.raw) > 0 {
		return h.raw
	}
	return h.value
}

func (m *said) piece(num protowire.Number, v rawproto.Value) error {
	switch num {
	case 1:
		return text(&m.body, v)
	case 2:
		m.end = v.Number != 0
		return v.Expect(protowire.VarintType)
	}
	return nil
}

// metadata reads the filters' metadata, of which one is ours.
func (m *naming) metadata(num protowire.Number, v rawproto.Value) error {
	if num != 1 {
		return nil
	}
	var e mapEntry
	if err := v.Fields(e.field); err != nil || string(e.key) != wire.AuthzNamespace {
		return err
	}
	if m.hasHop {
		return errSaidTwice
	}
	m.hasHop = true
	return rawproto.Fields(e.value, m.authz)
}

// authz reads a Struct, of which one field is the hop's id.
func (m *naming) authz(num protowire.Number, v rawproto.Value) error {
	if num != 1 {
		return nil
	}
	var e mapEntry
	if err := v.Fields(e.field); err != nil || string(e.key) != wire.MetaHopID {
		return err
	}
	if m.hop != nil {
		return errSaidTwice
	}
	m.hop = []byte{}
	return rawproto.Fields(e.value, m.hopID)
}

// hopID reads a Value, a oneof: what is no text is no id, and the last counts.
func (m *naming) hopID(num protowire.Number, v rawproto.Value) error {
	typ := protowire.BytesType
	switch num {
	case 3:
		return text(&m.hop, v)
	case 1, 4:
		typ = protowire.VarintType
	case 2:
		typ = protowire.Fixed64Type
	case 5, 6:
	default:
		return nil
	}
	m.hop = []byte{}
	return v.Expect(typ)
}

// mapEntry is one entry of a map of messages.
type mapEntry struct {
	key, value []byte
	hasValue   bool
}

func (e *mapEntry) field(num protowire.Number, v rawproto.Value) error {
	switch num {
	case 1:
		return text(&e.key, v)
	case 2:
		if e.hasValue {
			return errSaidTwice
		}
		e.hasValue = true
		return text(&e.value, v)
	}
	return nil
}

func (m *said) config(num protowire.Number, v rawproto.Value) error {
	mode := procfilterv3.ProcessingMode_BodySendMode(int32(v.Number)) // as proto.Unmarshal cuts it
	switch num {
	case 1:
		m.requestMode = mode
	case 2:
		m.mode = mode
	default:
		return nil
	}
	return v.Expect(protowire.VarintType)
}

// text is a view of a text or of bytes.
func text(to *[]byte, v rawproto.Value) error {
	*to = v.Bytes
	return v.Expect(protowire.BytesType)
}

// answer is a copy of what headers say.
func (m *said) answer() *Answer {
	a := &Answer{Status: string(m.status)}
	if m.locations == 1 {
		a.Location = string(m.location)
	}
	return a
}
