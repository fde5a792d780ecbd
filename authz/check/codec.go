package check

import (
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // registers the codec that this one falls back to
	"google.golang.org/grpc/mem"

	"github.com/hopgate/hopgate/authz/rawproto"
)

// Codec reads questions and other messages of rawproto as views, and writes
// answers as bytes; every other message goes through the codec that grpc has for
// protobuf. A server that serves Check, or holds, must be made with
// grpc.ForceServerCodecV2(NewCodec(...)).
type Codec struct {
	rest   encoding.CodecV2
	budget *Budget
}

// NewCodec makes a codec that takes the bytes of questions from budget.
func NewCodec(b *Budget) *Codec {
	return &Codec{rest: encoding.GetCodecV2("proto"), budget: b}
}

// Name is that of the wire format: Envoy sends plain protobuf.
func (c *Codec) Name() string { return "proto" }

// Marshal writes an answer or any protobuf message.
func (c *Codec) Marshal(v any) (mem.BufferSlice, error) {
	if w, ok := v.(rawproto.Writer); ok {
		return w.WriteProto(), nil
	}
	return c.rest.Marshal(v)
}

// Unmarshal reads a question or any protobuf message.
func (c *Codec) Unmarshal(data mem.BufferSlice, v any) error {
	if r, ok := v.(rawproto.Reader); ok {
		return r.ReadProto(data)
	}
	q, ok := v.(*question)
	if !ok {
		return c.rest.Unmarshal(data, v)
	}
	q.taken = c.budget.take(data.Len())
	if !q.taken {
		// The question is answered "later" without having been read.
		return nil
	}
	q.size = data.Len()
	q.buf = data.MaterializeToBuffer(mem.DefaultBufferPool())
	// What cannot be read is denied like anything else.
	q.err = q.req.Read(q.buf.ReadOnlyData())
	return nil
}

// WriteProto gives an answer's bytes (rawproto.Writer).
func (r *reply) WriteProto() mem.BufferSlice {
	r.list[0] = r
	return r.list[:]
}
