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
}

// Peer is who opened the connection.
type Peer struct {
	Address string
	Port    uint32
	// Principal is the URI SAN of the verified certificate; empty: none.
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

func headerID(name string) (HeaderID, bool) {
	switch name {
	case wire.HeaderTxnToken:
		return HeaderTxnToken, true
	case "proxy-authorization":
		return HeaderProxyAuthorization, true
	case "authorization":
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

var errWire = errors.New("malformed check request")

// Read takes a view of b, which must stay as it is while the view is used.
func (r *Request) Read(b []byte) error {
	*r = Request{}
	return fields(b, func(num protowire.Number, v value) error {
		if num == 1 {
			return fields(v.bytes, r.attribute)
		}
		return nil
	})
}

func (r *Request) attribute(num protowire.Number, v value) error {
	switch num {
	case 1:
		return fields(v.bytes, r.source)
	case 4:
		return fields(v.bytes, r.request)
	case 10:
		return r.extension(v.bytes)
	}
	return nil
}

func (r *Request) source(num protowire.Number, v value) error {
	switch num {
	case 1:
		return fields(v.bytes, func(num protowire.Number, v value) error {
			if num == 1 {
				return fields(v.bytes, r.socketAddress)
			}
			return nil
		})
	case 4:
		r.Source.Principal = v.text()
	case 5:
		r.Source.Certificate = v.text()
	}
	return nil
}

func (r *Request) socketAddress(num protowire.Number, v value) error {
	switch num {
	case 2:
		r.Source.Address = v.text()
	case 3:
		r.Source.Port = uint32(v.number)
	}
	return nil
}

func (r *Request) request(num protowire.Number, v value) error {
	if num == 2 {
		return fields(v.bytes, r.http)
	}
	return nil
}

func (r *Request) http(num protowire.Number, v value) error {
	switch num {
	case 2:
		r.Method = v.text()
	case 4:
		r.Path = v.text()
	case 5:
		r.Host = v.text()
	case 10:
		r.Protocol = v.text()
	case 12:
		r.Body = v.bytes
	case 13:
		return fields(v.bytes, r.headerMap)
	}
	return nil
}

func (r *Request) headerMap(num protowire.Number, v value) error {
	if num != 1 {
		return nil
	}
	var key, val string
	err := fields(v.bytes, func(num protowire.Number, v value) error {
		switch num {
		case 1:
			key = v.text()
		case 2, 3:
			if len(v.bytes) > 0 {
				val = v.text()
			}
		}
		return nil
	})
	if id, ok := headerID(key); ok {
		r.Headers[id].Add(val)
	}
	return err
}

func (r *Request) extension(b []byte) error {
	var key, val string
	err := fields(b, func(num protowire.Number, v value) error {
		switch num {
		case 1:
			key = v.text()
		case 2:
			val = v.text()
		}
		return nil
	})
	if key == wire.ContextTarget {
		r.Target = val
	}
	return err
}

// value is one field: bytes for length-delimited ones, number for the rest.
type value struct {
	bytes  []byte
	number uint64
}

func (v value) text() string { return unsafe.String(unsafe.SliceData(v.bytes), len(v.bytes)) }

// fields calls f for each field of a message.
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
	switch typ {
	case protowire.BytesType:
		v, n := protowire.ConsumeBytes(b)
		return value{bytes: v}, n
	case protowire.VarintType:
		v, n := protowire.ConsumeVarint(b)
		return value{number: v}, n
	case protowire.Fixed32Type:
		v, n := protowire.ConsumeFixed32(b)
		return value{number: uint64(v)}, n
	case protowire.Fixed64Type:
		v, n := protowire.ConsumeFixed64(b)
		return value{number: v}, n
	default: // groups: not in proto3, and not from Envoy
		return value{}, -1
	}
}
