package rawproto

import (
	"errors"

	"google.golang.org/protobuf/encoding/protowire"
)

// ErrMalformed is of bytes that are no message, or not the one that is read.
var ErrMalformed = errors.New("malformed message")

// Value is one field: Bytes of length-delimited ones, a view of what it was read
// from, and Number of the rest.
type Value struct {
	Type   protowire.Type
	Bytes  []byte
	Number uint64
}

// Expect refuses a field of another type than its message has.
func (v Value) Expect(t protowire.Type) error {
	if v.Type != t {
		return ErrMalformed
	}
	return nil
}

// Fields calls f for each field of a message within.
func (v Value) Fields(f func(protowire.Number, Value) error) error {
	if err := v.Expect(protowire.BytesType); err != nil {
		return err
	}
	return Fields(v.Bytes, f)
}

// Fields calls f for each field of a message, in the order of its bytes.
func Fields(b []byte, f func(protowire.Number, Value) error) error {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return ErrMalformed
		}
		v, m := consume(typ, b[n:])
		if m < 0 {
			return ErrMalformed
		}
		if err := f(num, v); err != nil {
			return err
		}
		b = b[n+m:]
	}
	return nil
}

func consume(typ protowire.Type, b []byte) (Value, int) {
	v, n := Value{Type: typ}, -1
	switch typ {
	case protowire.BytesType:
		v.Bytes, n = protowire.ConsumeBytes(b)
	case protowire.VarintType:
		v.Number, n = protowire.ConsumeVarint(b)
	case protowire.Fixed32Type:
		_, n = protowire.ConsumeFixed32(b)
	case protowire.Fixed64Type:
		_, n = protowire.ConsumeFixed64(b)
	default: // groups: not in proto3, and not from Envoy
	}
	return v, n
}
