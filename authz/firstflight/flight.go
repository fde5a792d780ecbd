package firstflight

import (
	"errors"

	"google.golang.org/grpc"

	"github.com/hopgate/hopgate/authz/surface/clienthello"
)

// flight is what a client has sent and has not gone on yet.
type flight struct {
	stream grpc.ServerStream
	last   shown
	// data is what waits, end that nothing follows it. It is there until next.
	data []byte
	end  bool
	// kept is where data is that came in pieces.
	kept []byte
	// sent is how much has gone on.
	sent int
}

// errGone means that Envoy ended the side stream, or says what cannot be read.
var errGone = errors.New("the first flight was broken off")

// next has more come.
func (f *flight) next() error {
	waits := len(f.data) > 0
	if waits {
		f.kept = append(f.kept[:0], f.data...)
	}
	if err := f.stream.RecvMsg(&f.last); err != nil {
		return errGone
	}
	if f.data, f.end = f.last.data, f.last.end; waits {
		f.kept = append(f.kept, f.last.data...)
		f.data = f.kept
	}
	return nil
}

// free gives back what is not needed any more.
func (f *flight) free() {
	f.data = nil
	f.last.free()
}

// hello gathers the first ClientHello. Nothing is answered until it is whole, so
// that nothing goes on before.
func (f *flight) hello() (clienthello.Hello, error) {
	for {
		if err := f.next(); err != nil {
			return clienthello.Hello{}, err
		}
		h, err := clienthello.Read(f.data)
		if !errors.Is(err, clienthello.ErrShort) || f.end {
			return h, err
		}
	}
}

// pass sends so many bytes on; over: Envoy goes on by itself.
func (f *flight) pass(n int, over bool) error {
	all := n == len(f.data)
	if n == 0 && !all {
		return nil // there is nothing to say
	}
	if err := f.stream.SendMsg(onward(f.data[:n], f.end && all, over)); err != nil {
		return errGone
	}
	f.data, f.sent = f.data[n:], f.sent+n
	return nil
}
