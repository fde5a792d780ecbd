package rawproto

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"
)

type field struct {
	Num    protowire.Number
	Type   protowire.Type
	Bytes  string
	Number uint64
}

func fieldsOf(b []byte) (out []field, err error) {
	err = Fields(b, func(num protowire.Number, v Value) error {
		out = append(out, field{num, v.Type, string(v.Bytes), v.Number})
		return nil
	})
	return out, err
}

// What is written is read again, and is as long as was said.
func TestWhatIsWrittenIsRead(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "a", strings.Repeat("b", 127), strings.Repeat("c", 128), strings.Repeat("d", 16384)} {
		b := AppendText(nil, 1, text)
		if len(b) != SizeText(1, text) {
			t.Errorf("%d bytes, and %d were said", len(b), SizeText(1, text))
		}
		b = AppendMessage(b, 17, []byte(text))
		if len(b) != SizeText(1, text)+SizeMessage(17, len(text)) {
			t.Errorf("%d bytes, and %d were said", len(b), SizeMessage(17, len(text)))
		}
		b = append(AppendLength(b, 3, len(text)), text...)
		b = AppendNumber(b, 4, 1<<40)
		got, err := fieldsOf(b)
		if err != nil {
			t.Fatal(err)
		}
		want := []field{
			{1, protowire.BytesType, text, 0}, {17, protowire.BytesType, text, 0}, {3, protowire.BytesType, text, 0}, {4, protowire.VarintType, "", 1 << 40},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
}

func TestFieldsRefuses(t *testing.T) {
	t.Parallel()
	for name, b := range map[string]string{
		"no length":      "\x0a",
		"too short":      "\x0a\x05abc",
		"a number's end": "\x08\x80",
		"field zero":     "\x00\x01",
		"a group":        "\x0b\x0c",
		"4 bytes":        "\x0d\x01\x02\x03",
		"8 bytes":        "\x09\x01\x02\x03",
		"a long number":  "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
	} {
		if got, err := fieldsOf([]byte(b)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if got, err := fieldsOf([]byte("\x0d\x01\x02\x03\x04\x09\x01\x02\x03\x04\x05\x06\x07\x08")); err != nil || len(got) != 2 {
		t.Errorf("fixed numbers: %v, %v", got, err)
	}
}

// The first error ends it, at any depth.
func TestFieldsEndsAtAnError(t *testing.T) {
	t.Parallel()
	stop := errors.New("stop")
	n := 0
	inner := func(protowire.Number, Value) error { n++; return stop }
	b := AppendMessage(nil, 1, AppendNumber(AppendNumber(nil, 1, 1), 2, 2))
	b = AppendNumber(b, 3, 1)
	if err := Fields(b, func(_ protowire.Number, v Value) error { return v.Fields(inner) }); !errors.Is(err, stop) || n != 1 {
		t.Errorf("%v after %d fields", err, n)
	}
	if err := (Value{Type: protowire.VarintType}).Fields(inner); !errors.Is(err, ErrMalformed) {
		t.Errorf("a number is read as a message: %v", err)
	}
}

// FuzzFields: whatever the bytes, no more is read than there is.
func FuzzFields(f *testing.F) {
	f.Add([]byte("\x0a\x01a\x10\x01"))
	f.Add([]byte("\x0d\x01\x02\x03\x04"))
	f.Fuzz(func(t *testing.T, b []byte) {
		left := len(b)
		err := Fields(b, func(_ protowire.Number, v Value) error {
			if left -= len(v.Bytes); left < 0 {
				t.Fatal("more is read than there is")
			}
			return nil
		})
		if err != nil && !errors.Is(err, ErrMalformed) {
			t.Errorf("Fields = %v", err)
		}
	})
}
