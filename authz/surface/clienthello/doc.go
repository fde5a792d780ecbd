// Package clienthello reads the first flight of TLS: the ClientHello with
// which a client begins (RFC 8446 section 4.1.2), out of one record or many.
//
// Bytes as a client sent them enter; a Hello leaves, ErrShort while there is
// more to come, or another error: what two readers could understand in two ways
// is refused, not repaired. Nothing here does I/O or keeps what it is given.
package clienthello
