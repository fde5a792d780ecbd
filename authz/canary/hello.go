package canary

import (
	"encoding/binary"
	"slices"
)

// Versions of TLS that canaries offer.
const (
	newTLS = 0x0304
	oldTLS = 0x0302 // which the reader of first flights refuses
)

// hello is the ClientHello, of the versions up to one, of a canary that wants a
// name (RFC 8446 section 4.1.2).
func hello(name string, version uint16) []byte {
	extensions := slices.Concat(
		extension(0, sized(2, append([]byte{0}, sized(2, []byte(name))...))), // server_name
		extension(10, sized(2, []byte{0, 29})),                               // supported_groups
		extension(13, sized(2, []byte{4, 3})),                                // signature_algorithms
	)
	legacy := min(version, 0x0303)
	if version > legacy {
		extensions = slices.Concat(extensions,
			extension(43, sized(1, binary.BigEndian.AppendUint16(nil, version))),                      // supported_versions
			extension(51, sized(2, append([]byte{0, 29}, sized(2, slices.Repeat([]byte{9}, 32))...)))) // key_share
	}
	body := slices.Concat(
		binary.BigEndian.AppendUint16(nil, legacy), make([]byte, 32), []byte{0}, sized(2, []byte{0x13, 0x01, 0xc0, 0x2b}), []byte{1, 0}, sized(2, extensions))
	return append([]byte{22, 3, 1}, sized(2, append([]byte{1}, sized(3, body)...))...)
}

// sized puts the length of b before it, in n bytes.
func sized(n int, b []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(b)))[4-n:], b...)
}

func extension(kind uint16, b []byte) []byte {
	return append(binary.BigEndian.AppendUint16(nil, kind), sized(2, b)...)
}

// record is one of n bytes in all, header included, as data of TLS has them.
func record(n int) []byte {
	return append([]byte{23, 3, 3}, sized(2, make([]byte, n-5))...)
}
