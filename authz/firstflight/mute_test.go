package firstflight_test

import (
	"crypto/tls"
	"errors"
	"io"
	"testing"

	"github.com/hopgate/hopgate/authz/leash"
)

// TestMute: what a canary begins with that nobody answers to is not answered,
// and its side stream ends by an error; what is refused is refused all the same.
func TestMute(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id := leash.ID{3}
	if err := b.live.Enter(&leash.Hop{ID: id, Held: true, Mute: true}); err != nil {
		t.Fatal(err)
	}
	if _, ok := b.live.Open(id, false, func(c leash.Cut) { b.cut <- c }); !ok {
		t.Fatal("the hop has no hold")
	}
	s := b.begin(t, id.String())
	say(t, s, sent(t, &tls.Config{ServerName: "open.example"}), false)
	if m, err := s.Recv(); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("answered %v, %v", m, err)
	}
	s = b.begin(t, id.String())
	say(t, s, sent(t, &tls.Config{ServerName: "closed.example"}), false)
	if m := hear(t, s); m.GetWriteData() == nil {
		t.Errorf("what is refused is answered %v", m)
	}
}
