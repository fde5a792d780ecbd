package clienthello_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"net"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/authz/surface/clienthello"
)

// sent is the first flight of Go's client.
func sent(t testing.TB, c *tls.Config) []byte {
	t.Helper()
	here, there := net.Pipe()
	done := make(chan error, 1)
	go func() { done <- tls.Client(here, c).HandshakeContext(context.Background()) }()
	b := make([]byte, clienthello.MaxBytes)
	n, err := there.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	there.Close()
	if err := <-done; err == nil {
		t.Fatal("a handshake with nobody came through")
	}
	return b[:n]
}

// hello is a ClientHello with these extensions in one record.
func hello(version uint16, extensions ...[]byte) []byte {
	body := binary.BigEndian.AppendUint16(nil, version)
	body = append(body, make([]byte, 32)...)
	body = append(body, 0, 0, 2, 0x13, 0x01, 1, 0)
	if extensions != nil {
		all := slices.Concat(extensions...)
		body = append(binary.BigEndian.AppendUint16(body, uint16(len(all))), all...)
	}
	return records(1<<14, message(body))
}

func message(body []byte) []byte {
	return append([]byte{1, byte(len(body) >> 16), byte(len(body) >> 8), byte(len(body))}, body...)
}

// records cuts a message into records of at most so many bytes.
func records(size int, m []byte) []byte {
	var out []byte
	for part := range slices.Chunk(m, size) {
		out = append(out, 22, 3, 1, byte(len(part)>>8), byte(len(part)))
		out = append(out, part...)
	}
	return out
}

func extension(kind uint16, data ...byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, kind)
	return append(binary.BigEndian.AppendUint16(b, uint16(len(data))), data...)
}

func serverName(name string) []byte {
	n := len(name)
	return extension(0, append([]byte{byte((n + 3) >> 8), byte(n + 3), 0, byte(n >> 8), byte(n)}, name...)...)
}

// offers is a list of versions, of which TLS 1.3 is one.
func offers() []byte { return extension(43, 4, 3, 4, 3, 3) }

func groups(ids ...uint16) []byte {
	var list []byte
	for _, id := range ids {
		list = binary.BigEndian.AppendUint16(list, id)
	}
	return extension(10, append(binary.BigEndian.AppendUint16(nil, uint16(len(list))), list...)...)
}

// shares are of one byte each.
func shares(ids ...uint16) []byte {
	var list []byte
	for _, id := range ids {
		list = append(binary.BigEndian.AppendUint16(list, id), 0, 1, 7)
	}
	return extension(51, append(binary.BigEndian.AppendUint16(nil, uint16(len(list))), list...)...)
}

func TestGoClient(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		config *tls.Config
		want   clienthello.Hello
	}{
		{"1.3", &tls.Config{ServerName: "a.example"}, clienthello.Hello{ServerName: "a.example", Version: 0x304}},
		{"1.2", &tls.Config{ServerName: "a.example", MaxVersion: tls.VersionTLS12}, clienthello.Hello{ServerName: "a.example", Version: 0x303}},
		{"1.1", &tls.Config{ServerName: "a.example", MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, clienthello.Hello{ServerName: "a.example", Version: 0x302}},
		{"1.0", &tls.Config{ServerName: "a.example", MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10}, clienthello.Hello{ServerName: "a.example", Version: 0x301}},
		{"no name", &tls.Config{ServerName: "192.0.2.1"}, clienthello.Hello{Version: 0x304}},
		{"1.3 without a share that servers take", &tls.Config{ServerName: "a.example", CurvePreferences: []tls.CurveID{tls.CurveP384, tls.CurveP521}}, clienthello.Hello{ServerName: "a.example", Version: 0x304, Open: true}},
		{"1.3 by P-256", &tls.Config{ServerName: "a.example", CurvePreferences: []tls.CurveID{tls.CurveP256, tls.CurveP384}}, clienthello.Hello{ServerName: "a.example", Version: 0x304}},
		{"1.2 without such a share", &tls.Config{ServerName: "a.example", MaxVersion: tls.VersionTLS12, CurvePreferences: []tls.CurveID{tls.CurveP384}}, clienthello.Hello{ServerName: "a.example", Version: 0x303}},
		{"hidden", &tls.Config{ServerName: "inner.example", EncryptedClientHelloConfigList: echConfigs(t, "outer.example")}, clienthello.Hello{ServerName: "outer.example", Version: 0x304, Hidden: true}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			raw := sent(t, tc.config)
			got, err := clienthello.Read(raw)
			if diff := cmp.Diff(tc.want, got); err != nil || diff != "" {
				t.Fatalf("Read: %v (-want +got):\n%s", err, diff)
			}
			// Cut into records of any size it says the same, and no part of it says
			// anything.
			for _, size := range []int{3, 40, 300} {
				cut := records(size, raw[5:])
				again, err := clienthello.Read(cut)
				if diff := cmp.Diff(got, again); err != nil || diff != "" {
					t.Errorf("in records of %d: %v %s", size, err, diff)
				}
				for n := range cut {
					if _, err := clienthello.Read(cut[:n]); !errors.Is(err, clienthello.ErrShort) {
						t.Fatalf("the first %d of %d bytes: %v", n, len(cut), err)
					}
				}
			}
		})
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	name, early := serverName("a.example"), extension(42)
	old := records(1<<14, message(append(append([]byte{3, 1}, make([]byte, 32)...), 0, 0, 2, 0, 47, 1, 0)))
	for _, tc := range []struct {
		name string
		in   []byte
		want clienthello.Hello
		err  error
	}{
		{"nothing", nil, clienthello.Hello{}, clienthello.ErrShort},
		{"from before extensions", old, clienthello.Hello{Version: 0x301}, nil},
		{"no extensions", hello(0x303, []byte{}), clienthello.Hello{Version: 0x303}, nil},
		{"a name", hello(0x303, name), clienthello.Hello{ServerName: "a.example", Version: 0x303}, nil},
		{"versions go before the version", hello(0x303, extension(43, 4, 3, 2, 3, 1)), clienthello.Hello{Version: 0x302}, nil},
		{"unknown versions count for nothing", hello(0x303, extension(43, 6, 0x7a, 0x7a, 3, 3, 0xff, 0xff)), clienthello.Hello{Version: 0x303}, nil},
		{"only unknown versions", hello(0x303, extension(43, 2, 0x7a, 0x7a)), clienthello.Hello{}, nil},
		{"hidden", hello(0x303, extension(0xfe0d, 0)), clienthello.Hello{Version: 0x303, Hidden: true}, nil},
		{"hidden by a draft", hello(0x303, extension(0xfe0a)), clienthello.Hello{Version: 0x303, Hidden: true}, nil},
		{"hidden by ESNI", hello(0x303, extension(0xffce)), clienthello.Hello{Version: 0x303, Hidden: true}, nil},
		{"early", hello(0x303, early), clienthello.Hello{Version: 0x303, Early: true}, nil},
		{"early, with data", append(hello(0x303, early), 23, 3, 3, 0, 1, 0), clienthello.Hello{Version: 0x303, Early: true}, nil},
		{"data that is not early", append(hello(0x303), 23, 3, 3, 0, 1, 0), clienthello.Hello{}, clienthello.ErrMalformed},
		{"a share that most take", hello(0x303, offers(), groups(29, 23), shares(29)), clienthello.Hello{Version: 0x304}, nil},
		{"no shares", hello(0x303, offers(), groups(29, 23), shares()), clienthello.Hello{Version: 0x304, Open: true}, nil},
		{"no groups", hello(0x303, offers()), clienthello.Hello{Version: 0x304}, nil},
		{"shares of all that is listed", hello(0x303, offers(), groups(24, 0x2a2a), shares(24)), clienthello.Hello{Version: 0x304}, nil},
		{"too many groups", hello(0x303, offers(), groups(make([]uint16, 65)...)), clienthello.Hello{}, clienthello.ErrMalformed},
		{"a share of what few have", hello(0x303, offers(), groups(24, 25), shares(24)), clienthello.Hello{Version: 0x304, Open: true}, nil},
		{"a share that most like less", hello(0x303, offers(), groups(23, 29), shares(23)), clienthello.Hello{Version: 0x304, Open: true}, nil},
		{"a hybrid without a share", hello(0x303, offers(), groups(29, 0x11ec), shares(29)), clienthello.Hello{Version: 0x304, Open: true}, nil},
		{"a hybrid alone", hello(0x303, offers(), groups(0x11ec, 29), shares(0x11ec)), clienthello.Hello{Version: 0x304, Open: true}, nil},
		{"a hybrid, and what is in it", hello(0x303, offers(), groups(0x11ec, 29, 23), shares(0x1a1a, 0x11ec, 29)), clienthello.Hello{Version: 0x304}, nil},
		{"no shares before 1.3", hello(0x303, groups(29)), clienthello.Hello{Version: 0x303}, nil},
		{"half a group", hello(0x303, extension(10, 0, 3, 0, 29, 0)), clienthello.Hello{}, clienthello.ErrMalformed},
		{"a share cut short", hello(0x303, extension(51, 0, 5, 0, 29, 0, 2, 1)), clienthello.Hello{}, clienthello.ErrMalformed},
		{"two names", hello(0x303, extension(0, 0, 10, 0, 0, 2, 'a', 'b', 0, 0, 2, 'c', 'd')), clienthello.Hello{}, clienthello.ErrMalformed},
		{"a name of another type", hello(0x303, extension(0, 0, 5, 1, 0, 2, 'a', 'b')), clienthello.Hello{}, clienthello.ErrMalformed},
		{"an empty name", hello(0x303, extension(0, 0, 3, 0, 0, 0)), clienthello.Hello{}, clienthello.ErrMalformed},
		{"an extension twice", hello(0x303, name, name), clienthello.Hello{}, clienthello.ErrMalformed},
		{"no versions", hello(0x303, extension(43, 0)), clienthello.Hello{}, clienthello.ErrMalformed},
		{"half a version", hello(0x303, extension(43, 3, 3, 3, 3)), clienthello.Hello{}, clienthello.ErrMalformed},
		{"an extension cut short", hello(0x303, []byte{0, 0, 0, 9, 1}), clienthello.Hello{}, clienthello.ErrMalformed},
		{"more than a message in a record", records(1<<14, append(message(hello(0x303)[9:]), 1)), clienthello.Hello{}, clienthello.ErrMalformed},
		{"another message", []byte{22, 3, 1, 0, 4, 2, 0, 0, 0}, clienthello.Hello{}, clienthello.ErrNotTLS},
		{"an alert", []byte{21, 3, 1, 0, 2, 2, 40}, clienthello.Hello{}, clienthello.ErrNotTLS},
		{"an empty record", []byte{22, 3, 1, 0, 0}, clienthello.Hello{}, clienthello.ErrNotTLS},
		{"SSL 2", []byte{0x80, 0x2e, 1, 3, 1}, clienthello.Hello{}, clienthello.ErrNotTLS},
		{"HTTP", []byte("GET / HTTP/1.1\r\n"), clienthello.Hello{}, clienthello.ErrNotTLS},
		{"SSH", []byte("SSH-2.0-x\r\n"), clienthello.Hello{}, clienthello.ErrNotTLS},
		{"a message of 16 MiB", []byte{22, 3, 1, 0, 4, 1, 255, 255, 255}, clienthello.Hello{}, clienthello.ErrLong},
		{"too many records", records(1, message(make([]byte, 4000))), clienthello.Hello{}, clienthello.ErrLong},
		{"too many bytes", make([]byte, clienthello.MaxBytes+1), clienthello.Hello{}, clienthello.ErrLong},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			before := bytes.Clone(tc.in)
			got, err := clienthello.Read(tc.in)
			if diff := cmp.Diff(tc.want, got); !errors.Is(err, tc.err) || diff != "" {
				t.Errorf("Read: %v, want %v (-want +got):\n%s", err, tc.err, diff)
			}
			if !bytes.Equal(before, tc.in) {
				t.Error("what was read has changed")
			}
		})
	}
}

func BenchmarkRead(b *testing.B) {
	raw := sent(b, &tls.Config{ServerName: "a.example"})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := clienthello.Read(raw); err != nil {
			b.Fatal(err)
		}
	}
}
