package clienthello_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/hopgate/hopgate/authz/surface/clienthello"
)

// changeCipher is the record that middleboxes want to see (RFC 8446 appendix D.4).
func changeCipher() []byte { return []byte{20, 3, 3, 0, 1, 1} }

// protected is a record of TLS 1.3 that is encrypted.
func protected() []byte { return []byte{23, 3, 3, 0, 3, 1, 2, 3} }

// watched is what became of what a client sent behind its first ClientHello.
type watched struct {
	passed int
	found  bool
	second clienthello.Hello
	err    error
}

// watch shows flights one after the other, as they would come.
func watch(first clienthello.Hello, flights ...[]byte) (out watched) {
	w := clienthello.NewWatch(first)
	var held []byte
	for _, b := range flights {
		held = append(held, b...)
		n, found, h, err := w.Read(held)
		out.passed, held = out.passed+n, held[n:]
		if out.found, out.second, out.err = found, h, err; found || err != nil && !errors.Is(err, clienthello.ErrShort) {
			break
		}
	}
	return out
}

// oneByOne are the bytes of a flight.
func oneByOne(b []byte) (out [][]byte) {
	for i := range b {
		out = append(out, b[i:i+1])
	}
	return out
}

func TestWatch(t *testing.T) {
	t.Parallel()
	name := serverName("a.example")
	first := clienthello.Hello{ServerName: "a.example", Version: 0x304, Open: true}
	early, old, hidden := first, first, first
	early.Early, old.Version, hidden.Hidden = true, 0x303, true
	second := hello(0x303, offers(), name, shares(29))
	seen := clienthello.Hello{ServerName: "a.example", Version: 0x304}
	join := func(b ...[]byte) []byte { return bytes.Join(b, nil) }
	finished := []byte{22, 3, 3, 0, 9, 1, 0xd5, 1, 2, 3, 4, 5, 6, 7} // encrypted, and begins as a ClientHello would
	for _, tc := range []struct {
		name  string
		first clienthello.Hello
		sent  []byte
		want  watched
	}{
		{"the same", first, second, watched{found: true, second: seen}},
		{"the same, in records", first, records(30, second[5:]), watched{found: true, second: seen}},
		{"the same, in records of a byte", first, records(1, second[5:]), watched{found: true, second: seen}},
		{"behind what middleboxes want", first, join(changeCipher(), second), watched{passed: 6, found: true, second: seen}},
		{"behind a warning", first, join([]byte{21, 3, 3, 0, 2, 1, 90}, second), watched{passed: 7, found: true, second: seen}},
		{"another name", first, hello(0x303, offers(), serverName("b.example"), shares(29)), watched{found: true, second: clienthello.Hello{ServerName: "b.example", Version: 0x304}, err: clienthello.ErrChanged}},
		{"the name in upper case", first, hello(0x303, offers(), serverName("A.example"), shares(29)), watched{found: true, second: clienthello.Hello{ServerName: "A.example", Version: 0x304}, err: clienthello.ErrChanged}},
		{"no name", first, hello(0x303, offers(), shares(29)), watched{found: true, second: clienthello.Hello{Version: 0x304}, err: clienthello.ErrChanged}},
		{"a hidden name", first, hello(0x303, offers(), name, shares(29), extension(0xfe0d, 0)), watched{found: true, second: clienthello.Hello{ServerName: "a.example", Version: 0x304, Hidden: true}, err: clienthello.ErrChanged}},
		{"nothing hidden any more", hidden, second, watched{found: true, second: seen, err: clienthello.ErrChanged}},
		{"hidden again", hidden, hello(0x303, offers(), name, shares(29), extension(0xfe0d, 0)), watched{found: true, second: clienthello.Hello{ServerName: "a.example", Version: 0x304, Hidden: true}}},
		{"older", first, hello(0x303, name), watched{found: true, second: clienthello.Hello{ServerName: "a.example", Version: 0x303}, err: clienthello.ErrChanged}},
		{"early again", first, hello(0x303, offers(), name, extension(42)), watched{err: clienthello.ErrMalformed}},
		{"with data behind it", first, join(second, protected()), watched{err: clienthello.ErrMalformed}},
		{"malformed", first, hello(0x303, offers(), name, name), watched{err: clienthello.ErrMalformed}},
		{"as long as some servers take", first, []byte{22, 3, 3, 0, 4, 1, 2, 0, 0}, watched{err: clienthello.ErrLong}},
		{"half", first, second[:40], watched{err: clienthello.ErrShort}},
		{"none, but what is encrypted", first, join(changeCipher(), protected(), protected()), watched{passed: 22}},
		{"behind what looks encrypted", first, join(changeCipher(), protected(), second), watched{passed: 14, found: true, second: seen}},
		{"none, by TLS 1.2", first, join([]byte{22, 3, 3, 0, 6, 16, 0, 0, 2, 1, 2}, second), watched{passed: len(second) + 11}},
		{"none, by TLS 1.2 that is resumed", first, join(changeCipher(), finished), watched{passed: 20}},
		{"none before TLS 1.3", old, second, watched{passed: len(second)}},
		{"behind early data", early, join(changeCipher(), protected(), protected(), second), watched{passed: 22, found: true, second: seen}},
		{"early data, and no more", early, join(protected(), protected()), watched{passed: 16}},
		{"an empty record", first, join([]byte{22, 3, 3, 0, 0}, second), watched{err: clienthello.ErrNotTLS}},
		{"another kind of record", first, join([]byte{24, 3, 3, 0, 1, 1}, second), watched{err: clienthello.ErrNotTLS}},
		{"another kind of version", first, join([]byte{23, 2, 3, 0, 1, 1}, second), watched{err: clienthello.ErrNotTLS}},
		{"a record that is too long", early, join([]byte{23, 3, 3, 0x48, 1}, second), watched{err: clienthello.ErrNotTLS}},
		{"warnings without end", first, bytes.Repeat([]byte{21, 3, 3, 0, 2, 1, 90}, 33), watched{passed: 32 * 7, err: clienthello.ErrLong}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if got := watch(tc.first, tc.sent); got != tc.want {
				t.Errorf("at once: %+v, want %+v", got, tc.want)
			}
			// In pieces nothing can be seen behind a second ClientHello: it was found
			// before that came.
			got := watch(tc.first, oneByOne(tc.sent)...)
			if tc.name == "with data behind it" {
				tc.want = watched{found: true, second: seen}
			}
			if got != tc.want {
				t.Errorf("byte by byte: %+v, want %+v", got, tc.want)
			}
		})
	}
}

// FuzzWatch: however a flight is cut, the same is found in it, and what has
// passed is never more than there was.
func FuzzWatch(f *testing.F) {
	second := hello(0x303, offers(), serverName("a.example"), shares(29))
	for _, b := range [][]byte{second, records(7, second[5:]), append(changeCipher(), second...), append(protected(), second...), {22, 3, 3, 0, 2, 1, 0}} {
		f.Add(b, uint8(3), false)
		f.Add(b, uint8(1), true)
	}
	f.Fuzz(func(t *testing.T, b []byte, size uint8, early bool) {
		if len(b) > 4<<10 {
			t.Skip("each piece has all be read again")
		}
		first := clienthello.Hello{ServerName: "a.example", Version: 0x304, Open: true, Early: early}
		whole := watch(first, b)
		cut := watch(first, slices.Collect(slices.Chunk(b, int(size)+1))...)
		if whole.passed > len(b) || cut.passed > len(b) {
			t.Fatalf("of %d bytes %d passed, %d in pieces", len(b), whole.passed, cut.passed)
		}
		if whole.found && (!cut.found || cut.second != whole.second) {
			t.Errorf("found %+v, and in pieces %+v", whole, cut)
		}
		if whole.err == nil && !whole.found && whole != cut {
			t.Errorf("passed as %+v, and in pieces as %+v", whole, cut)
		}
	})
}
