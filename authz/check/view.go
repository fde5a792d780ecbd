package check

import (
	"errors"
	"slices"
	"unsafe"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/hopgate/hopgate/authz/rawproto"
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

	// http is true of a request; otherwise it is a connection.
	http bool
	// raw is true where Envoy sent headers as they came; there may be none.
	raw bool
	// lines are the headers, as a message.
	lines []byte
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
	// HeaderOverride is those by which some servers take another method than
	// the request's, HeaderRewrite those by which they take another path.
	HeaderOverride
	HeaderRewrite
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
	case wire.HeaderFraming:
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
		return overrideID(name)
	}
}

// Header is what the request has of a header.
func (r *Request) Header(id HeaderID) surface.Field { return r.Headers[id] }

var (
	errWire = rawproto.ErrMalformed
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
	if err := rawproto.Fields(b, r.check); err != nil {
		return err
	}
	if r.http && !r.raw {
		return errNotRaw
	}
	return nil
}

func (r *Request) check(num protowire.Number, v rawproto.Value) error {
	if num == 1 {
		return v.Fields(r.attribute)
	}
	return nil
}

func (r *Request) attribute(num protowire.Number, v rawproto.Value) error {
	switch num {
	case 1:
		return v.Fields(r.source)
	case 4:
		return v.Fields(r.request)
	case 10:
		return r.extension(v)
	}
	return nil
}

func (r *Request) source(num protowire.Number, v rawproto.Value) error {
	switch num {
	case 1:
		return v.Fields(r.address)
	case 4:
		return view(v, &r.Source.Principal)
	case 5:
		return view(v, &r.Source.Certificate)
	}
	return nil
}

// address reads a oneof: the last member counts, and of a socket address that
// comes twice in a row both are merged.
func (r *Request) address(num protowire.Number, v rawproto.Value) error {
	switch num {
	case 1:
		return v.Fields(r.socketAddress)
	case 2, 3: // a pipe, or Envoy's own listener: no address of a network
		r.Source.Address, r.Source.Port = "", 0
		return v.Expect(protowire.BytesType)
	}
	return nil
}

func (r *Request) socketAddress(num protowire.Number, v rawproto.Value) error {
	switch num {
	case 2:
		return view(v, &r.Source.Address)
	case 3:
		r.Source.Port = uint32(v.Number)
		return v.Expect(protowire.VarintType)
	case 4: // named_port, in the oneof of port_value
		r.Source.Port = 0
		return v.Expect(protowire.BytesType)
	}
	return nil
}

func (r *Request) request(num protowire.Number, v rawproto.Value) error {
	if num == 2 {
		r.http = true
		return v.Fields(r.attributesOf)
	}
	return nil
}

func (r *Request) attributesOf(num protowire.Number, v rawproto.Value) error {
	switch num {
	case 2:
		return view(v, &r.Method)
	case 3, 11: // headers and body, when they are not raw
		return errNotRaw
	case 4:
		return view(v, &r.Path)
	case 5:
		return view(v, &r.Host)
	case 10:
		return view(v, &r.Protocol)
	case 12:
		r.Body = v.Bytes
		return v.Expect(protowire.BytesType)
	case 13:
		if r.raw {
			r.lines = append(slices.Clip(r.lines), v.Bytes...) // messages are merged by joining them
		} else {
			r.raw, r.lines = true, v.Bytes
		}
		return v.Fields(r.headerMap)
	}
	return nil
}

func (r *Request) headerMap(num protowire.Number, v rawproto.Value) error {
	if num != 1 {
		return nil
	}
	var h header
	if err := v.Fields(h.field); err != nil {
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

func (h *header) field(num protowire.Number, v rawproto.Value) error {
	switch num {
	case 1:
		return view(v, &h.key)
	case 2:
		return view(v, &h.value)
	case 3:
		return view(v, &h.raw)
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
func (r *Request) extension(v rawproto.Value) error {
	var e entry
	if err := v.Fields(e.field); err != nil {
		return err
	}
	if e.key == wire.ContextTarget {
		r.Target = e.value
	}
	return nil
}

// entry is one entry of a map of texts.
type entry struct{ key, value string }

func (e *entry) field(num protowire.Number, v rawproto.Value) error {
	switch num {
	case 1:
		return view(v, &e.key)
	case 2:
		return view(v, &e.value)
	}
	return nil
}

// view takes a view of a string.
func view(v rawproto.Value, s *string) error {
	*s = unsafe.String(unsafe.SliceData(v.Bytes), len(v.Bytes))
	return v.Expect(protowire.BytesType)
}
