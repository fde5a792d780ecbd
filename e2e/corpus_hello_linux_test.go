package e2e

import (
	"crypto/tls"
	"encoding/binary"
	"errors"
	"net"
	"slices"
	"strings"
)

// config is TLS as the row has it.
func (a *agentOf) config(name string) *tls.Config {
	s := &a.row.Setup
	conf := &tls.Config{ServerName: name, InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}, MinVersion: version(s.MinVersion)}
	if s.MaxVersion != "" {
		conf.MinVersion, conf.MaxVersion = tls.VersionTLS10, max(version(s.MaxVersion), tls.VersionTLS10)
	}
	for n := 0; n < s.HelloBytes; n += 250 {
		conf.NextProtos = append(conf.NextProtos, strings.Repeat(string(rune('a'+n/250%26)), 249))
	}
	if s.ECH {
		conf.EncryptedClientHelloConfigList, conf.ServerName = hiding(a.t, name), "hidden.example"
		conf.EncryptedClientHelloRejectionVerify = func(tls.ConnectionState) error { return nil }
	}
	return conf
}

// sslv3 is what comes before TLS 1.0 (RFC 6101).
const sslv3 = 0x0300

func version(s string) uint16 {
	s = strings.NewReplacer("V", "", " ", "").Replace(strings.ToUpper(s))
	return map[string]uint16{
		"SSL3.0": sslv3, "SSL3": sslv3,
		"TLS1.0": tls.VersionTLS10, "TLS1": tls.VersionTLS10, "TLS1.1": tls.VersionTLS11, "TLS1.2": tls.VersionTLS12, "TLS1.3": tls.VersionTLS13,
	}[s]
}

// shake speaks TLS as far as it comes; where that is not far enough for a
// request, early says what became of it.
func (a *agentOf) shake(c net.Conn, conf *tls.Config) (s *tls.Conn, early came, ok bool) {
	set := &a.row.Setup
	s = tls.Client(&firstWrite{Conn: c, segments: set.Segments, records: set.TLSRecords, old: version(set.MaxVersion) == sslv3}, conf)
	err := s.HandshakeContext(a.t.Context())
	if _, hidden := errors.AsType[*tls.ECHRejectionError](err); hidden {
		return nil, came{status: 200, at: "somebody who knows no such keys"}, false
	}
	return s, came{}, err == nil
}

// firstWrite is a connection whose first flight goes in pieces.
type firstWrite struct {
	net.Conn
	segments, records int
	old, done         bool
}

func (f *firstWrite) Write(b []byte) (int, error) {
	if f.done {
		return f.Conn.Write(b)
	}
	f.done = true
	out := slices.Clone(b)
	if f.old {
		binary.BigEndian.PutUint16(out[1:], sslv3) // the record's, and the handshake's
		binary.BigEndian.PutUint16(out[9:], sslv3)
	}
	out = inRecords(out, f.records)
	size := len(out)
	if f.segments > 0 {
		size = 7
	}
	for part := range slices.Chunk(out, size) {
		if _, err := f.Conn.Write(part); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}

// inRecords cuts one record of TLS into several; 0: it stays one.
func inRecords(b []byte, n int) []byte {
	if n == 0 {
		return b
	}
	var out []byte
	for part := range slices.Chunk(b[5:], (len(b)-5+n-1)/n) {
		out = append(binary.BigEndian.AppendUint16(append(out, b[:3]...), uint16(len(part))), part...)
	}
	return out
}
