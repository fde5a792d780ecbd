package main

import (
	"fmt"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // registers the codec that this one falls back to
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/hopgate/hopgate/authz/leash"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

// encoded is a message in its bytes. It costs neither side anything to write
// or to read.
type encoded struct{ data []byte }

// unread is a message whose bytes nobody looks at.
type unread struct{}

// codec passes encoded messages on as they are. Every other message goes
// through the codec that grpc has.
type codec struct{ rest encoding.CodecV2 }

func newCodec() codec { return codec{encoding.GetCodecV2("proto")} }

// Name is that of the wire format.
func (codec) Name() string { return "proto" }

// Marshal writes an encoded message without a copy.
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	if m, ok := v.(*encoded); ok {
		return mem.BufferSlice{mem.SliceBuffer(m.data)}, nil
	}
	return c.rest.Marshal(v)
}

// Unmarshal copies the bytes of an encoded message: the buffer goes back.
func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	switch m := v.(type) {
	case *encoded:
		m.data = data.Materialize()
		return nil
	case *unread:
		return nil
	default:
		return c.rest.Unmarshal(data, v)
	}
}

// okField is CheckResponse.ok_response.
const okField = 3

// allowed looks for an OK without decoding the rest. Anything else is an error
// that quotes the denial.
func allowed(answer []byte) error {
	for b := answer; len(b) > 0; {
		num, _, n := protowire.ConsumeField(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		if num == okField {
			return nil
		}
		b = b[n:]
	}
	var m authv3.CheckResponse
	if err := proto.Unmarshal(answer, &m); err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	return fmt.Errorf("denied: %s", m.GetDeniedResponse().GetBody())
}

// hopOf is the hop that an answer let in.
func hopOf(answer []byte) (string, error) {
	var m authv3.CheckResponse
	if err := proto.Unmarshal(answer, &m); err != nil {
		return "", err
	}
	id := m.GetDynamicMetadata().GetFields()[wire.MetaHopID].GetStringValue()
	_, err := leash.ParseID(id)
	return id, err
}
