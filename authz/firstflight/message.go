package firstflight

import (
	"errors"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/hopgate/hopgate/authz/rawproto"
)

// Fields of an envoy.service.network_ext_proc.v3.ProcessingRequest, of a
// ProcessingResponse, and of Data in both, and what is said in them.
const (
	fieldReadData         = 1
	fieldWriteData        = 2
	fieldDataStatus       = 3
	fieldConnectionStatus = 4
	fieldCloseStream      = 6

	fieldData        = 1
	fieldEndOfStream = 2

	statusUnmodified = 1
	statusModified   = 2
	connectionClose  = 1
)

// maxPiece bounds one message of Envoy: a piece is at most what it keeps for a
// connection, which is 1 MiB, and what had come before it looked.
const maxPiece = 4 << 20

var (
	errLarge     = errors.New("a message of a first flight is larger than any piece of it")
	errSaidTwice = errors.New("a message of a first flight says one thing twice")
)

// shown is a view of a ProcessingRequest. Its bytes are there until the next
// one is read, or free.
type shown struct {
	data []byte
	end  bool
	had  bool
	buf  mem.Buffer
}

// ReadProto takes a view of what Envoy sent (rawproto.Reader).
func (m *shown) ReadProto(data mem.BufferSlice) error {
	m.free()
	if data.Len() > maxPiece {
		return errLarge
	}
	m.buf = data.MaterializeToBuffer(mem.DefaultBufferPool())
	return rawproto.Fields(m.buf.ReadOnlyData(), m.field)
}

// free gives back what the view is of.
func (m *shown) free() {
	if m.buf != nil {
		m.buf.Free()
	}
	*m = shown{}
}

func (m *shown) field(num protowire.Number, v rawproto.Value) error {
	if num != fieldReadData {
		return nil
	}
	if m.had {
		return errSaidTwice
	}
	m.had = true
	return v.Fields(m.read)
}

func (m *shown) read(num protowire.Number, v rawproto.Value) error {
	switch num {
	case fieldData:
		m.data = v.Bytes
		return v.Expect(protowire.BytesType)
	case fieldEndOfStream:
		m.end = v.Number != 0
		return v.Expect(protowire.VarintType)
	}
	return nil
}

// reply is a ProcessingResponse in its bytes (rawproto.Writer). It is for one
// call.
type reply struct{ list [1]mem.Buffer }

// WriteProto gives its bytes.
func (r *reply) WriteProto() mem.BufferSlice { return r.list[:] }

// replySpace is for the tags, lengths and numbers of a reply.
const replySpace = 32

// newReply has write write a reply around so much data.
func newReply(data int, write func(b []byte) []byte) *reply {
	pool := mem.DefaultBufferPool()
	b := pool.Get(data + replySpace)
	*b = write((*b)[:0])
	return &reply{[1]mem.Buffer{mem.NewBuffer(b, pool)}}
}

// onward hands data on, and the client's end with it. over: what comes next need
// not be shown.
func onward(data []byte, end, over bool) *reply {
	return newReply(len(data), func(b []byte) []byte {
		b = appendData(b, fieldReadData, data, end)
		b = rawproto.AppendNumber(b, fieldDataStatus, statusUnmodified)
		if over {
			b = rawproto.AppendNumber(b, fieldCloseStream, 1)
		}
		return b
	})
}

func appendData(b []byte, num protowire.Number, data []byte, end bool) []byte {
	size := rawproto.SizeMessage(fieldData, len(data))
	if end {
		size += 2 // a tag and a bool
	}
	b = rawproto.AppendMessage(rawproto.AppendLength(b, num, size), fieldData, data)
	if end {
		b = rawproto.AppendNumber(b, fieldEndOfStream, 1)
	}
	return b
}

// back sends data to the client.
func back(data []byte) *reply {
	return newReply(len(data), func(b []byte) []byte {
		return rawproto.AppendNumber(appendData(b, fieldWriteData, data, false), fieldDataStatus, statusModified)
	})
}

// closing closes the tunnel.
func closing() *reply {
	return newReply(0, func(b []byte) []byte { return rawproto.AppendNumber(b, fieldConnectionStatus, connectionClose) })
}

var (
	_ rawproto.Reader = (*shown)(nil)
	_ rawproto.Writer = (*reply)(nil)
)
