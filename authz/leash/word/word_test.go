package word

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// event is what a client reads, by the rules of WHATWG HTML section 9.2.6.
type event struct{ name, data string }

func read(stream string) []event {
	var out []event
	var e event
	var data []string
	stream = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(stream)

	whole := strings.Split(stream, "\n")
	for _, line := range whole[:len(whole)-1] { // an unfinished line is dropped
		switch {
		case line == "":
			if data != nil {
				e.data = strings.Join(data, "\n")
				out = append(out, e)
			}
			e, data = event{}, nil
		case strings.HasPrefix(line, "event: "):
			e.name = line[7:]
		case strings.HasPrefix(line, "data: "):
			data = append(data, line[6:])
		}
	}
	return out
}

func TestEventStandsAlone(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, before string
		free         bool
	}{
		{"nothing", "", true},
		{"an event", "data: a\n\n", true},
		{"an event with CRLF", "data: a\r\n\r\n", true},
		{"an event with CR", "data: a\r\r", true},
		{"half a CRLF", "data: a\r\n\r", true},
		{"a line of an event", "data: a\n", false},
		{"a line of an event with CRLF", "data: a\r\n", false},
		{"half a line", "data: a", false},
		{"half a name", "event: b\ndata: a\nda", false},
		{"half a comment", ": hello", false},
		{"a comment", ": hello\n", true},
		{"a heartbeat with CRLF", ":\r\n", true},
		{"a heartbeat after an event", "data: a\n\n:\n", true},
		{"a heartbeat within an event", "data: a\n:\n", false},
		{"an event after a heartbeat", ":\ndata: a\n", false},
		{"many line ends", "data: a\n\n\n\n", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for size := 1; size <= len(tt.before)+1; size++ {
				var e Events
				for rest := []byte(tt.before); len(rest) > 0; {
					n := min(size, len(rest))
					e.Pass(rest[:n])
					rest = rest[n:]
				}
				if e.Free() != tt.free {
					t.Errorf("in pieces of %d: free %v, want %v", size, e.Free(), tt.free)
				}
			}
		})
	}
}

func TestNextEvent(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		before, next string
		want         int
	}{
		{"", "data: a\n\n", 0},
		{"data: a\n\n", "data: b\n\n", 0},
		{"data: a", "\n\ndata: b\n\n", 2},
		{"data: a\n", "data: b\n\n", 9},
		{"data: a", "bc", -1},
		{"data: a", "bc\n", -1},
		{"data: a\r\n", "\r\nx", 1},
	} {
		var e Events
		e.Pass([]byte(tt.before))
		if got := e.Next([]byte(tt.next)); got != tt.want {
			t.Errorf("after %q, Next(%q) = %d, want %d", tt.before, tt.next, got, tt.want)
		}
	}
}

func TestDataCannotEndTheEvent(t *testing.T) {
	t.Parallel()
	got := read(string(Event("", []byte("a\n\nevent: b\r\rdata: c\r\n\r\nd"))))
	want := []event{{"", "a\n\nevent: b\n\ndata: c\n\nd"}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(event{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// FuzzEvents puts a word at the next place of any stream: it is the last event,
// and whole, and those before it are what they would have been.
func FuzzEvents(f *testing.F) {
	f.Add("data: a\n\n", 3)
	f.Add("event: x\r\ndata: y\r\n\r\n", 7)
	f.Fuzz(func(t *testing.T, stream string, cut int) {
		if cut < 0 || cut > len(stream) {
			return
		}
		var e Events
		e.Pass([]byte(stream[:cut]))
		n := e.Next([]byte(stream[cut:]))
		if n < 0 {
			return
		}
		got := read(stream[:cut+n] + string(Event("error", []byte("w"))))
		want := append(read(stream[:cut+n]), event{"error", "w"})
		if !slices.Equal(got, want) {
			t.Errorf("%q gives %v, want %v", stream, got, want)
		}
	})
}

func frame(op byte, fin bool, n int, masked bool) []byte {
	b := []byte{op, 0}
	if fin {
		b[0] |= 0x80
	}
	switch {
	case n < 126:
		b[1] = byte(n)
	case n < 1<<16:
		b[1] = 126
		b = binary.BigEndian.AppendUint16(b, uint16(n))
	default:
		b[1] = 127
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	if masked {
		b[1] |= 0x80
		b = append(b, 1, 2, 3, 4)
	}
	return append(b, make([]byte, n)...)
}

func TestFramesAreFreeBetweenFramesAlone(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 125, 126, 127, 65535, 65536} {
		for _, masked := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d bytes, masked %v", n, masked), func(t *testing.T) {
				t.Parallel()
				var f Frames
				b := frame(2, true, n, masked)
				for i := range b {
					if i > 0 && f.Free() {
						t.Fatalf("free after %d of %d bytes", i, len(b))
					}
					f.Pass(b[i : i+1])
				}
				if !f.Free() {
					t.Error("not free after a whole frame")
				}
			})
		}
	}
}

func TestFrames(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name           string
		bytes          []byte
		free, hopeless bool
	}{
		{"nothing", nil, true, false},
		{"between fragments", frame(1, false, 3, false), true, false},
		{"a ping", frame(9, true, 4, false), true, false},
		{"closed by the server", frame(8, true, 2, false), false, true},
		{"an opcode that is reserved", frame(3, true, 0, false), false, true},
		{"a control opcode that is reserved", frame(11, true, 0, false), false, true},
		{"a long control frame", frame(9, true, 126, false), false, true},
		{"a control frame in pieces", frame(9, false, 1, false), false, true},
		{"no frames", []byte("HTTP/1.1 200 OK\r\n"), false, true},
		{"a length beyond all", []byte{0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0}, false, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var f Frames
			f.Pass(tt.bytes)
			if f.Free() != tt.free || f.Hopeless() != tt.hopeless {
				t.Errorf("free %v, hopeless %v, want %v, %v", f.Free(), f.Hopeless(), tt.free, tt.hopeless)
			}
		})
	}
}

// TestFramesInAnyPieces cuts streams of frames at random places: the answer
// does not hang on how they come.
func TestFramesInAnyPieces(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var stream []byte
		ends := map[int]bool{0: true}
		for range 1 + r.IntN(8) {
			stream = append(stream, frame([]byte{0, 1, 2, 9, 10}[r.IntN(5)], true, r.IntN(125), false)...)
			ends[len(stream)] = true
		}
		var f Frames
		for at := 0; at < len(stream); {
			n := min(1+r.IntN(40), len(stream)-at)
			f.Pass(stream[at : at+n])
			at += n
			if f.Free() != ends[at] {
				t.Fatalf("free %v at %d, want %v", f.Free(), at, ends[at])
			}
		}
	}
}

func TestNextFrame(t *testing.T) {
	t.Parallel()
	whole := frame(2, true, 200, false)
	for _, tt := range []struct {
		name         string
		before, next []byte
		want         int
	}{
		{"at once", nil, whole, 0},
		{"in its head", whole[:1], whole[1:], len(whole) - 1},
		{"in its payload", whole[:50], append(whole[50:len(whole):len(whole)], whole...), len(whole) - 50},
		{"not in these", whole[:50], whole[50:60], -1},
		{"never", frame(8, true, 0, false), whole, -1},
		{"behind what the server closes", whole[:50], append(whole[50:len(whole):len(whole)], frame(8, true, 0, false)...), len(whole) - 50},
	} {
		var f Frames
		f.Pass(tt.before)
		if got := f.Next(tt.next); got != tt.want {
			t.Errorf("%s: Next = %d, want %d", tt.name, got, tt.want)
		}
	}
}

func TestClose(t *testing.T) {
	t.Parallel()
	if got, want := Close(PolicyViolation, "lease revoked"), []byte("\x88\x0f\x03\xf0lease revoked"); !bytes.Equal(got, want) {
		t.Errorf("Close = %x, want %x", got, want)
	}
	long := Close(PolicyViolation, strings.Repeat("ü", 100))
	if len(long) > 127 || int(long[1]) != len(long)-2 || !utf8.Valid(long[4:]) {
		t.Errorf("a long reason: %d bytes, length %d, valid %v", len(long), long[1], utf8.Valid(long[4:]))
	}
	var f Frames
	f.Pass(long)
	if !f.Hopeless() {
		t.Error("our own close frame is not read as one")
	}
}

func FuzzFrames(f *testing.F) {
	f.Add([]byte{0x81, 5, 'h', 'e', 'l', 'l', 'o'}, 3)
	f.Fuzz(func(t *testing.T, b []byte, cut int) {
		if cut < 0 || cut > len(b) {
			return
		}
		var one, two Frames
		one.Pass(b)
		two.Pass(b[:cut])
		two.Pass(b[cut:])
		if one != two {
			t.Errorf("it matters how the bytes come: %+v, %+v", one, two)
		}
	})
}
