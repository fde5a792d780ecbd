package testproto_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/hopgate/hopgate/internal/testproto"
)

// What comes out is nearly always another message, the same for the same
// chance, and what went in is as it was.
func TestMutate(t *testing.T) {
	t.Parallel()
	one, other := []byte("\x0a\x03one\x10\x07"), []byte("\x0a\x05other")
	was := bytes.Clone(one)
	r, again := rand.New(rand.NewPCG(1, 2)), rand.New(rand.NewPCG(1, 2))
	same := 0
	for range 1000 {
		got := testproto.Mutate(r, one, other)
		if !bytes.Equal(got, testproto.Mutate(again, one, other)) {
			t.Fatal("the same chance makes another message")
		}
		if bytes.Equal(got, was) {
			same++
		}
	}
	if !bytes.Equal(one, was) || string(other) != "\x0a\x05other" {
		t.Error("what went in was changed")
	}
	if same > 200 {
		t.Errorf("%d of 1000 are as they were", same)
	}
	if got := testproto.Mutate(r, nil, other); !bytes.Equal(got, other) {
		t.Errorf("of nothing comes %q", got)
	}
}
