package word

import "encoding/binary"

// Frames follows the server's side of a WebSocket (RFC 6455 section 5.2) to
// know where one more frame can be put: behind a whole frame. A control frame
// may stand between the fragments of a message (section 5.4).
type Frames struct {
	head [14]byte // of the frame that is being read, as far as it has come
	have int      // bytes of head
	left uint64   // of the frame's payload
	// closed is true once the server has sent a close frame: nothing may
	// follow it.
	closed bool
	// broken is true once the bytes were no frames: then no place is known.
	broken bool
}

// Pass takes note of bytes that go to the client.
func (f *Frames) Pass(b []byte) {
	for len(b) > 0 && !f.broken {
		b = b[f.step(b):]
	}
}

// step reads until a frame or its head ends, or b does, and says how far.
func (f *Frames) step(b []byte) int {
	if f.left > 0 {
		n := int(min(f.left, uint64(len(b))))
		f.left -= uint64(n)
		return n
	}
	for i := range b {
		f.head[f.have] = b[i]
		f.have++
		if f.have == f.size() {
			f.begin()
			return i + 1
		}
	}
	return len(b)
}

// Next is how many of b must pass until a frame can be put in; -1: more than
// these, or never.
func (f *Frames) Next(b []byte) int {
	at := *f
	for n := 0; ; {
		if at.Free() {
			return n
		}
		if n == len(b) || at.Hopeless() {
			return -1
		}
		n += at.step(b[n:])
	}
}

// size is how long the frame's head is, as far as is known.
func (f *Frames) size() int {
	if f.have < 2 {
		return 2
	}
	n := 2
	switch f.head[1] & 0x7f {
	case 126:
		n += 2
	case 127:
		n += 8
	}
	if f.head[1]&0x80 != 0 {
		n += 4 // a mask: a server must not, and it says nothing about where frames end
	}
	return n
}

// begin reads a head that is whole.
func (f *Frames) begin() {
	switch n := f.head[1] & 0x7f; n {
	case 126:
		f.left = uint64(binary.BigEndian.Uint16(f.head[2:]))
	case 127:
		f.left = binary.BigEndian.Uint64(f.head[2:])
	default:
		f.left = uint64(n)
	}
	op := f.head[0] & 0x0f
	control := op >= 8
	if control && (f.left > 125 || f.head[0]&0x80 == 0) || f.left>>63 != 0 || op > 10 || (op > 2 && op < 8) {
		f.broken = true
	}
	f.closed = f.closed || op == 8
	f.have = 0
}

// Free reports whether a frame can be put in now.
func (f *Frames) Free() bool { return f.have == 0 && f.left == 0 && !f.closed && !f.broken }

// Closed reports whether the server has said that the WebSocket ends.
func (f *Frames) Closed() bool { return f.closed }

// Hopeless reports whether no frame can ever be put in any more.
func (f *Frames) Hopeless() bool { return f.closed || f.broken }

// maxReason is what a close frame has room for, in bytes (RFC 6455 section
// 5.5).
const maxReason = 123

// PolicyViolation is the status of a close frame for what is not allowed any
// more (RFC 6455 section 7.4.1).
const PolicyViolation = 1008

// GoingAway is that of one for an end that is not the client's fault
// (RFC 6455 section 7.4.1).
const GoingAway = 1001

// Close is a close frame of a server, with a reason that is cut to fit at the
// end of a character.
func Close(status uint16, reason string) []byte {
	if len(reason) > maxReason {
		n := maxReason
		for n > 0 && reason[n]&0xc0 == 0x80 {
			n--
		}
		reason = reason[:n]
	}
	b := []byte{0x88, byte(2 + len(reason))}
	b = binary.BigEndian.AppendUint16(b, status)
	return append(b, reason...)
}
