package leash

import (
	"time"

	logdatav3 "github.com/envoyproxy/go-control-plane/envoy/data/accesslog/v3"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/hopgate/hopgate/authz/rawproto"
)

// logged is an envoy.service.accesslog.v3.StreamAccessLogsMessage, as bytes.
type logged struct{ buf mem.Buffer }

// ReadProto takes what Envoy sent (rawproto.Reader).
func (l *logged) ReadProto(data mem.BufferSlice) error {
	l.free()
	l.buf = data.MaterializeToBuffer(mem.DefaultBufferPool())
	return nil
}

// free gives the bytes back.
func (l *logged) free() {
	if l.buf != nil {
		l.buf.Free()
	}
	l.buf = nil
}

// entries calls f for each entry of a request; f keeps nothing of it.
func (l *logged) entries(f func(*loggedEntry)) error {
	var e loggedEntry
	each := func(num protowire.Number, v rawproto.Value) error {
		if num != 1 {
			return nil
		}
		e = loggedEntry{}
		if err := v.Fields(e.field); err != nil {
			return err
		}
		f(&e)
		return nil
	}
	if err := l.one(); err != nil {
		return err
	}
	return rawproto.Fields(l.buf.ReadOnlyData(), func(num protowire.Number, v rawproto.Value) error {
		if num == entriesOfHTTP {
			return v.Fields(each)
		}
		return nil
	})
}

// Members of the oneof of entries.
const (
	entriesOfHTTP = 2
	entriesOfTCP  = 3
)

// one refuses entries of two kinds: the last would count, and Envoy sends one.
func (l *logged) one() error {
	var had [2]bool
	return rawproto.Fields(l.buf.ReadOnlyData(), func(num protowire.Number, v rawproto.Value) error {
		if num != entriesOfHTTP && num != entriesOfTCP {
			return nil
		}
		if had[num-entriesOfHTTP] = true; had[0] && had[1] {
			return errSaidTwice
		}
		return v.Expect(protowire.BytesType)
	})
}

// loggedEntry is a view of an envoy.data.accesslog.v3.HTTPAccessLogEntry.
type loggedEntry struct {
	naming
	about   logdatav3.AccessLogType
	in, out uint64
	seconds int64
	nanos   int32
	status  uint32
	details []byte
	// terminated is Envoy's flag for a client that closed its connection, reset
	// for one that reset its stream.
	terminated, reset bool
	hasMetadata       bool
}

// logged is the entry in the register's terms.
func (e *loggedEntry) logged() Logged {
	return Logged{
		In: e.in, Out: e.out, Duration: e.duration(), Status: e.status, Details: string(e.details), ClientLeft: e.terminated || e.reset,
	}
}

// duration is as long as a time.Duration can say.
func (e *loggedEntry) duration() time.Duration {
	return (&durationpb.Duration{Seconds: e.seconds, Nanos: e.nanos}).AsDuration()
}

func (e *loggedEntry) field(num protowire.Number, v rawproto.Value) error {
	switch num {
	case 1:
		return v.Fields(e.properties)
	case 3:
		return v.Fields(e.request)
	case 4:
		return v.Fields(e.response)
	}
	return nil
}

func (e *loggedEntry) properties(num protowire.Number, v rawproto.Value) error {
	switch num {
	case 16:
		return v.Fields(e.flags)
	case 17:
		return once(&e.hasMetadata, v, e.metadata)
	case 23:
		return v.Fields(e.time)
	case 33:
		e.about = logdatav3.AccessLogType(int32(v.Number)) // as proto.Unmarshal cuts it
		return v.Expect(protowire.VarintType)
	}
	return nil
}

func (e *loggedEntry) flags(num protowire.Number, v rawproto.Value) error {
	switch num {
	case 15:
		e.terminated = v.Number != 0
		return v.Expect(protowire.VarintType)
	case 28:
		e.reset = v.Number != 0
		return v.Expect(protowire.VarintType)
	}
	return nil
}

func (e *loggedEntry) time(num protowire.Number, v rawproto.Value) error {
	switch num {
	case 1:
		e.seconds = int64(v.Number)
		return v.Expect(protowire.VarintType)
	case 2:
		e.nanos = int32(v.Number)
		return v.Expect(protowire.VarintType)
	}
	return nil
}

func (e *loggedEntry) request(num protowire.Number, v rawproto.Value) error {
	if num != 12 {
		return nil
	}
	e.in = v.Number
	return v.Expect(protowire.VarintType)
}

func (e *loggedEntry) response(num protowire.Number, v rawproto.Value) error {
	switch num {
	case 1:
		return v.Fields(e.code)
	case 3:
		e.out = v.Number
		return v.Expect(protowire.VarintType)
	case 6:
		return text(&e.details, v)
	}
	return nil
}

func (e *loggedEntry) code(num protowire.Number, v rawproto.Value) error {
	if num != 1 {
		return nil
	}
	e.status = uint32(v.Number)
	return v.Expect(protowire.VarintType)
}

var _ rawproto.Reader = (*logged)(nil)
