package clienthello_test

import (
	"bytes"
	"crypto/ecdh"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/hopgate/hopgate/authz/surface/clienthello"
)

// echConfigs is an ECHConfigList (RFC 9849 section 4) of a server of that name.
func echConfigs(t testing.TB, public string) []byte {
	t.Helper()
	key, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sized := func(b, field []byte) []byte {
		return append(binary.BigEndian.AppendUint16(b, uint16(len(field))), field...)
	}
	contents := sized([]byte{1, 0, 0x20}, key.PublicKey().Bytes()) // id 1, X25519
	contents = sized(contents, []byte{0, 1, 0, 1})                 // SHA-256, AES-128-GCM
	contents = append(contents, 32, byte(len(public)))
	contents = append(append(contents, public...), 0, 0)
	return sized(nil, sized([]byte{0xfe, 0x0d}, contents))
}

// played is a connection on which one flight has come, and nothing can be said.
type played struct{ io.Reader }

func (played) Write(b []byte) (int, error)      { return len(b), nil }
func (played) Close() error                     { return nil }
func (played) LocalAddr() net.Addr              { return nil }
func (played) RemoteAddr() net.Addr             { return nil }
func (played) SetDeadline(time.Time) error      { return nil }
func (played) SetReadDeadline(time.Time) error  { return nil }
func (played) SetWriteDeadline(time.Time) error { return nil }

// goReads is what Go's server makes of a first flight; nil: nothing.
func goReads(b []byte) *tls.ClientHelloInfo {
	var info *tls.ClientHelloInfo
	enough := errors.New("it has been read")
	s := tls.Server(played{bytes.NewReader(b)}, &tls.Config{GetConfigForClient: func(i *tls.ClientHelloInfo) (*tls.Config, error) {
		info = i
		return nil, enough
	}})
	_ = s.Handshake() // it never comes through
	return info
}

// FuzzRead: of whatever is read, another reader understands the same.
func FuzzRead(f *testing.F) {
	for _, c := range []*tls.Config{
		{ServerName: "a.example"},
		{ServerName: "A.example", MaxVersion: tls.VersionTLS12},
		{ServerName: "192.0.2.1"},
		{ServerName: "inner.example", EncryptedClientHelloConfigList: echConfigs(f, "outer.example")},
	} {
		raw := sent(f, c)
		f.Add(raw)
		f.Add(records(40, raw[5:]))
	}
	f.Add(hello(0x301, serverName("a.example")))
	f.Add(hello(0x303, extension(42), extension(43, 2, 3, 4)))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := clienthello.Read(b)
		if err != nil {
			if h != (clienthello.Hello{}) {
				t.Fatalf("%+v beside %v", h, err)
			}
			return
		}
		info := goReads(b)
		if info == nil {
			return // Go wants more of it than we do
		}
		if info.ServerName != h.ServerName {
			t.Errorf("the name is %q, and Go reads %q", h.ServerName, info.ServerName)
		}
		var best uint16
		for _, v := range info.SupportedVersions {
			if v <= clienthello.VersionTLS13 {
				best = max(best, v)
			}
		}
		if best != h.Version {
			t.Errorf("the version is %x, and Go reads %x", h.Version, info.SupportedVersions)
		}
	})
}
