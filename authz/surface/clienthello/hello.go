package clienthello

import (
	"errors"
	"slices"
)

// Versions of TLS, as they are on the wire.
const (
	VersionTLS12 = 0x0303
	VersionTLS13 = 0x0304
)

// Hello is what a ClientHello says.
type Hello struct {
	// ServerName is as it was sent; empty: none was.
	ServerName string
	// Version is the highest that is offered and known.
	Version uint16
	// Hidden: there may be another ClientHello in this one, encrypted, with
	// another name (ECH, or ESNI before it). Clients that have nothing to hide
	// send such an extension too, filled with random bytes, so that nobody can
	// tell (RFC 9849 section 6.2).
	Hidden bool
	// Early: data follows before the server has said anything (0-RTT).
	Early bool
	// Open: a server is likely to ask for a second ClientHello
	// (HelloRetryRequest, RFC 8446 section 4.1.4), as this one has no share of a
	// key that most servers would take.
	Open bool
}

var (
	// ErrShort means that the ClientHello goes on.
	ErrShort = errors.New("the ClientHello is not complete")
	// ErrNotTLS means that these are no records of a handshake that begins.
	ErrNotTLS = errors.New("this is not TLS")
	// ErrLong means that the ClientHello is longer than any is.
	ErrLong = errors.New("the ClientHello is too long")
	// ErrMalformed means that it cannot be read in one way alone.
	ErrMalformed = errors.New("the ClientHello is malformed")
	// ErrChanged means that a second ClientHello is not for what the first was.
	ErrChanged = errors.New("the second ClientHello differs from the first")
)

const (
	// MaxBytes is the longest first flight that is read: Envoy's own bound for a
	// ClientHello, and the headers of the records that it may be cut into.
	MaxBytes = maxMessage + maxRecords*recordHeader

	maxMessage   = 16 << 10
	maxRecords   = 1 << 10
	recordHeader = 5
	maxFragment  = 1 << 14
	messageHead  = 4
)

// Types of records (RFC 8446 section 5.1), and of handshake messages (section 4).
const (
	typeChangeCipherSpec = 20
	typeAlert            = 21
	typeHandshake        = 22
	typeApplicationData  = 23

	typeClientHello = 1
)

// Read reads the first flight of a client, as far as it has come.
func Read(b []byte) (Hello, error) {
	if len(b) > MaxBytes {
		return Hello{}, ErrLong
	}
	body, rest, err := message(b)
	if err != nil {
		return Hello{}, err
	}
	h, err := parse(body)
	if err != nil {
		return Hello{}, err
	}
	if len(rest) > 0 && !h.Early {
		// Nothing may follow before the server has answered.
		return Hello{}, ErrMalformed
	}
	return h, nil
}

// After is what follows in a flight behind the records of its ClientHello, which
// Read has read.
func After(b []byte) []byte {
	_, rest, err := message(b)
	if err != nil {
		return nil
	}
	return rest
}

// message joins the fragments of the first handshake message. rest is what
// comes behind its last record.
func message(b []byte) (body, rest []byte, err error) {
	var m []byte
	for i := range maxRecords {
		fragment, after, err := record(b)
		if err != nil {
			return nil, nil, err
		}
		if b = after; i == 0 {
			m = slices.Clip(fragment) // most are in one record, and need no copy
		} else {
			m = append(m, fragment...)
		}
		switch want, known, err := length(m); {
		case err != nil:
			return nil, nil, err
		case known && len(m) > want:
			return nil, nil, ErrMalformed
		case known && len(m) == want:
			return m[messageHead:], b, nil
		}
	}
	return nil, nil, ErrLong
}

// record takes one record of a handshake off b.
func record(b []byte) (fragment, rest []byte, err error) {
	if len(b) > 0 && b[0] != typeHandshake || len(b) > 1 && b[1] != 3 {
		return nil, nil, ErrNotTLS
	}
	if len(b) < recordHeader {
		return nil, nil, ErrShort
	}
	n := int(b[3])<<8 | int(b[4])
	switch {
	case n == 0 || n > maxFragment:
		return nil, nil, ErrNotTLS
	case len(b) < recordHeader+n:
		return nil, nil, ErrShort
	}
	return b[recordHeader : recordHeader+n], b[recordHeader+n:], nil
}

// length is how long the message that m begins with is, header included.
func length(m []byte) (n int, known bool, err error) {
	if len(m) > 0 && m[0] != typeClientHello {
		return 0, false, ErrNotTLS
	}
	if len(m) < messageHead {
		return 0, false, nil
	}
	n = messageHead + int(m[1])<<16 + int(m[2])<<8 + int(m[3])
	if n > maxMessage {
		return 0, false, ErrLong
	}
	return n, true, nil
}
