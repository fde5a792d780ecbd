package rawproto

import "google.golang.org/grpc/mem"

// Reader is a message that is read from its bytes. It keeps its own reference of
// what it needs for longer than the call.
type Reader interface {
	ReadProto(data mem.BufferSlice) error
}

// Writer is a message that is bytes already.
type Writer interface {
	// WriteProto gives the bytes; whoever takes them frees them.
	WriteProto() mem.BufferSlice
}
