package check

import (
	"errors"
	"unsafe"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/hopgate/hopgate/authz/surface"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

// Request is a view of an envoy.service.auth.v3.CheckRequest. Its strings and
// slices are parts of the bytes it was read from.
type Request struct {
	Source Peer
	Method string
	Path   string
	Host   string
	// Protocol is HTTP/1.0, HTTP/1.1 or HTTP/2.
	Protocol string
	Body     []byte
	// Target is the context extension that says which route this is.
	Target  string
	Headers [headerCount]surface.Field

	// raw is true where Envoy sent headers as they came; there may be none.
	raw bool
}

// Peer is who opened the connection.
type Peer struct {
	Address string
	Port    uint32
	// Principal is the URI SAN of the verified certificate, or its DNS SAN or
	// subject when it has none; empty: no certificate.
	Principal string
	// Certificate is the leaf in URL-encoded PEM.
	Certificate string
}

// HeaderID names a header that the guard reads.
type HeaderID uint8

const (
	HeaderTxnToken HeaderID = iota
	HeaderProxyAuthorization
	HeaderAuthorization
	HeaderContentType
	HeaderContentEncoding
	HeaderContentLength
	HeaderTransferEncoding
	HeaderMCPMethod
	HeaderMCPName
	HeaderMCPVersion
	HeaderUpgrade
	HeaderPartialBody
	headerCount
)

// Headers whose names are used in more than one place.
const (
	headerAuthorization      = "authorization"
	headerProxyAuthorization = "proxy-authorization"
)

func headerID(name string) (HeaderID, bool) {
	switch name {
	case wire.HeaderTxnToken:
		return HeaderTxnToken, true
	case headerProxyAuthorization:
		return HeaderProxyAuthorization, true
	case headerAuthorization:
		return HeaderAuthorization, true
	case "content-type":
		return HeaderContentType, true
	case "content-encoding":
		return HeaderContentEncoding, true
	case "content-length":
		return HeaderContentLength, true
	case "transfer-encoding":
		return HeaderTransferEncoding, true
	case "mcp-method":
		return HeaderMCPMethod, true
	case "mcp-name":
		return HeaderMCPName, true
	case "mcp-protocol-version":
		return HeaderMCPVersion, true
	case "upgrade":
		return HeaderUpgrade, true
	case wire.HeaderPartialBody:
		return HeaderPartialBody, true
	default:
		return 0, false
	}
}

// Header is what the request has of a header.
func (r *Request) Header(id HeaderID) surface.Field { return r.Headers[id] }

var (
	errWire = errors.New("malformed check request")
	// errNotRaw is of an Envoy that is not configured as ours: it mends what is
	// not UTF-8 and joins what was sent twice, or sends no headers at all. What
	// it would have judged is not what the backend gets.
	errNotRaw = errors.New("the request's headers or body are not raw")
)

// Read takes a view of b, which must stay as it is while the view is used. A
// field is read as proto.Unmarshal reads it: what comes twice is merged, the
// last value counts. Where that cannot be told, or Envoy never sends such a
// thing, it is an error: a known field of another type, a value said in two
// ways.
func (r *Request) Read(b []byte) error {
	*r = Request{}
	if err := fields(b, r.check); err != nil {
		return err
	}
	if !r.raw {
		return errNotRaw
	}
	return nil
}

func (r *Request) check(num protowire.Number, v value) error {
	if num == 1 {
		return v.fields(r.attribute)
	}
	return nil
}

func (r *Request) attribute(num protowire.Number, v value) error {
	switch num {
	case 1:
		return v.fields(r.source)
	case 4:
		return v.fields(r.request)
	case 10:
		return r.extension(v)
	}
	return nil
}

func (r *Request) source(num protowire.Number, v value) error {
	switch num {
	case 1:
		return v.fields(r.address)
	case 4:
		return v.text(&r.Source.Principal)
	case 5:
		return v.text(&r.Source.Certificate)
	}
	return nil
}

// address reads a oneof: the last member counts, and of a socket address that
// comes twice in a row both are merged.
func (r *Request) address(num protowire.Number, v value) error {
	switch num {
	case 1:
		return v.fields(r.socketAddress)
	case 2, 3: // a pipe, or Envoy's own listener: no address of a network
		r.Source.Address, r.Source.Port = "", 0
		return v.expect(protowire.BytesType)
	}
	return nil
}

func (r *Request) socketAddress(num protowire.Number, v value) error {
	switch num {
	case 2:
		return v.text(&r.Source.Address)
	case 3:
		r.Source.Port = uint32(v.number)
		return v.expect(protowire.VarintType)
	case 4: // named_port, in the oneof of port_value
		r.Source.Port = 0
		return v.expect(protowire.BytesType)
	}
	return nil
}

func (r *Request) request(num protowire.Number, v value) error {
	if num == 2 {
		return v.fields(r.http)
	}
	return nil
}

func (r *Request) http(num protowire.Number, v value) error {
	switch num {
	case 2:
		return v.text(&r.Method)
	case 3, 11: // headers and body, when they are not raw
		return errNotRaw
	case 4:
		return v.text(&r.Path)
	case 5:
		return v.text(&r.Host)
	case 10:
		return v.text(&r.Protocol)
	case 12:
		r.Body = v.bytes
		return v.expect(protowire.BytesType)
	case 13:
		r.raw = true
		return v.fields(r.headerMap)
	}
	return nil
}

func (r *Request) headerMap(num protowire.Number, v value) error {
	if num != 1 {
		return nil
	}
	var h header
	if err := v.fields(h.field); err != nil {
		return err
	}
	val, err := h.one()
	if err != nil {
		return err
	}
	if id, ok := headerID(h.key); ok {
		r.Headers[id].Add(val)
	}
	return nil
}

// header is one HeaderValue while it is read.
type header struct{ key, value, raw string }

func (h *header) field(num protowire.Number, v value) error {
	switch num {
	case 1:
		return v.text(&h.key)
	case 2:
		return v.text(&h.value)
	case 3:
		return v.text(&h.raw)
	}
	return nil
}

// one is the value: only one of the two forms is ever set.
func (h *header) one() (string, error) {
	switch {
	case h.raw == "":
		return h.value, nil
	case h.value != "" && h.value != h.raw:
		return "", errWire
	default:
		return h.raw, nil
	}
}

// extension reads one entry of a map: of two with one key the last counts.
func (r *Request) extension(v value) error {
	var e entry
	if err := v.fields(e.field); err != nil {
		return err
	}
	if e.key == wire.ContextTarget {
		r.Target = e.value
	}
	return nil
}

// entry is one entry of a map of texts.
type entry struct{ key, value string }

func (e *entry) field(num protowire.Number, v value) error {
	switch num {
	case 1:
		return v.text(&e.key)
	case 2:
		return v.text(&e.value)
	}
	return nil
}

// value is one field: bytes for length-delimited ones, number for the rest.
type value struct {
	typ    protowire.Type
	bytes  []byte
	number uint64
}

// expect refuses a field of another type than its message has.
func (v value) expect(t protowire.Type) error {
	if v.typ != t {
		return errWire
	}
	return nil
}

// text is a view of a string.
func (v value) text(s *string) error {
	*s = unsafe.String(unsafe.SliceData(v.bytes), len(v.bytes))
	return v.expect(protowire.BytesType)
}

// fields calls f for each field of a message within.
func (v value) fields(f func(protowire.Number, value) error) error {
	if err := v.expect(protowire.BytesType); err != nil {
		return err
	}
	return fields(v.bytes, f)
}

func fields(b []byte, f func(protowire.Number, value) error) error {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return errWire
		}
		v, m := consume(typ, b[n:])
		if m < 0 {
			return errWire
		}
		if err := f(num, v); err != nil {
			return err
		}
		b = b[n+m:]
	}
	return nil
}

func consume(typ protowire.Type, b []byte) (value, int) {
	v, n := value{typ: typ}, -1
	switch typ {
	case protowire.BytesType:
		v.bytes, n = protowire.ConsumeBytes(b)
	case protowire.VarintType:
		v.number, n = protowire.ConsumeVarint(b)
	case protowire.Fixed32Type:
		_, n = protowire.ConsumeFixed32(b)
	case protowire.Fixed64Type:
		_, n = protowire.ConsumeFixed64(b)
	default: // groups: not in proto3, and not from Envoy
	}
	return v, n
}
