package leash

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestParseIDReadsWhatStringWrote(t *testing.T) {
	t.Parallel()
	id, err := NewID(bytes.NewReader([]byte("0123456789abcdef")))
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseID(id.String())
	if err != nil || got != id {
		t.Errorf("ParseID(%s) = %v, %v", id, got, err)
	}
}

func TestParseIDRefuses(t *testing.T) {
	t.Parallel()
	good := strings.Repeat("ab", 16)
	for _, s := range []string{"", good[1:], good + "0", strings.ToUpper(good), strings.Repeat("zz", 16), " " + good[1:]} {
		if _, err := ParseID(s); err == nil {
			t.Errorf("ParseID(%q) took it", s)
		}
	}
}

func TestNewIDNeedsAllItsBits(t *testing.T) {
	t.Parallel()
	if _, err := NewID(strings.NewReader("short")); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("NewID = %v", err)
	}
}
