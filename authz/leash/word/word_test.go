package word

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
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
	word := event{"error", `{"code":"revoked"}`}
	for _, tt := range []struct {
		name, before string
		want         []event
		pure         bool // nothing is put in front
	}{
		{"nothing", "", nil, true},
		{"an event", "data: a\n\n", []event{{"", "a"}}, true},
		{"an event with CRLF", "data: a\r\n\r\n", []event{{"", "a"}}, true},
		{"an event with CR", "data: a\r\r", []event{{"", "a"}}, true},
		{"half a CRLF", "data: a\r\n\r", []event{{"", "a"}}, true},
		{"a line of an event", "data: a\n", []event{{"", "a"}}, false},
		{"half a line", "data: a", []event{{"", "a"}}, false},
		{"half a name", "event: b\ndata: a\nda", []event{{"b", "a"}}, false},
		{"a name alone", "event: b\n", nil, false},
		{"a comment", ": hello", nil, false},
		{"many line ends", "data: a\n\n\n\n", []event{{"", "a"}}, true},
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
				got := e.Event(word.name, []byte(word.data))
				if pure := bytes.HasPrefix(got, []byte("event")); pure != tt.pure {
					t.Errorf("in pieces of %d: begins with %q", size, got[:3])
				}
				if diff := cmp.Diff(append(tt.want[:len(tt.want):len(tt.want)], word), read(tt.before+string(got)), cmp.AllowUnexported(event{})); diff != "" {
					t.Errorf("in pieces of %d (-want +got):\n%s", size, diff)
				}
			}
		})
	}
}

func TestDataCannotEndTheEvent(t *testing.T) {
	t.Parallel()
	var e Events
	got := read(string(e.Event("", []byte("a\n\nevent: b\r\rdata: c\r\n\r\nd"))))
	want := []event{{"", "a\n\nevent: b\n\ndata: c\n\nd"}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(event{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// FuzzEvents puts a word at any place of any stream: it is always the last
// event, and whole.
func FuzzEvents(f *testing.F) {
	f.Add("data: a\n\n", 3)
	f.Add("event: x\r\ndata: y\r\n\r\n", 7)
	f.Fuzz(func(t *testing.T, stream string, cut int) {
		if cut < 0 || cut > len(stream) || strings.Contains(stream, "\x00") {
			return
		}
		var e Events
		e.Pass([]byte(stream[:cut]))
		e.Pass([]byte(stream[cut:]))
		got := read(stream + string(e.Event("error", []byte("w"))))
		if len(got) == 0 || got[len(got)-1] != (event{"error", "w"}) {
			t.Errorf("%q ends with %v", stream, got)
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
